//! Who is current: the actor of a record.
//!
//! Everything is taken at the event, so that a process that lives two milliseconds is still known
//! when user space comes to read of it.

use core::ptr::addr_of;

use aya_ebpf::{helpers::generated::bpf_map_update_elem, macros::map, maps::LruHashMap};
use sysctl_trace_ebpf::{
    record::{
        ANCESTORS_MAX, ARGS_MAX, Actor, CUT_ANCESTORS, CUT_CGROUP, CUT_EXECUTABLE, Span,
        TASK_KERNEL_THREAD,
    },
    settings::ABSENT,
};

use crate::{
    emit::{Draft, Piece},
    kernel::{Address, Reach, at, read, setting},
};

/// `task.flags` of the kernel's own threads (PF_KTHREAD); the exec of a usermode helper clears it.
const PF_KTHREAD: u32 = 0x0020_0000;
/// Longest name of an executable that is recorded: as long as a file's may be (NAME_MAX).
const EXECUTABLE_MAX: usize = 255;
/// Names of threads, up to eight bytes of them, whose arguments are recorded: what they apply stands
/// there, and they end within milliseconds.
const BRIEF: [[u8; 8]; 4] = [*b"sysctl\0\0", *b"busybox\0", *b"systemd-", *b"pinns\0\0\0"];
/// Longest name of one cgroup, with its NUL and one byte more, which no name has (NAME_MAX).
const CGROUP_NAME_MAX: usize = 257;
/// How many levels of the cgroup hierarchy are recorded below its root.
const CGROUP_DEPTH: u32 = 16;
/// How many more are climbed to get to these, on kernels where that goes one by one.
const CGROUP_CLIMB: u32 = 512;

/// Fills in the actor; its texts are the last of the record. `None` where the task has no readable
/// identity.
#[inline(always)]
pub fn record_actor<R: Reach>(draft: &mut Draft) -> Option<()> {
    let task = R::current();
    let leader = R::load::<Address>(task, setting!(offsets.task_group_leader))?;
    let cred = R::load::<Address>(task, setting!(offsets.task_cred))?;
    let user_ns = R::load::<Address>(cred, setting!(offsets.cred_user_ns))?;

    let actor: &mut Actor = &mut draft.acted.actor;
    actor.pid = R::load(task, setting!(offsets.task_tgid))?;
    actor.tid = R::load(task, setting!(offsets.task_pid))?;
    actor.uid = R::load(cred, setting!(offsets.cred_euid))?;
    actor.gid = R::load(cred, setting!(offsets.cred_egid))?;
    actor.capabilities_effective = R::load(cred, setting!(offsets.cred_cap_effective))?;
    actor.start_boottime_ns = R::load(leader, setting!(offsets.task_start_boottime))?;
    actor.arg_start = arg_start::<R>(task).unwrap_or(0);
    actor.comm = comm::<R>(task)?;
    actor.flags = flags::<R>(task);
    actor.user_inum = R::load(user_ns, setting!(offsets.user_namespace_inum)).unwrap_or(0);
    record_namespaces::<R>(task, actor);

    let mark = draft.mark();
    draft.count_from(mark);
    record_cgroup::<R>(draft, task);
    draft.acted.actor.executable = executable::<R>(draft, task, CUT_EXECUTABLE);
    draft.acted.actor.executable_mnt_inum = draft.mount_inum();
    (
        draft.acted.actor.executable_inode,
        draft.acted.actor.executable_dev,
    ) = executable_identity::<R>(task);
    record_ancestors::<R>(draft, leader);
    draft.acted.actor.args = args::<R>(draft, task);
    draft.acted.actor.padding = 0;
    draft.acted.actor.text_len = u32::from(draft.since(mark).len);
    Some(())
}

