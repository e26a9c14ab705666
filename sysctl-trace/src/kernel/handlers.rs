//! Which functions of the kernel handle the keys, and where each keeps a key's value.
//!
//! A handler that is not here leaves the key "not decoded": better no value than a wrong one. The
//! names are those of kernels 5.10 to 7.3. What is here is compared with the keys' files on all of
//! them, before and after a change: see docs/keys.md.

use sysctl_trace_ebpf::settings::{ABSENT, Base, Handler, ValueKind};

use super::{btf::Btf, symbols::Symbols};

/// Where a handler's keys have their value, and what it is.
#[derive(Clone, Copy, Debug)]
pub enum Memory {
    /// At `ctl_table.data`, `ctl_table.maxlen` bytes.
    Data(ValueKind),
    /// At `ctl_table.data`: a byte, or an `int` in kernels before 5.13, as this member of `struct net` is.
    ByteOrInt(&'static str),
    /// At `ctl_table.data`, of this length.
    Short(ValueKind, u32),
    /// In a member of the struct at `ctl_table.data`.
    Member(ValueKind, Field, u32),
    /// Behind the pointer at `ctl_table.data`: in a member of what it points to.
    Pointed(ValueKind, Field),
    /// The array that the pointer at `ctl_table.data` points to.
    Array(ValueKind),
    /// In a variable of the kernel's own, of this length.
    Symbol(ValueKind, &'static str, u32),
    /// Behind a pointer that is a variable of the kernel's own.
    SymbolPointed(ValueKind, &'static str, Field),
    /// In a member of the key's `struct net`, of this length.
    Net(ValueKind, &'static str, u32),
    /// Behind the pointer in a member of the key's `struct net`, an array that
    /// `ctl_table.extra1` is the index of.
    NetIndexed(ValueKind, &'static str, Field),
    /// `net.ipv4.ip_local_port_range`: two numbers, or both in one (from 6.8).
    PortRange,
    /// At `ctl_table.data`, taken over to the UTS namespace of who reads or writes.
    Uts(ValueKind),
    /// The same with IPC namespaces, where the kernel has no such keys for each (before 5.19).
    Ipc(ValueKind),
    /// In a member of the `struct hstate` of the default size.
    Hugepages(ValueKind, &'static str),
    /// The kernel's memory does not tell what the file shows: why.
    Elsewhere(&'static str),
}

/// A member of one of the kernel's structs.
type Field = (&'static str, &'static str);

use Memory::{
    Array, ByteOrInt, Data, Elsewhere, Hugepages, Ipc, Member, Net, NetIndexed, Pointed, PortRange,
    Short, Symbol, SymbolPointed, Uts,
};
use ValueKind::{
    Bitmap, Bool, Int, Jiffies, MsJiffies, NameOrNone, NeighTime, Packets, PortPair,
    SeccompActions, StaticKey, String, U8, Uint, Ulong, UlongMsJiffies, UserhzJiffies, Uuid,
};

const COUNTED: &str = "the kernel counts when the file is read";
const COMPUTED: &str = "the kernel puts the text together when the file is read";
const NO_VALUE: &str = "the key has no value: writing it does something";
const BY_READER: &str = "what the file shows goes by who reads it";
const SYNCED: &str = "the kernel brings the memory up to date when the file is read";

/// Name in kallsyms, and where the value is. Of several entries with one name the first counts that
/// this kernel has all of.
pub const HANDLERS: &[(&str, Memory)] = &[
    // kernel/sysctl.c
    ("proc_dointvec", Data(Int)),
    ("proc_dointvec_minmax", Data(Int)),
    ("proc_douintvec", Data(Uint)),
    ("proc_douintvec_minmax", Data(Uint)),
    ("proc_doulongvec_minmax", Data(Ulong)),
    ("proc_dou8vec_minmax", Data(U8)),
    // One byte, although some kernels give it the length of an `int`.
    ("proc_dobool", Short(Bool, 1)),
    ("proc_dointvec_jiffies", Data(Jiffies)),
    ("proc_dointvec_ms_jiffies", Data(MsJiffies)),
    ("proc_dointvec_ms_jiffies_minmax", Data(MsJiffies)),
    ("proc_dointvec_userhz_jiffies", Data(UserhzJiffies)),
    ("proc_doulongvec_ms_jiffies_minmax", Data(UlongMsJiffies)),
    ("proc_dostring", Data(String)),
    ("proc_do_static_key", Short(StaticKey, 4)),
    ("proc_do_large_bitmap", Array(Bitmap)),
    ("proc_dointvec_minmax_sysadmin", Data(Int)),
    ("proc_dointvec_minmax_coredump", Data(Int)),
    ("proc_dointvec_minmax_warn_RT_change", Data(Int)),
    ("proc_dostring_coredump", Data(String)),
    ("proc_dopipe_max_size", Data(Uint)),
    ("proc_taint", Symbol(Ulong, "tainted_mask", 8)),
    ("sysrq_sysctl_handler", Symbol(Int, "sysrq_enabled", 4)),
    ("sysctl_max_threads", Symbol(Int, "max_threads", 4)),
    ("proc_cap_handler", Short(Uint, 8)),
    ("bpf_unpriv_handler", Data(Int)),
    (
        "bpf_stats_handler",
        Elsewhere("the variable has no name of its own"),
    ),
    ("devkmsg_sysctl_set_loglvl", Data(String)),
    ("ftrace_enable_sysctl", Data(Int)),
    ("stack_trace_sysctl", Data(Int)),
    ("tracepoint_printk_sysctl", Data(Int)),
    (
        "kexec_limit_handler",
        Member(Int, ("kexec_load_limit", "limit"), 4),
    ),
    ("perf_cpu_time_max_percent_handler", Data(Int)),
    ("perf_event_max_sample_rate_handler", Data(Int)),
    ("perf_proc_update_handler", Data(Int)),
    ("perf_event_max_stack_handler", Data(Int)),
    ("pid_mfd_noexec_dointvec_minmax", Elsewhere(BY_READER)),
    ("proc_dohung_task_timeout_secs", Data(Ulong)),
    ("proc_watchdog_thresh", Symbol(Int, "watchdog_thresh", 4)),
    ("proc_watchdog", Elsewhere(SYNCED)),
    ("proc_nmi_watchdog", Elsewhere(SYNCED)),
    ("proc_soft_watchdog", Elsewhere(SYNCED)),
    ("proc_watchdog_cpumask", Array(Bitmap)),
    ("sched_proc_update_handler", Data(Int)),
    ("sched_rr_handler", Data(Int)),
    ("sched_rt_handler", Data(Int)),
    ("sysctl_sched_uclamp_handler", Data(Int)),
    (
        "sysctl_numa_balancing",
        Symbol(Int, "sysctl_numa_balancing_mode", 4),
    ),
    (
        "sysctl_numa_balancing",
        Symbol(StaticKey, "sched_numa_balancing", 4),
    ),
    (
        "sysctl_schedstats",
        Symbol(StaticKey, "sched_schedstats", 4),
    ),
    ("sysctl_delayacct", Symbol(Int, "delayacct_on", 4)),
    (
        "sched_energy_aware_handler",
        Elsewhere("the file is empty where the processors are all alike"),
    ),
    ("sd_ctl_doflags", Elsewhere(COMPUTED)),
    ("timer_migration_handler", Data(Int)),
    (
        "seccomp_actions_logged_handler",
        Symbol(SeccompActions, "seccomp_actions_logged", 4),
    ),
    ("sysctl_panic_print_handler", Data(Ulong)),
    ("sysctl_sys_info_handler", Elsewhere(COMPUTED)),
    ("proc_do_cad_pid", Elsewhere(BY_READER)),
    ("pid_ns_ctl_handler", Elsewhere(BY_READER)),
    ("proc_kprobes_optimization_handler", Elsewhere(SYNCED)),
    ("proc_dohung_task_detect_count", Elsewhere(COUNTED)),
    // kernel/utsname_sysctl.c, ipc
    ("proc_do_uts_string", Uts(String)),
    ("proc_ipc_dointvec", Ipc(Int)),
    ("proc_ipc_dointvec_minmax", Ipc(Int)),
    ("proc_ipc_dointvec_minmax_orphans", Ipc(Int)),
    ("proc_ipc_dointvec_minmax_orphans", Data(Int)),
    ("proc_ipc_doulongvec_minmax", Ipc(Ulong)),
    ("proc_ipc_sem_dointvec", Ipc(Int)),
    ("proc_ipc_sem_dointvec", Data(Int)),
    ("proc_ipc_auto_msgmni", Elsewhere("it is always 0")),
    ("proc_mq_dointvec", Ipc(Int)),
    ("proc_mq_dointvec_minmax", Ipc(Int)),
    // drivers/char/random.c, security
    ("proc_do_uuid", Short(Uuid, 16)),
    ("proc_do_rointvec", Data(Int)),
    ("yama_dointvec_minmax", Data(Int)),
    ("apparmor_dointvec", Data(Int)),
    // fs
    ("do_proc_dqstats", Elsewhere(COUNTED)),
    ("proc_nr_inodes", Elsewhere(COUNTED)),
    ("proc_nr_dentry", Elsewhere(COUNTED)),
    ("proc_nr_files", Elsewhere(COUNTED)),
    // mm
    ("overcommit_ratio_handler", Data(Int)),
    ("overcommit_policy_handler", Data(Int)),
    ("overcommit_kbytes_handler", Data(Ulong)),
    ("dirty_background_ratio_handler", Data(Int)),
    ("dirty_background_bytes_handler", Data(Ulong)),
    ("dirty_ratio_handler", Data(Int)),
    ("dirty_bytes_handler", Data(Ulong)),
    ("dirty_writeback_centisecs_handler", Data(Int)),
    ("dirtytime_interval_handler", Data(Int)),
    ("min_free_kbytes_sysctl_handler", Data(Int)),
    ("watermark_scale_factor_sysctl_handler", Data(Int)),
    ("watermark_boost_factor_sysctl_handler", Data(Int)),
    ("lowmem_reserve_ratio_sysctl_handler", Data(Int)),
    ("percpu_pagelist_high_fraction_sysctl_handler", Data(Int)),
    ("percpu_pagelist_fraction_sysctl_handler", Data(Int)),
    ("compaction_proactiveness_sysctl_handler", Data(Int)),
    ("drop_caches_sysctl_handler", Data(Int)),
    ("laptop_mode_handler", Data(Jiffies)),
    ("mmap_min_addr_handler", Data(Ulong)),
    ("sysctl_min_slab_ratio_sysctl_handler", Data(Int)),
    ("sysctl_min_unmapped_ratio_sysctl_handler", Data(Int)),
    ("sysctl_vm_numa_stat_handler", Data(Int)),
    ("numa_zonelist_order_handler", Data(String)),
    ("sysctl_compaction_handler", Elsewhere(NO_VALUE)),
    ("vmstat_refresh", Elsewhere(NO_VALUE)),
    ("hugetlb_sysctl_handler", Hugepages(Ulong, "max_huge_pages")),
    (
        "hugetlb_mempolicy_sysctl_handler",
        Hugepages(Ulong, "max_huge_pages"),
    ),
    (
        "hugetlb_overcommit_handler",
        Hugepages(Ulong, "nr_overcommit_huge_pages"),
    ),
    // net/core
    ("proc_do_dev_weight", Data(Int)),
    ("proc_do_skb_defer_max", Data(Int)),
    ("proc_dointvec_minmax_bpf_enable", Data(Int)),
    ("proc_dointvec_minmax_bpf_restricted", Data(Int)),
    ("proc_dolongvec_minmax_bpf_restricted", Data(Ulong)),
    ("flow_limit_table_len_sysctl", Data(Int)),
    ("flow_limit_cpu_sysctl", Elsewhere(COMPUTED)),
    ("rps_default_mask_sysctl", Elsewhere(COMPUTED)),
    ("rps_sock_flow_sysctl", Elsewhere(COMPUTED)),
    ("proc_do_rss_key", Elsewhere(COMPUTED)),
    (
        "set_default_qdisc",
        SymbolPointed(String, "default_qdisc_ops", ("Qdisc_ops", "id")),
    ),
    ("neigh_proc_dointvec", Data(Int)),
    ("neigh_proc_dointvec_jiffies", Data(Jiffies)),
    ("neigh_proc_dointvec_ms_jiffies", Data(MsJiffies)),
    ("neigh_proc_dointvec_ms_jiffies_positive", Data(MsJiffies)),
    ("neigh_proc_dointvec_userhz_jiffies", Data(UserhzJiffies)),
    ("neigh_proc_dointvec_zero_intmax", Data(Int)),
    ("neigh_proc_dointvec_unres_qlen", Data(Packets)),
    ("neigh_proc_base_reachable_time", Data(NeighTime)),
    // net/ipv4
    ("devinet_conf_proc", Data(Int)),
    ("devinet_sysctl_forward", Data(Int)),
    ("ipv4_doint_and_flush", Data(Int)),
    ("ipv4_local_port_range", PortRange),
    ("ipv4_ping_group_range", Short(Uint, 8)),
    ("ipv4_privileged_ports", Data(Int)),
    (
        "ipv4_fwd_update_priority",
        ByteOrInt("ipv4.sysctl_ip_fwd_update_priority"),
    ),
    ("ipv4_sysctl_rtcache_flush", Elsewhere(NO_VALUE)),
    ("proc_fib_multipath_hash_fields", Data(Uint)),
    (
        "proc_fib_multipath_hash_policy",
        ByteOrInt("ipv4.sysctl_fib_multipath_hash_policy"),
    ),
    (
        "proc_fib_multipath_hash_seed",
        Net(Uint, "ipv4.sysctl_fib_multipath_hash_seed.user_seed", 4),
    ),
    (
        "proc_tcp_congestion_control",
        Pointed(String, ("tcp_congestion_ops", "name")),
    ),
    ("proc_tfo_blackhole_detect_timeout", Data(Int)),
    ("proc_tcp_available_congestion_control", Elsewhere(COMPUTED)),
    ("proc_allowed_congestion_control", Elsewhere(COMPUTED)),
    ("proc_tcp_available_ulp", Elsewhere(COMPUTED)),
    ("proc_tcp_ehash_entries", Elsewhere(COMPUTED)),
    ("proc_udp_hash_entries", Elsewhere(COMPUTED)),
    (
        "proc_tcp_fastopen_key",
        Elsewhere("it is a secret, which is not copied"),
    ),
    // net/ipv6
    ("addrconf_sysctl_forward", Data(Int)),
    ("addrconf_sysctl_force_forwarding", Data(Int)),
    ("addrconf_sysctl_disable", Data(Int)),
    ("addrconf_sysctl_proxy_ndp", Data(Int)),
    ("addrconf_sysctl_disable_policy", Data(Int)),
    ("addrconf_sysctl_ignore_routes_with_linkdown", Data(Int)),
    ("addrconf_sysctl_addr_gen_mode", Data(Uint)),
    ("addrconf_sysctl_mtu", Data(Int)),
    (
        "addrconf_sysctl_stable_secret",
        Elsewhere("it is a secret, which is not copied"),
    ),
    ("ndisc_ifinfo_sysctl_change", Data(NeighTime)),
    ("ipv6_sysctl_rtcache_flush", Elsewhere(NO_VALUE)),
    ("proc_rt6_multipath_hash_fields", Data(Uint)),
    (
        "proc_rt6_multipath_hash_policy",
        ByteOrInt("ipv6.sysctl.multipath_hash_policy"),
    ),
    // net/netfilter, net/bridge, net/mptcp
    (
        "nf_log_proc_dostring",
        NetIndexed(NameOrNone, "nf.nf_loggers", ("nf_logger", "name")),
    ),
    (
        "nf_hooks_lwtunnel_sysctl_handler",
        Elsewhere("the variable has no name of its own"),
    ),
    (
        "nf_conntrack_hash_sysctl",
        Symbol(Uint, "nf_conntrack_htable_size", 4),
    ),
    ("nf_conntrack_log_invalid_sysctl", Data(U8)),
    ("brnf_sysctl_call_tables", Data(Int)),
    ("proc_scheduler", Data(String)),
    ("proc_path_manager", Data(String)),
    ("proc_pm_type", Data(U8)),
    ("proc_blackhole_detect_timeout", Data(Uint)),
    ("proc_available_schedulers", Elsewhere(COMPUTED)),
    ("proc_available_path_managers", Elsewhere(COMPUTED)),
];

/// Name of the handler at a place in [`HANDLERS`], counted from 1, as records have it; `None` for 0
/// and where there is none.
pub fn name(place: u32) -> Option<&'static str> {
    let index = usize::try_from(place).ok()?.checked_sub(1)?;
    HANDLERS.get(index).map(|(name, _)| *name)
}

/// Names of all symbols that are asked for.
pub fn symbols() -> impl Iterator<Item = &'static str> {
    HANDLERS
        .iter()
        .flat_map(|(name, memory)| [Some(*name), memory.symbol()])
        .flatten()
}

/// Words on the kernel's command line with which a handler shows something else than its memory.
const OVERRULED: &[(&str, &str)] = &[("sysrq_sysctl_handler", "sysrq_always_enabled")];

/// Whether the kernel's command line has the handler show something else than its memory.
fn is_overruled(handler: &str, command_line: &str) -> bool {
    OVERRULED.iter().any(|(name, option)| {
        let mut words = command_line.split_ascii_whitespace();
        *name == handler && words.any(|word| word.split('=').next() == Some(*option))
    })
}

/// Those that this kernel has, by the addresses of their functions. `command_line`: the kernel's.
pub fn found(symbols: &Symbols, btf: &Btf<'_>, command_line: &str) -> Vec<(u64, Handler)> {
    let mut found: Vec<(u64, Handler)> = Vec::new();
    for (place, (name, memory)) in (1..).zip(HANDLERS) {
        let Some(address) = symbols.get(name) else {
            continue;
        };
        let handler = if is_overruled(name, command_line) {
            Handler {
                place,
                ..NOT_DECODED
            }
        } else {
            memory.handler(place, symbols, btf)
        };
        match found.iter_mut().find(|(other, _)| *other == address) {
            Some((_, first)) if first.kind == ValueKind::NotDecoded as u32 => *first = handler,
            Some(_) => {}
            None => found.push((address, handler)),
        }
    }
    found
}

/// Exists where one set of IPC keys serves all namespaces.
const IPC_OF_READER: &str = "proc_ipc_doulongvec_minmax";

impl Memory {
    /// The variable of the kernel's own that the value is found by.
    const fn symbol(self) -> Option<&'static str> {
        match self {
            Symbol(_, name, _) | SymbolPointed(_, name, _) => Some(name),
            Data(_) | ByteOrInt(_) | Short(..) | Member(..) | Pointed(..) | Array(_) | Net(..)
            | NetIndexed(..) | PortRange | Uts(_) | Ipc(_) | Hugepages(..) | Elsewhere(_) => None,
        }
    }

    /// Why a key's value is not decoded, where it is not.
    pub const fn reason(self) -> &'static str {
        match self {
            Elsewhere(reason) => reason,
            Short(Uuid, _) => "a new one is drawn each time the file is read",
            Array(_) => "it is longer than what is recorded of a value",
            Data(_) | ByteOrInt(_) | Short(..) | Member(..) | Pointed(..) | Symbol(..)
            | SymbolPointed(..) | Net(..) | NetIndexed(..) | PortRange | Uts(_) | Ipc(_)
            | Hugepages(..) => "its value is not found in the kernel's memory",
        }
    }

    /// For the probes. Not decoded where this kernel lacks what it is found by.
    fn handler(self, place: u32, symbols: &Symbols, btf: &Btf<'_>) -> Handler {
        Handler {
            place,
            ..self.located(symbols, btf).unwrap_or(NOT_DECODED)
        }
    }

    fn located(self, symbols: &Symbols, btf: &Btf<'_>) -> Option<Handler> {
        let offset = |(name, path): Field| btf.offset_of(name, path);
        let net = |path| btf.offset_of("net", path).map(u64::from);
        let here = |kind: ValueKind, base: Base| Handler {
            kind: kind as u32,
            base: base as u32,
            ..NOT_DECODED
        };
        Some(match self {
            Data(kind) => here(kind, Base::Data),
            ByteOrInt(member) => match btf.size_of_member("net", member)? {
                1 => here(U8, Base::Data),
                4 => here(Int, Base::Data),
                _ => return None,
            },
            Short(kind, len) => Handler {
                len,
                ..here(kind, Base::Data)
            },
            Member(kind, field, len) => Handler {
                len,
                address: offset(field)?.into(),
                ..here(kind, Base::Data)
            },
            Pointed(kind, field) => Handler {
                through: offset(field)?,
                ..here(kind, Base::Data)
            },
            Array(kind) => Handler {
                through: 0,
                ..here(kind, Base::Data)
            },
            Symbol(kind, name, len) => Handler {
                len,
                address: symbols.get(name)?,
                ..here(kind, Base::Fixed)
            },
            SymbolPointed(kind, name, field) => Handler {
                address: symbols.get(name)?,
                through: offset(field)?,
                ..here(kind, Base::Fixed)
            },
            Net(kind, path, len) => Handler {
                len,
                address: net(path)?,
                ..here(kind, Base::Net)
            },
            NetIndexed(kind, path, field) => Handler {
                address: net(path)?,
                through: offset(field)?,
                ..here(kind, Base::NetIndexed)
            },
            PortRange => {
                const RANGE: &str = "ipv4.ip_local_ports.range";
                let packed = btf.size_of_member("net", RANGE) == Some(4);
                let (kind, len) = if packed { (PortPair, 4) } else { (Int, 8) };
                Handler {
                    len,
                    address: net(RANGE)?,
                    ..here(kind, Base::Net)
                }
            }
            Uts(kind) => {
                symbols.get("init_uts_ns")?;
                here(kind, Base::Uts)
            }
            Ipc(kind) => {
                symbols.get("init_ipc_ns")?;
                symbols.get(IPC_OF_READER)?;
                here(kind, Base::Ipc)
            }
            Hugepages(kind, field) => {
                symbols.get("hstates")?;
                symbols.get("default_hstate_idx")?;
                btf.size_of("hstate")?;
                Handler {
                    len: 8,
                    address: offset(("hstate", field))?.into(),
                    ..here(kind, Base::Hugepages)
                }
            }
            Elsewhere(_) => return None,
        })
    }
}

const NOT_DECODED: Handler = Handler {
    place: 0,
    kind: ValueKind::NotDecoded as u32,
    base: Base::Data as u32,
    len: 0,
    address: 0,
    through: ABSENT,
    padding: 0,
};

#[cfg(test)]
#[path = "handlers_tests.rs"]
mod tests;
