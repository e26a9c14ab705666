//! Writes below /proc/sys: one record for each, succeeded or refused.
//!
//! The write path alone is hooked, so reads cost nothing.

use core::ptr::{addr_of, addr_of_mut};

use aya_ebpf::{
    helpers::generated::{bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns},
    macros::{fentry, fexit, kprobe, kretprobe, map},
    maps::{HashMap, PerCpuArray},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use sysctl_trace_ebpf::{
    record::{
        CUT_NEW, CUT_NEW_UNREADABLE, CUT_OLD, CUT_OLD_UNREADABLE, CUT_PATH, Deed, Header,
        KIND_SYSCTL_WRITE, NO_VALUE, Netns, Span, VALUE_MAX,
    },
    settings::Program,
};

use super::{
    netns::describe,
    requested::Source,
    value::{Holder, NoValue},
};
use crate::{
    context::record_actor,
    emit::{Draft, Piece, count},
    kernel::{Address, ByHelper, Reach, Typed, at, read, setting},
};

/// How many writes can be under way at the same time.
const IN_FLIGHT_MAX: u32 = 2048;
/// Longest name of one folder or file below /proc/sys that is recorded, with its NUL and one byte
/// more, which tells a longer one.
pub const NAME_MAX: usize = 129;
/// How many levels below /proc/sys are followed.
const DEPTH_MAX: usize = 10;
/// The kernel will run the write again (ERESTARTNOINTR): this pass is not the one that counts.
const RESTARTED: i64 = -513;

/// A write that has begun.
#[repr(C)]
struct Pending {
    boottime_ns: u64,
    /// `ctl_table_header *`.
    header: Address,
    /// `ctl_table *`.
    table: Address,
    position: i64,
    holder: Holder,
    source: Source,
    cut: u32,
    /// Bits of the programs that saw it begin: [`Program::bit`].
    seen_by: u32,
    /// Bytes of `old` that are filled; [`NO_VALUE`] where it is not decoded or not readable.
    old_len: u32,
    old: [u8; VALUE_MAX],
}

// SAFETY: the addresses in it are the kernel's; nothing here follows them but the helpers.
unsafe impl Sync for Pending {}

/// For keys of the whole node, and those that are gone.
pub const NO_NETNS: Netns = Netns {
    inum: 0,
    user_ns_inum: 0,
    cookie: 0,
};

/// Writes under way, by thread id.
#[map(name = "IN_FLIGHT")]
static IN_FLIGHT: HashMap<u32, Pending> = HashMap::with_max_entries(IN_FLIGHT_MAX, 0);

/// Where a [`Pending`] is put together, for each CPU and program: it is too large for the stack.
#[map(name = "BEGUN")]
static BEGUN: PerCpuArray<Pending> = PerCpuArray::with_max_entries(Program::COUNT, 0);

// Both ends have a trampoline and a kprobe: the kernel passes over a trampoline's program while
// another task is stopped within it on the same CPU, and has room for so many kretprobes at a time.
// What one is passed over for the other tells; which comes first does not matter.

// prototype: ssize_t proc_sys_write(struct kiocb *iocb, struct iov_iter *iter) [5.10..7.3]
#[fentry(function = "proc_sys_write")]
fn sysctl_write_fentry(ctx: FEntryContext) -> i32 {
    entered(Program::EnterTrampoline, ctx.arg(0), ctx.arg(1));
    0
}

#[kprobe]
fn sysctl_write_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(iocb), Some(iter)) = (ctx.arg(0), ctx.arg(1)) {
        entered(Program::EnterKprobe, iocb, iter);
    }
    0
}

#[fexit(function = "proc_sys_write")]
fn sysctl_write_fexit_typed(ctx: FExitContext) -> i32 {
    returned::<Typed>(Program::ReturnTrampoline, ctx.arg(2));
    0
}

#[fexit(function = "proc_sys_write")]
fn sysctl_write_fexit(ctx: FExitContext) -> i32 {
    returned::<ByHelper>(Program::ReturnTrampoline, ctx.arg(2));
    0
}

#[kretprobe]
fn sysctl_write_kretprobe(ctx: RetProbeContext) -> u32 {
    returned::<ByHelper>(Program::ReturnKprobe, ctx.ret::<i64>());
    0
}