/// Namespaces of the proxy; a task that is ending has none.
#[inline(always)]
fn record_namespaces<R: Reach>(task: Address, actor: &mut Actor) {
    actor.net_inum = 0;
    actor.mnt_inum = 0;
    actor.cgroup_inum = 0;
    if let Some(proxy) = R::load::<Address>(task, setting!(offsets.task_nsproxy)) {
        if let Some(net) = R::load::<Address>(proxy, setting!(offsets.nsproxy_net_ns)) {
            actor.net_inum = R::load(net, setting!(offsets.net_inum)).unwrap_or(0);
        }
        if let Some(mnt) = R::load::<Address>(proxy, setting!(offsets.nsproxy_mnt_ns)) {
            actor.mnt_inum = R::load(mnt, setting!(offsets.mnt_namespace_inum)).unwrap_or(0);
        }
        if let Some(cgroup) = R::load::<Address>(proxy, setting!(offsets.nsproxy_cgroup_ns)) {
            actor.cgroup_inum =
                R::load(cgroup, setting!(offsets.cgroup_namespace_inum)).unwrap_or(0);
        }
    }
    actor.pid_inum = pid_namespace::<R>(task).unwrap_or(0);
}

/// The pid namespace that a task lives in: `pid->numbers[pid->level].ns`.
#[inline(always)]
fn pid_namespace<R: Reach>(task: Address) -> Option<u32> {
    let pid = R::load::<Address>(task, setting!(offsets.task_thread_pid))?;
    let level = R::load::<u32>(pid, setting!(offsets.pid_level))?;
    // The index is not constant, so the kernel admits no plain load behind it.
    let number = at(
        at(pid, setting!(offsets.pid_numbers)),
        level.wrapping_mul(setting!(offsets.upid_size)),
    );
    let namespace = read::<Address>(at(number, setting!(offsets.upid_ns)))?;
    read::<u32>(at(namespace, setting!(offsets.pid_namespace_inum)))
}

#[inline(always)]
fn comm<R: Reach>(task: Address) -> Option<[u8; 16]> {
    let low = R::load::<u64>(task, setting!(offsets.task_comm))?;
    let high = R::load::<u64>(task, setting!(offsets.task_comm) + 8)?;
    let mut comm = [0; 16];
    comm[..8].copy_from_slice(&low.to_ne_bytes());
    comm[8..].copy_from_slice(&high.to_ne_bytes());
    Some(comm)
}

#[inline(always)]
fn arg_start<R: Reach>(task: Address) -> Option<u64> {
    let mm = R::load::<Address>(task, setting!(offsets.task_mm))?;
    R::load(mm, setting!(offsets.mm_arg_start))
}

/// Arguments of those that are gone before anybody can look: none of any other program, and none
/// where they are not all there.
#[inline(always)]
fn args<R: Reach>(draft: &mut Draft, task: Address) -> Span {
    let comm = &draft.acted.actor.comm;
    let name = [
        comm[0], comm[1], comm[2], comm[3], comm[4], comm[5], comm[6], comm[7],
    ];
    let name = u64::from_ne_bytes(name);
    let is = |brief: [u8; 8]| name == u64::from_ne_bytes(brief);
    if !(is(BRIEF[0]) || is(BRIEF[1]) || is(BRIEF[2]) || is(BRIEF[3])) {
        return Span::NONE;
    }
    let start = draft.acted.actor.arg_start;
    let Some(mm) = R::load::<Address>(task, setting!(offsets.task_mm)) else {
        return Span::NONE;
    };
    let Some(end) = R::load::<u64>(mm, setting!(offsets.mm_arg_end)) else {
        return Span::NONE;
    };
    let len = end.wrapping_sub(start);
    if start == 0 || len > ARGS_MAX as u64 {
        return Span::NONE;
    }
    match draft.push_user::<ARGS_MAX>(start as Address, len as usize) {
        Piece::Whole(span) => span,
        Piece::Cut(_) | Piece::Unreadable | Piece::NoRoom => Span::NONE,
    }
}

