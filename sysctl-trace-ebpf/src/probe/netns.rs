//! Network namespaces: made and destroyed.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::{fentry, fexit, kprobe, kretprobe, map},
    maps::Array,
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use sysctl_trace_ebpf::{
    record::{Deed, Header, KIND_NETNS_CREATE, KIND_NETNS_DESTROY, Netns, NetnsDestroy, Span},
    settings::{ABSENT, Program, ValueKind},
};

use crate::{
    context::record_actor,
    emit::{Draft, count, send},
    kernel::{Address, ByHelper, Reach as _, at, read, setting},
};

/// Pointers from here up are errors: -MAX_ERRNO.
const FIRST_ERROR: u64 = -4095_i64 as u64;

// prototype: struct net *copy_net_ns(unsigned long flags, struct user_namespace *user_ns,
//                                    struct net *old_net) [5.10..7.2]
// prototype: struct net *copy_net_ns(u64 flags, struct user_namespace *user_ns,
//                                    struct net *old_net) [7.3]
#[fexit(function = "copy_net_ns")]
fn netns_create_fexit(ctx: FExitContext) -> i32 {
    created(ctx.arg::<Address>(3));
    0
}

#[kretprobe]
fn netns_create_kretprobe(ctx: RetProbeContext) -> u32 {
    created(ctx.ret::<u64>() as Address);
    0
}

// prototype: void sysctl_core_net_exit(struct net *net) [5.10..7.3]
#[fentry(function = "sysctl_core_net_exit")]
fn netns_destroy_fentry(ctx: FEntryContext) -> i32 {
    destroyed(ctx.arg::<Address>(0));
    0
}

#[kprobe]
fn netns_destroy_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(net) = ctx.arg::<Address>(0) {
        destroyed(net);
    }
    0
}

/// copy_net_ns has returned: with the caller's own namespace where no new one was asked for, with
/// a new one, or with an error, which it has only where a new one was asked for.
#[inline(always)]
fn created(net: Address) {
    let result = if net as u64 >= FIRST_ERROR {
        Err(net as i64)
    } else if caller_net() == Some(net as u64) {
        return;
    } else {
        Ok(net)
    };
    if record_created(result).is_none() {
        count(Program::NetnsCreate, |losses| &mut losses.unreadable);
    }
}

/// Address of the current task's network namespace.
#[inline(always)]
pub fn caller_net() -> Option<u64> {
    let proxy = ByHelper::load::<Address>(ByHelper::current(), setting!(offsets.task_nsproxy))?;
    ByHelper::load::<u64>(proxy, setting!(offsets.nsproxy_net_ns))
}

#[inline(always)]
fn record_created(net: Result<Address, i64>) -> Option<()> {
    let draft = Draft::of(Program::NetnsCreate)?;
    draft.acted.header = Header {
        kind: KIND_NETNS_CREATE,
        cut: 0,
        // SAFETY: a helper without arguments.
        boottime_ns: unsafe { bpf_ktime_get_boot_ns() },
    };
    let (netns, result, value) = match net {
        Ok(net) => (describe(net), 0, somaxconn(net)?),
        Err(errno) => (
            Netns {
                inum: 0,
                user_ns_inum: 0,
                cookie: 0,
            },
            errno,
            0,
        ),
    };
    draft.acted.netns = netns;
    draft.acted.deed = Deed {
        result,
        position: 0,
        size: 0,
        ended_boottime_ns: 0,
        value_kind: ValueKind::Int as u32,
        somaxconn: value,
        init_somaxconn: somaxconn(init_net()?)?,
        path: Span::NONE,
        requested: Span::NONE,
        old: Span::NONE,
        new: Span::NONE,
        text_len: 0,
        entered_by: 0,
        handler: 0,
        data: 0,
    };
    record_actor::<ByHelper>(draft)?;
    draft.send(Program::NetnsCreate);
    Some(())
}

/// Address of the node's network namespace, once it has been found; 0 before.
#[map(name = "INIT_NET")]
static INIT_NET: Array<u64> = Array::with_max_entries(1, 0);

/// The network namespace of the node.
#[inline(always)]
pub fn init_net() -> Option<Address> {
    let place = INIT_NET.get_ptr_mut(0)?;
    // SAFETY: the map keeps the place alive, and whoever writes there writes the same number.
    let known = unsafe { place.read_volatile() };
    if known != 0 {
        return Some(known as Address);
    }
    let found = find_init_net()?;
    // SAFETY: as above.
    unsafe { place.write_volatile(found as u64) };
    Some(found)
}

/// The network namespace of the first task, which is the parent of pid 1. It is reached through the
/// current task, as not every kernel shows the addresses of its objects.
#[inline(always)]
fn find_init_net() -> Option<Address> {
    let pid = ByHelper::load::<Address>(ByHelper::current(), setting!(offsets.task_thread_pid))?;
    let outermost = at(pid, setting!(offsets.pid_numbers));
    let namespace = read::<Address>(at(outermost, setting!(offsets.upid_ns)))?;
    let reaper = read::<Address>(at(namespace, setting!(offsets.pid_namespace_child_reaper)))?;
    let first = read::<Address>(at(reaper, setting!(offsets.task_real_parent)))?;
    let proxy = read::<Address>(at(first, setting!(offsets.task_nsproxy)))?;
    read(at(proxy, setting!(offsets.nsproxy_net_ns)))
}

/// net.core.somaxconn as a namespace holds it.
#[inline(always)]
fn somaxconn(net: Address) -> Option<i32> {
    read(at(net, setting!(offsets.net_somaxconn)))
}

/// The namespace's keys are taken down: once for each, in a worker, shortly after the last
/// reference has gone. (__put_net, where that happens, is inlined into netns_put, so its symbol
/// stays silent for namespaces that only a file or a mount kept.)
#[inline(always)]
fn destroyed(net: Address) {
    let record = NetnsDestroy {
        header: Header {
            kind: KIND_NETNS_DESTROY,
            cut: 0,
            // SAFETY: a helper without arguments.
            boottime_ns: unsafe { bpf_ktime_get_boot_ns() },
        },
        netns: describe(net),
    };
    send(Program::NetnsDestroy, &record);
}

/// What identifies a namespace. The pointer may come from anywhere, so it is read with care.
#[inline(always)]
pub fn describe(net: Address) -> Netns {
    let user_ns_inum = read::<Address>(at(net, setting!(offsets.net_user_ns)))
        .and_then(|user_ns| read(at(user_ns, setting!(offsets.user_namespace_inum))))
        .unwrap_or(0);
    let cookie = if setting!(offsets.net_cookie) == ABSENT {
        0
    } else {
        read(at(net, setting!(offsets.net_cookie))).unwrap_or(0)
    };
    Netns {
        inum: read(at(net, setting!(offsets.net_inum))).unwrap_or(0),
        user_ns_inum,
        cookie,
    }
}
