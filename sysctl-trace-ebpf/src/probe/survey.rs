//! The survey of keys: what the kernel holds of those that the tracer has open.
//!
//! An iterator over all open files, which user space runs when it wants to know: nothing hangs in
//! the kernel's way. Files are those of the process that runs it, opened by path alone (O_PATH), so
//! that no key is read.

use core::ptr::{addr_of, addr_of_mut};

use aya_ebpf::{
    helpers::generated::{bpf_get_current_pid_tgid, bpf_seq_write},
    macros::map,
    maps::PerCpuArray,
};
use sysctl_trace_ebpf::record::{CUT_NEW, CUT_NEW_UNREADABLE, KeyMemory, NO_VALUE};

use super::{
    sysctl::{is_gone, target},
    value::{Holder, NoValue},
};
use crate::kernel::{Address, at, read, setting};

/// What the kernel hands to an iterator over files (struct bpf_iter__task_file).
#[repr(C)]
struct Context {
    /// `struct bpf_iter_meta *`, which begins with the `struct seq_file *` to write to.
    meta: *const *mut u8,
    task: Address,
    fd: u32,
    /// NULL when all have been seen.
    file: Address,
}

/// Where an answer is put together: it is too large for the stack.
#[map(name = "SURVEYED")]
static SURVEYED: PerCpuArray<KeyMemory> = PerCpuArray::with_max_entries(1, 0);

// prototype: int bpf_iter_task_file(struct bpf_iter_meta *meta, struct task_struct *task, u32 fd,
// prototype:     struct file *file) [5.10..7.3]
#[unsafe(link_section = "iter/task_file")]
#[unsafe(no_mangle)]
fn survey_keys(context: *const Context) -> i32 {
    // SAFETY: the kernel hands over such a context.
    let (meta, task, fd, file) = unsafe {
        let meta = addr_of!((*context).meta).read_volatile();
        let task = addr_of!((*context).task).read_volatile();
        let fd = addr_of!((*context).fd).read_volatile();
        (meta, task, fd, addr_of!((*context).file).read_volatile())
    };
    if task.is_null() || file.is_null() || !is_own(task) {
        return 0;
    }
    if let Some(found) = look(fd, file) {
        // SAFETY: the kernel gives each run its meta.
        let seq = unsafe { meta.read_volatile() };
        // SAFETY: `found` is read for its length. What does not fit the kernel asks for again.
        unsafe {
            bpf_seq_write(
                seq.cast(),
                addr_of!(*found).cast_mut().cast(),
                size_of::<KeyMemory>() as u32,
            )
        };
    }
    0
}

/// Whether a task is of the process that runs the iterator.
#[inline(always)]
fn is_own(task: Address) -> bool {
    // SAFETY: a helper without arguments.
    let own = unsafe { bpf_get_current_pid_tgid() >> 32 } as u32;
    read::<u32>(at(task, setting!(offsets.task_tgid))) == Some(own)
}

/// What is known of the key that a file is of. Of a file that is none, nothing that means anything:
/// user space knows which are.
#[inline(always)]
fn look(fd: u32, file: Address) -> Option<&'static KeyMemory> {
    let inode = read::<u64>(at(file, setting!(offsets.file_inode)))?;
    let proc_inode =
        inode.wrapping_sub(u64::from(setting!(offsets.proc_inode_vfs_inode))) as Address;
    let header = read::<Address>(at(proc_inode, setting!(offsets.proc_inode_sysctl)))?;
    let table = read::<Address>(at(proc_inode, setting!(offsets.proc_inode_sysctl_entry)))?;
    if is_gone(header) {
        return None;
    }
    let holder = Holder::of(table, header)?;

    let found = SURVEYED.get_ptr_mut(0)?;
    // SAFETY: the map keeps the place alive. One iterator runs at a time: it belongs to one reader.
    let found = unsafe { &mut *found };
    found.data = holder.data as u64;
    found.handler = read(at(table, setting!(offsets.ctl_table_handler)))?;
    found.netns = target(header);
    found.fd = fd;
    found.handler_place = holder.place;
    found.value_kind = holder.kind;
    found.maxlen = holder.maxlen;
    found.value_len = NO_VALUE;
    found.cut = 0;
    match holder.copy(addr_of_mut!(found.value).cast()) {
        Ok(len) => {
            found.value_len = len;
            if holder.is_cut(len) {
                found.cut = CUT_NEW;
            }
        }
        Err(NoValue::NotDecoded) => {}
        Err(NoValue::Unreadable) => found.cut = CUT_NEW_UNREADABLE,
    }
    Some(found)
}