/// Name of the file that a task executes; none for kernel threads. Where it is mounted, the draft
/// tells afterwards: [`Draft::mount_inum`]. `cut`: what to say where the name is not all there.
#[inline(always)]
fn executable<R: Reach>(draft: &mut Draft, task: Address, cut: u32) -> Span {
    let Some(file) = executable_file::<R>(task) else {
        draft.forget_mount();
        return Span::NONE;
    };
    look_at_mount::<R>(draft, file);
    let Some((name, len)) = file_name::<R>(file) else {
        return Span::NONE;
    };
    // By its length: copying up to a NUL goes byte by byte.
    let piece = draft.push_kernel::<EXECUTABLE_MAX>(name, len as usize);
    piece.span(&mut draft.acted.header.cut, cut)
}

/// What kind of task it is: the `TASK_` constants.
#[inline(always)]
fn flags<R: Reach>(task: Address) -> u32 {
    match R::load::<u32>(task, setting!(offsets.task_flags)) {
        Some(flags) if flags & PF_KTHREAD != 0 => TASK_KERNEL_THREAD,
        Some(_) | None => 0,
    }
}

/// Inode number and device of the file that a task executes; zeroes for kernel threads.
#[inline(always)]
fn executable_identity<R: Reach>(task: Address) -> (u64, u32) {
    identity_of_file::<R>(task).unwrap_or((0, 0))
}

#[inline(always)]
fn identity_of_file<R: Reach>(task: Address) -> Option<(u64, u32)> {
    let file = executable_file::<R>(task)?;
    let inode = R::load::<Address>(file, setting!(offsets.file_inode))?;
    let block = R::load::<Address>(inode, setting!(offsets.inode_super_block))?;
    let number = R::load::<u64>(inode, setting!(offsets.inode_number))?;
    Some((number, R::load(block, setting!(offsets.super_block_dev))?))
}

#[inline(always)]
fn executable_file<R: Reach>(task: Address) -> Option<Address> {
    let mm = R::load::<Address>(task, setting!(offsets.task_mm))?;
    let file = R::load::<Address>(mm, setting!(offsets.mm_exe_file))?;
    (!file.is_null()).then_some(file)
}

#[inline(always)]
fn file_name<R: Reach>(file: Address) -> Option<(Address, u32)> {
    let dentry = R::load::<Address>(file, setting!(offsets.file_dentry))?;
    let name = R::load::<Address>(dentry, setting!(offsets.dentry_name))?;
    if name.is_null() {
        return None;
    }
    Some((name, R::load(dentry, setting!(offsets.dentry_name_len))?))
}

/// Finds the mount namespace that the mount of a file belongs to. What is found goes to memory, so
/// that the verifier goes on from the same state, whichever way it came.
#[inline(always)]
fn look_at_mount<R: Reach>(draft: &mut Draft, file: Address) {
    let Some(mount) = R::load::<Address>(file, setting!(offsets.file_mnt)) else {
        draft.forget_mount();
        return;
    };
    // An actor and its ancestors mostly come from the same mount.
    let (mount, known) = draft.look_at_mount(mount);
    if known {
        return;
    }
    draft.set_mount_inum(0);
    // By helper: the kernel admits no plain load from what a typed pointer is a part of. Where the
    // mount belongs to no namespace, there is NULL or an error in its place, which can't be read.
    let whole = mount.wrapping_sub(u64::from(setting!(offsets.mount_mnt))) as Address;
    if let Some(namespace) = read::<Address>(at(whole, setting!(offsets.mount_mnt_ns)))
        && let Some(inum) = read::<u32>(at(namespace, setting!(offsets.mnt_namespace_inum)))
        && inum != setting!(anonymous_mnt_inum)
    {
        draft.set_mount_inum(inum);
    }
}

