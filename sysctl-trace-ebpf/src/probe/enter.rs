//! First sight of a task in a network namespace: by setns(2), or as it executes a program there.
//!
//! One record for each pair of a namespace and a cgroup. A container has a cgroup of its own, so its
//! first task there is told, whoever made the namespace; what the same container does afterwards
//! costs a look-up. Nothing is told of the node's own namespace.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::generated::{bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns},
    macros::{fexit, kprobe, kretprobe, map, raw_tracepoint},
    maps::LruHashMap,
    programs::{FExitContext, ProbeContext, RawTracePointContext, RetProbeContext},
};
use sysctl_trace_ebpf::{
    record::{Deed, ENTERED_BY_EXEC, ENTERED_BY_SETNS, Header, KIND_NETNS_ENTER, Span},
    settings::{ABSENT, Program, ValueKind},
};

use super::netns::{caller_net, describe, init_net};
use crate::{
    context::{cgroup_id, record_actor},
    emit::{Draft, count},
    kernel::{Address, ByHelper, Reach as _, at, read, setting},
};

/// How many pairs are remembered; of more, those that were not met for longest are told again when
/// they are met.
const PAIRS_MAX: u32 = 4096;
/// How many tasks can be within netns_install at the same time.
const ENTERING_MAX: u32 = 1024;

/// A cgroup in a network namespace. Nothing in it is used again while the pair is remembered, so
/// none has to be forgotten when a namespace ends.
#[derive(Clone, Copy)]
#[repr(C)]
struct Pair {
    /// `net.net_cookie`. Where there is none (before 5.12) the random `net.hash_mix`, which together
    /// with the inode number tells one namespace from the next with the same number and address.
    netns: u64,
    /// `net.ns.inum`.
    inum: u32,
    /// 2 for a cgroup of the version 2 hierarchy, else 1: ids are numbered in each.
    version: u32,
    /// Id of the cgroup's kernfs node.
    cgroup: u64,
}

/// Pairs that were told.
#[map(name = "PAIRS")]
static PAIRS: LruHashMap<Pair, u32> = LruHashMap::with_max_entries(PAIRS_MAX, 0);

/// `struct nsset *` of those that are within netns_install, by thread id: a kretprobe is not given
/// the arguments.
#[map(name = "ENTERING")]
static ENTERING: LruHashMap<u32, u64> = LruHashMap::with_max_entries(ENTERING_MAX, 0);

// Not switch_task_namespaces, which every ending process calls; nor the system call itself, whose
// name differs between architectures. This one is called through a pointer, by setns with a file of
// a namespace as with a pidfd, and is never inlined.
//
// prototype: static int netns_install(struct nsset *nsset, struct ns_common *ns) [5.10..7.3]
#[fexit(function = "netns_install")]
fn netns_enter_fexit(ctx: FExitContext) -> i32 {
    installed(ctx.arg(0), ctx.arg(2));
    0
}

#[kprobe]
fn netns_enter_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(nsset) = ctx.arg::<u64>(0)
        && ENTERING.insert(thread(), nsset, 0).is_err()
    {
        count(Program::NetnsEnter, |losses| &mut losses.in_flight);
    }
    0
}

#[kretprobe]
fn netns_enter_kretprobe(ctx: RetProbeContext) -> u32 {
    let thread = thread();
    if let Some(nsset) = ENTERING.get_ptr(thread) {
        // SAFETY: only programs that run in this thread touch its entry.
        let nsset = unsafe { *nsset } as Address;
        let _ = ENTERING.remove(thread);
        installed(nsset, ctx.ret::<i32>());
    }
    0
}

// prototype: sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
//            [5.10..7.3]
#[raw_tracepoint(tracepoint = "sched_process_exec")]
fn netns_exec(_: RawTracePointContext) -> i32 {
    // A task that is ending has no namespaces, and executes nothing.
    if let Some(net) = caller_net() {
        present(Program::NetnsExec, net as Address, ENTERED_BY_EXEC);
    }
    0
}

#[inline(always)]
fn thread() -> u32 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_get_current_pid_tgid() as u32 }
}

/// netns_install has returned: where it succeeded, the namespace is that of the proxy that the task
/// will have in a moment. (With a pidfd and several kinds of namespaces, the kernel may still find
/// that it can't give the task a time namespace, and then leaves all as they were.)
#[inline(always)]
fn installed(nsset: Address, result: i32) {
    if result != 0 {
        return;
    }
    let net = read::<Address>(at(nsset, setting!(offsets.nsset_nsproxy)))
        .and_then(|proxy| read::<Address>(at(proxy, setting!(offsets.nsproxy_net_ns))));
    match net {
        Some(net) => present(Program::NetnsEnter, net, ENTERED_BY_SETNS),
        None => count(Program::NetnsEnter, |losses| &mut losses.unreadable),
    }
}

/// The current task is in this namespace.
#[inline(always)]
fn present(program: Program, net: Address, entered_by: u32) {
    if init_net() == Some(net) {
        return;
    }
    if tell_first(program, net, entered_by).is_none() {
        count(program, |losses| &mut losses.unreadable);
    }
}

#[inline(always)]
fn tell_first(program: Program, net: Address, entered_by: u32) -> Option<()> {
    let pair = pair(net)?;
    if PAIRS.get_ptr(pair).is_some() {
        return Some(());
    }
    // Of several on different CPUs one tells.
    if PAIRS.insert(pair, 0, u64::from(BPF_NOEXIST)).is_err() {
        return Some(());
    }
    let told = record(program, net, entered_by);
    if told != Some(true) {
        // The next one tells.
        let _ = PAIRS.remove(pair);
    }
    told.map(|_| ())
}

#[inline(always)]
fn pair(net: Address) -> Option<Pair> {
    let (cgroup, unified) = cgroup_id::<ByHelper>(ByHelper::current())?;
    let netns = if setting!(offsets.net_cookie) != ABSENT {
        read::<u64>(at(net, setting!(offsets.net_cookie)))?
    } else if setting!(offsets.net_hash_mix) != ABSENT {
        u64::from(read::<u32>(at(net, setting!(offsets.net_hash_mix)))?)
    } else {
        net as u64
    };
    Some(Pair {
        netns,
        inum: read(at(net, setting!(offsets.net_inum)))?,
        version: if unified { 2 } else { 1 },
        cgroup,
    })
}

/// Whether there was room for it.
#[inline(always)]
fn record(program: Program, net: Address, entered_by: u32) -> Option<bool> {
    let draft = Draft::of(program)?;
    draft.acted.header = Header {
        kind: KIND_NETNS_ENTER,
        cut: 0,
        // SAFETY: a helper without arguments.
        boottime_ns: unsafe { bpf_ktime_get_boot_ns() },
    };
    draft.acted.netns = describe(net);
    draft.acted.deed = Deed {
        result: 0,
        position: 0,
        size: 0,
        ended_boottime_ns: 0,
        value_kind: ValueKind::NotDecoded as u32,
        somaxconn: 0,
        init_somaxconn: 0,
        path: Span::NONE,
        requested: Span::NONE,
        old: Span::NONE,
        new: Span::NONE,
        text_len: 0,
        entered_by,
        handler: 0,
        data: 0,
    };
    record_actor::<ByHelper>(draft)?;
    Some(draft.send(program))
}
