//! Which functions of the kernel handle the writing of keys, and what they make of a key's memory.
//!
//! A handler that is not here leaves the key "not decoded": better no value than a wrong one. The
//! names are those of kernels 5.10 to 7.3; each works on `ctl_table.data` as the kind says, most by
//! calling one of the general ones at the top.

use sysctl_trace_ebpf::settings::ValueKind;

/// Name of the handler at a place in [`HANDLERS`], counted from 1, as records have it; `None` for 0
/// and where there is none.
pub fn name(place: u32) -> Option<&'static str> {
    let index = usize::try_from(place).ok()?.checked_sub(1)?;
    HANDLERS.get(index).map(|(name, _)| *name)
}

/// Name in kallsyms, and how the key's memory is to be read.
pub const HANDLERS: &[(&str, ValueKind)] = &[
    // kernel/sysctl.c
    ("proc_dointvec", ValueKind::Int),
    ("proc_dointvec_minmax", ValueKind::Int),
    ("proc_douintvec", ValueKind::Uint),
    ("proc_douintvec_minmax", ValueKind::Uint),
    ("proc_doulongvec_minmax", ValueKind::Ulong),
    ("proc_dou8vec_minmax", ValueKind::U8),
    ("proc_dobool", ValueKind::Bool),
    ("proc_dointvec_jiffies", ValueKind::Jiffies),
    ("proc_dointvec_ms_jiffies", ValueKind::MsJiffies),
    ("proc_dointvec_ms_jiffies_minmax", ValueKind::MsJiffies),
    ("proc_dointvec_userhz_jiffies", ValueKind::UserhzJiffies),
    (
        "proc_doulongvec_ms_jiffies_minmax",
        ValueKind::UlongMsJiffies,
    ),
    ("proc_dostring", ValueKind::String),
    ("proc_dointvec_minmax_sysadmin", ValueKind::Int),
    ("proc_dointvec_minmax_coredump", ValueKind::Int),
    ("proc_dointvec_minmax_warn_RT_change", ValueKind::Int),
    ("proc_dostring_coredump", ValueKind::String),
    ("proc_dopipe_max_size", ValueKind::Uint),
    ("sysctl_compaction_handler", ValueKind::Int),
    // mm
    ("overcommit_ratio_handler", ValueKind::Int),
    ("overcommit_policy_handler", ValueKind::Int),
    ("overcommit_kbytes_handler", ValueKind::Ulong),
    ("dirty_background_ratio_handler", ValueKind::Int),
    ("dirty_background_bytes_handler", ValueKind::Ulong),
    ("dirty_ratio_handler", ValueKind::Int),
    ("dirty_bytes_handler", ValueKind::Ulong),
    ("dirty_writeback_centisecs_handler", ValueKind::Int),
    ("dirtytime_interval_handler", ValueKind::Int),
    ("min_free_kbytes_sysctl_handler", ValueKind::Int),
    ("watermark_scale_factor_sysctl_handler", ValueKind::Int),
    ("watermark_boost_factor_sysctl_handler", ValueKind::Int),
    ("lowmem_reserve_ratio_sysctl_handler", ValueKind::Int),
    (
        "percpu_pagelist_high_fraction_sysctl_handler",
        ValueKind::Int,
    ),
    ("compaction_proactiveness_sysctl_handler", ValueKind::Int),
    ("drop_caches_sysctl_handler", ValueKind::Int),
    ("mmap_min_addr_handler", ValueKind::Ulong),
    // net
    ("devinet_sysctl_forward", ValueKind::Int),
    ("ipv4_doint_and_flush", ValueKind::Int),
    ("addrconf_sysctl_forward", ValueKind::Int),
    ("addrconf_sysctl_disable", ValueKind::Int),
    ("addrconf_sysctl_proxy_ndp", ValueKind::Int),
    ("addrconf_sysctl_disable_policy", ValueKind::Int),
    (
        "addrconf_sysctl_ignore_routes_with_linkdown",
        ValueKind::Int,
    ),
    ("proc_tcp_congestion_control", ValueKind::CongestionControl),
    ("proc_tfo_blackhole_detect_timeout", ValueKind::Int),
    ("ipv4_fwd_update_priority", ValueKind::U8),
    ("neigh_proc_dointvec", ValueKind::Int),
    ("neigh_proc_dointvec_jiffies", ValueKind::Jiffies),
    ("neigh_proc_dointvec_ms_jiffies", ValueKind::MsJiffies),
    (
        "neigh_proc_dointvec_userhz_jiffies",
        ValueKind::UserhzJiffies,
    ),
    ("neigh_proc_dointvec_zero_intmax", ValueKind::Int),
];