/// Parent, grandparent and so on, up to pid 1 or the first eight. The idle task, pid 0, is none.
#[inline(always)]
fn record_ancestors<R: Reach>(draft: &mut Draft, leader: Address) {
    draft.acted.actor.ancestors_len = 0;
    let mut child = leader;
    for place in 0..ANCESTORS_MAX {
        let Some((leader, pid)) = parent::<R>(child) else {
            draft.acted.header.cut |= CUT_ANCESTORS;
            return;
        };
        if pid == 0 {
            return;
        }
        let executable = executable::<R>(draft, leader, CUT_ANCESTORS);
        let executable_mnt_inum = draft.mount_inum();
        let ancestor = &mut draft.acted.actor.ancestors[place];
        ancestor.pid = pid;
        ancestor.executable = executable;
        ancestor.executable_mnt_inum = executable_mnt_inum;
        ancestor.flags = flags::<R>(leader);
        (ancestor.executable_inode, ancestor.executable_dev) = executable_identity::<R>(leader);
        ancestor.padding = 0;
        ancestor.start_boottime_ns =
            R::load(leader, setting!(offsets.task_start_boottime)).unwrap_or(0);
        ancestor.comm = comm::<R>(leader).unwrap_or([0; 16]);
        draft.acted.actor.ancestors_len = place as u32 + 1;
        child = leader;
    }
    if !matches!(parent::<R>(child), Some((_, 0))) {
        draft.acted.header.cut |= CUT_ANCESTORS;
    }
}

/// The main thread of a task's parent, and its pid.
#[inline(always)]
fn parent<R: Reach>(task: Address) -> Option<(Address, u32)> {
    let parent = R::load::<Address>(task, setting!(offsets.task_real_parent))?;
    let leader = R::load::<Address>(parent, setting!(offsets.task_group_leader))?;
    Some((leader, R::load(leader, setting!(offsets.task_tgid))?))
}

/// The path of a cgroup, as it was when first seen. One in the version 2 hierarchy can't be
/// renamed, and its id is never used again.
#[repr(C)]
struct KnownCgroup {
    len: u32,
    names: [u8; CGROUP_KNOWN_MAX],
}

/// Longest path that is kept.
const CGROUP_KNOWN_MAX: usize = 508;
/// Bytes before the names of a [`KnownCgroup`].
const CGROUP_HEAD: usize = 4;

/// Paths of cgroups by the ids of their kernfs nodes: collecting the names of a deep one takes as
/// long as everything else together.
#[map(name = "CGROUPS")]
static CGROUPS: LruHashMap<u64, KnownCgroup> = LruHashMap::with_max_entries(1024, 0);

/// Names of the cgroup and those above it. Version 2 where the task is not at its root there,
/// else the hierarchy of the pids controller.
#[inline(always)]
fn record_cgroup<R: Reach>(draft: &mut Draft, task: Address) {
    draft.acted.actor.cgroup = Span::NONE;
    let Some(Cgroup {
        group,
        node,
        unified,
    }) = cgroup::<R>(task)
    else {
        draft.acted.header.cut |= CUT_CGROUP;
        return;
    };
    let id = R::load::<u64>(node, setting!(offsets.kernfs_node_id)).unwrap_or(0);
    if unified && let Some(known) = CGROUPS.get_ptr(id) {
        // SAFETY: the map keeps the place alive while the program runs.
        let (names, len) = unsafe { (addr_of!((*known).names), (*known).len) };
        let piece = draft.push_kernel::<CGROUP_KNOWN_MAX>(names.cast(), len as usize);
        draft.acted.actor.cgroup = piece.span(&mut draft.acted.header.cut, CUT_CGROUP);
        return;
    }
    // Room for the head of what is to be kept.
    draft.skip(CGROUP_HEAD);
    let mark = draft.mark();
    let from = match R::load::<u32>(group, setting!(offsets.cgroup_level)) {
        Some(level) if level <= CGROUP_DEPTH => node as u64,
        Some(level) => {
            draft.acted.header.cut |= CUT_CGROUP;
            outer_end(group as u64, node as u64, level)
        }
        None => 0,
    };
    if from == 0 || !record_names(draft, from as Address) {
        draft.acted.header.cut |= CUT_CGROUP;
        draft.shorten(mark, 0);
        return;
    }
    let names = draft.since(mark);
    draft.acted.actor.cgroup = names;
    if unified && usize::from(names.len) <= CGROUP_KNOWN_MAX {
        keep(draft, id, names.len);
    }
}