#[inline(always)]
fn thread() -> u32 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_get_current_pid_tgid() as u32 }
}

#[inline(always)]
fn entered(program: Program, iocb: Address, iter: Address) {
    let thread = thread();
    if let Some(pending) = IN_FLIGHT.get_ptr_mut(thread) {
        // SAFETY: only programs that run in this thread touch its entry, one after the other.
        let seen_by = unsafe { &mut (*pending).seen_by };
        if *seen_by & program.bit() == 0 {
            // The other one has just begun this very write.
            *seen_by |= program.bit();
            return;
        }
        count(program, |losses| &mut losses.return_missed);
    }
    if begin(program, thread, iocb, iter).is_none() {
        count(program, |losses| &mut losses.unreadable);
    }
}

/// Remembers what the return can't tell any more: the iterator, the position and the old value.
#[inline(always)]
fn begin(program: Program, thread: u32, iocb: Address, iter: Address) -> Option<()> {
    let file = read::<Address>(at(iocb, setting!(offsets.kiocb_filp)))?;
    let inode = read::<u64>(at(file, setting!(offsets.file_inode)))?;
    let proc_inode =
        inode.wrapping_sub(u64::from(setting!(offsets.proc_inode_vfs_inode))) as Address;
    let table = read::<Address>(at(proc_inode, setting!(offsets.proc_inode_sysctl_entry)))?;

    let begun = BEGUN.get_ptr_mut(program as u32)?;
    // SAFETY: the map keeps the place alive, and no other program uses it.
    let begun = unsafe { &mut *begun };
    // SAFETY: a helper without arguments.
    begun.boottime_ns = unsafe { bpf_ktime_get_boot_ns() };
    begun.header = read(at(proc_inode, setting!(offsets.proc_inode_sysctl)))?;
    begun.table = table;
    begun.position = read(at(iocb, setting!(offsets.kiocb_pos)))?;
    begun.holder = Holder::of(table, begun.header)?;
    begun.source = Source::of(iter)?;
    begun.cut = 0;
    begun.seen_by = program.bit();
    begun.old_len = NO_VALUE;
    if is_gone(begun.header) {
        begun.cut = CUT_OLD_UNREADABLE;
    } else {
        match begun.holder.copy(addr_of_mut!(begun.old).cast()) {
            Ok(len) => begun.old_len = len,
            Err(NoValue::NotDecoded) => {}
            Err(NoValue::Unreadable) => begun.cut = CUT_OLD_UNREADABLE,
        }
    }
    if IN_FLIGHT.insert(thread, &*begun, 0).is_err() {
        count(program, |losses| &mut losses.in_flight);
    } else {
        count(program, |losses| &mut losses.handled);
    }
    Some(())
}

/// Whether a key has been taken away, with its namespace or module, while a descriptor is still
/// open. Its header lives on; its memory may belong to somebody else.
#[inline(always)]
pub fn is_gone(header: Address) -> bool {
    read::<u64>(at(header, setting!(offsets.ctl_header_unregistering))) != Some(0)
}

#[inline(always)]
fn returned<R: Reach>(program: Program, result: i64) {
    let thread = thread();
    // None: told by the other program, or begun before the probes were there, or its beginning was
    // counted as lost.
    let Some(pending) = IN_FLIGHT.get_ptr(thread) else {
        return;
    };
    count(program, |losses| &mut losses.handled);
    if result != RESTARTED {
        // SAFETY: nobody else removes the entry of this thread.
        if record::<R>(program, unsafe { &*pending }, result).is_none() {
            count(program, |losses| &mut losses.unreadable);
        }
    }
    let _ = IN_FLIGHT.remove(thread);
}