/// The node of the innermost cgroup that is recorded, of one that lies deeper: the outermost
/// container is the one that counts, and whoever may make cgroups within it makes as many as they
/// like. 0 where it can't be reached. As numbers: the verifier would follow typed pointers.
#[inline(always)]
fn outer_end(group: u64, node: u64, level: u32) -> u64 {
    if setting!(offsets.cgroup_ancestors) != ABSENT {
        let place = setting!(offsets.cgroup_ancestors) + CGROUP_DEPTH * 8;
        return match read::<Address>(at(group as Address, place)) {
            Some(ancestor) => read::<u64>(at(ancestor, setting!(offsets.cgroup_kn))).unwrap_or(0),
            None => 0,
        };
    }
    let mut node = node;
    for climbed in 0..CGROUP_CLIMB {
        if climbed + CGROUP_DEPTH == level {
            return node;
        }
        let parent = at(node as Address, setting!(offsets.kernfs_node_parent));
        node = read::<u64>(parent).unwrap_or(0);
    }
    0
}

/// Keeps the path that was just recorded. One that is cut is not kept.
#[inline(always)]
fn keep(draft: &mut Draft, id: u64, len: u16) {
    if draft.acted.header.cut & CUT_CGROUP != 0 {
        return;
    }
    let Some(place) = draft.skipped() else {
        return;
    };
    // SAFETY: the place has room for it; it need not be aligned.
    unsafe { place.cast::<u32>().write_unaligned(u32::from(len)) };
    // SAFETY: bytes of any value are a KnownCgroup, and the helper reads them as bytes.
    let _ = unsafe {
        bpf_map_update_elem(
            addr_of!(CGROUPS).cast_mut().cast(),
            addr_of!(id).cast(),
            place.cast(),
            0,
        )
    };
}

/// Names from a node up to the root, which has none; whether all are there. By helper: the verifier
/// would take long over typed pointers in a loop that runs once for each cgroup.
#[inline(always)]
fn record_names(draft: &mut Draft, leaf: Address) -> bool {
    let mut node = leaf;
    for _ in 0..=CGROUP_DEPTH {
        let parent = match read::<Address>(at(node, setting!(offsets.kernfs_node_parent))) {
            Some(parent) if !parent.is_null() => parent,
            _ => return true,
        };
        let Some(name) = read::<Address>(at(node, setting!(offsets.kernfs_node_name))) else {
            return false;
        };
        let Piece::Whole(_) = draft.push_str(name, CGROUP_NAME_MAX, true) else {
            return false;
        };
        node = parent;
    }
    false
}

/// What tells the cgroup of a task from all others: the id of its kernfs node, and whether that is
/// in the version 2 hierarchy.
#[inline(always)]
pub fn cgroup_id<R: Reach>(task: Address) -> Option<(u64, bool)> {
    let found = cgroup::<R>(task)?;
    let id = R::load(found.node, setting!(offsets.kernfs_node_id))?;
    Some((id, found.unified))
}

/// A task's cgroup.
struct Cgroup {
    group: Address,
    /// Its kernfs node.
    node: Address,
    /// Whether it is in the version 2 hierarchy.
    unified: bool,
}

/// Where a task is.
#[inline(always)]
fn cgroup<R: Reach>(task: Address) -> Option<Cgroup> {
    let set = R::load::<Address>(task, setting!(offsets.task_cgroups))?;
    let group = R::load::<Address>(set, setting!(offsets.css_set_dfl_cgrp))?;
    let node = R::load::<Address>(group, setting!(offsets.cgroup_kn))?;
    let parent = R::load::<Address>(node, setting!(offsets.kernfs_node_parent))?;
    if !parent.is_null() || setting!(offsets.pids_cgrp_id) == ABSENT {
        return Some(Cgroup {
            group,
            node,
            unified: true,
        });
    }
    let place = setting!(offsets.css_set_subsys) + setting!(offsets.pids_cgrp_id) * 8;
    let state = R::load::<Address>(set, place)?;
    let group = R::load::<Address>(state, setting!(offsets.css_cgroup))?;
    Some(Cgroup {
        group,
        node: R::load(group, setting!(offsets.cgroup_kn))?,
        unified: false,
    })
}