#[inline(always)]
fn record<R: Reach>(program: Program, pending: &Pending, result: i64) -> Option<()> {
    let draft = Draft::of(program)?;
    draft.acted.header = Header {
        kind: KIND_SYSCTL_WRITE,
        cut: pending.cut,
        boottime_ns: pending.boottime_ns,
    };
    let gone = is_gone(pending.header);
    draft.acted.netns = if gone {
        NO_NETNS
    } else {
        target(pending.header)
    };
    draft.acted.deed = Deed {
        result,
        position: pending.position,
        size: pending.source.size,
        // SAFETY: the helper reads a clock.
        ended_boottime_ns: unsafe { bpf_ktime_get_boot_ns() },
        value_kind: pending.holder.kind,
        somaxconn: 0,
        init_somaxconn: 0,
        path: Span::NONE,
        requested: Span::NONE,
        old: Span::NONE,
        new: Span::NONE,
        text_len: 0,
        entered_by: 0,
        handler: pending.holder.place,
        data: pending.holder.data as u64,
    };
    // What was written has its room first: how much text there is of the actor, the traced side
    // chooses.
    record_path(draft, pending.table, pending.header);
    record_old(draft, pending);
    if gone {
        draft.acted.header.cut |= CUT_NEW_UNREADABLE;
    } else {
        record_new(draft, &pending.holder);
    }
    pending.source.record(draft);
    record_actor::<R>(draft)?;
    draft.send(program);
    Some(())
}

/// The network namespace that a key belongs to, from the set that it is registered in: not the
/// writer's, which may be another.
#[inline(always)]
pub fn target(header: Address) -> Netns {
    match target_net(header) {
        Some(net) => describe(net),
        None => NO_NETNS,
    }
}

/// The set lies within the namespace. Which kind of set it is, its root's look-up function tells.
#[inline(always)]
pub fn target_net(header: Address) -> Option<Address> {
    let root = read::<Address>(at(header, setting!(offsets.ctl_header_root)))?;
    let lookup = read::<u64>(at(root, setting!(offsets.ctl_root_lookup)))?;
    if lookup != setting!(symbols.net_ctl_header_lookup) {
        return None;
    }
    let set = read::<u64>(at(header, setting!(offsets.ctl_header_set)))?;
    Some(set.wrapping_sub(u64::from(setting!(offsets.net_sysctls))) as Address)
}

/// Names of a key or folder, the first of `table`, and of the folders above it. Not from the path that the writer opened: /proc can
/// be mounted anywhere.
#[inline(always)]
pub fn record_path(draft: &mut Draft, mut table: Address, mut header: Address) {
    let mark = draft.mark();
    let mut complete = false;
    for _ in 0..DEPTH_MAX {
        let Some(name) = read::<Address>(at(table, setting!(offsets.ctl_table_procname))) else {
            break;
        };
        match draft.push_str(name, NAME_MAX, true) {
            // The root's name is empty: only its NUL is there.
            Piece::Whole(span) if span.len == 1 => {
                complete = true;
                break;
            }
            Piece::Whole(_) => {}
            Piece::Cut(_) | Piece::Unreadable | Piece::NoRoom => break,
        }
        let Some(parent) = read::<Address>(at(header, setting!(offsets.ctl_header_parent))) else {
            break;
        };
        header = at(parent, setting!(offsets.ctl_dir_header));
        let Some(above) = read::<Address>(at(header, setting!(offsets.ctl_header_table))) else {
            break;
        };
        table = above;
    }
    if !complete {
        draft.acted.header.cut |= CUT_PATH;
    }
    draft.acted.deed.path = draft.since(mark);
}

#[inline(always)]
fn record_old(draft: &mut Draft, pending: &Pending) {
    if pending.old_len != NO_VALUE {
        let from = addr_of!(pending.old).cast::<u8>();
        let piece = draft.push_kernel::<VALUE_MAX>(from, pending.old_len as usize);
        draft.acted.deed.old = piece.span(&mut draft.acted.header.cut, CUT_OLD);
        if pending.holder.is_cut(pending.old_len) {
            draft.acted.header.cut |= CUT_OLD;
        }
    }
}

#[inline(always)]
fn record_new(draft: &mut Draft, holder: &Holder) {
    match draft.push_with(|to| holder.copy(to)) {
        Ok(piece) => {
            let new = piece.span(&mut draft.acted.header.cut, CUT_NEW);
            draft.acted.deed.new = new;
            if holder.is_cut(u32::from(new.len)) {
                draft.acted.header.cut |= CUT_NEW;
            }
        }
        Err(NoValue::NotDecoded) => {}
        Err(NoValue::Unreadable) => draft.acted.header.cut |= CUT_NEW_UNREADABLE,
    }
}
