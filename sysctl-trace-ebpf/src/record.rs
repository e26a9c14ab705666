//! What the probes send: one definition of every record.
//!
//! A record is self-contained. It begins with a [`Header`]; fixed fields follow, then texts of
//! any length, packed without gaps and addressed by [`Span`]s. Only as many bytes travel as there
//! are texts. Multi-byte fields are in the byte order of the machine.

#[cfg(not(target_arch = "bpf"))]
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// At most so many ancestors are recorded.
pub const ANCESTORS_MAX: usize = 8;
/// Bytes of comm, the terminating NUL included (TASK_COMM_LEN).
pub const COMM_LEN: usize = 16;
/// The last place in a record's text where a piece may begin. What proof rests on fits before it:
/// the key's path, both values and the requested text come first, then the actor's cgroup; names of
/// executables get what is left.
pub const TEXT_MAX: usize = 8191;
/// Bytes of requested text that are recorded at most.
pub const REQUESTED_MAX: usize = 1024;
/// Bytes of a key's memory that are recorded at most, before and after.
pub const VALUE_MAX: usize = 256;
/// Bytes of a process's arguments that are recorded at most.
pub const ARGS_MAX: usize = 511;
/// Keys of a table that are told at most.
pub const TABLE_ENTRIES_MAX: u32 = 96;
/// Bytes of a key's memory that are told at most as its table comes to be: those of a number.
pub const TABLE_VALUE_MAX: usize = 8;

/// [`Header::kind`] of a [`NetnsDestroy`].
pub const KIND_NETNS_DESTROY: u32 = 1;
/// [`Header::kind`] of an [`Acted`] that tells of a new namespace.
pub const KIND_NETNS_CREATE: u32 = 2;
/// [`Header::kind`] of an [`Acted`] that tells of a write.
pub const KIND_SYSCTL_WRITE: u32 = 3;
/// [`Header::kind`] of an [`Acted`] that tells of a task seen in a network namespace: the first of
/// its cgroup there.
pub const KIND_NETNS_ENTER: u32 = 4;

/// [`Header::kind`] of an [`Acted`] that tells of keys that came to be together.
pub const KIND_TABLE_REGISTER: u32 = 5;
/// [`Header::kind`] of an [`Acted`] that tells of keys that ended together.
pub const KIND_TABLE_UNREGISTER: u32 = 6;

/// [`Actor::flags`], [`Ancestor::flags`]: a thread of the kernel (PF_KTHREAD), which executes no file.
pub const TASK_KERNEL_THREAD: u32 = 1;

/// [`Deed::entered_by`]: the task went in by setns(2).
pub const ENTERED_BY_SETNS: u32 = 1;
/// [`Deed::entered_by`]: the task is in it and has executed a program.
pub const ENTERED_BY_EXEC: u32 = 2;

/// Stands at the beginning of every record.
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Debug, FromBytes, Immutable, IntoBytes, KnownLayout)
)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Header {
    /// One of the `KIND_` constants.
    pub kind: u32,
    /// Bits of what could not be told in full: the `CUT_` constants.
    pub cut: u32,
    /// Nanoseconds since boot, suspended time included (bpf_ktime_get_boot_ns).
    pub boottime_ns: u64,
}

/// The requested text is longer than [`REQUESTED_MAX`], or came in more pieces than are followed.
pub const CUT_REQUESTED: u32 = 1;
/// The requested text could not be read from the writer's memory.
pub const CUT_REQUESTED_UNREADABLE: u32 = 1 << 1;
/// The cgroup path is deeper than is followed. What is there is its outer end, next to the root;
/// nothing is there where that could not be reached.
pub const CUT_CGROUP: u32 = 1 << 2;
/// The key's path is deeper or longer than is followed; its upper part is missing.
pub const CUT_PATH: u32 = 1 << 3;
/// The value before is longer than [`VALUE_MAX`].
pub const CUT_OLD: u32 = 1 << 4;
/// The value after is longer than [`VALUE_MAX`].
pub const CUT_NEW: u32 = 1 << 5;
/// The name of the actor's executable could not be recorded in full.
pub const CUT_EXECUTABLE: u32 = 1 << 6;
/// The value before could not be read.
pub const CUT_OLD_UNREADABLE: u32 = 1 << 7;
/// The value after could not be read.
pub const CUT_NEW_UNREADABLE: u32 = 1 << 8;
/// There are more keys in the table than are told.
pub const CUT_TABLE: u32 = 1 << 16;
/// There are more ancestors than are recorded, or what is told of one is not all.
pub const CUT_ANCESTORS: u32 = 1 << 9;

/// Bits of [`Header::cut`] that tell of the actor.
pub const CUT_OF_ACTOR: u32 = CUT_CGROUP | CUT_EXECUTABLE | CUT_ANCESTORS;

/// A piece of a record's text.
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)
)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Span {
    /// Where it begins, in bytes from the beginning of the text.
    pub offset: u16,
    /// Its length in bytes; 0 where there is none.
    pub len: u16,
}

impl Span {
    /// No text.
    pub const NONE: Self = Self { offset: 0, len: 0 };
}

/// A network namespace.
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Debug, FromBytes, Immutable, IntoBytes, KnownLayout)
)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Netns {
    /// `net.ns.inum`; 0 where there is no namespace to tell of.
    pub inum: u32,
    /// `net.user_ns.ns.inum`.
    pub user_ns_inum: u32,
    /// `net.net_cookie`; 0 where the kernel has given none.
    pub cookie: u64,
}

/// A process above the actor, at its main thread.
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Debug, FromBytes, Immutable, IntoBytes, KnownLayout)
)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Ancestor {
    /// `task.group_leader.start_boottime`: nanoseconds since boot.
    pub start_boottime_ns: u64,
    /// `task.tgid` in the initial pid namespace.
    pub pid: u32,
    /// File name of the executable; [`Span::NONE`] for kernel threads.
    pub executable: Span,
    /// As [`Actor::executable_mnt_inum`].
    pub executable_mnt_inum: u32,
    /// What kind of task it is: the `TASK_` constants.
    pub flags: u32,
    /// As [`Actor::executable_inode`].
    pub executable_inode: u64,
    /// As [`Actor::executable_dev`].
    pub executable_dev: u32,
    /// Ends the gap before the next; always 0.
    pub padding: u32,
    /// `task.group_leader.comm`, up to the first NUL.
    pub comm: [u8; COMM_LEN],
}

/// The task that acted. Its texts are the last of the record, and their spans count from where they
/// begin: the same process gives the same bytes, whatever it does.
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Debug, FromBytes, Immutable, IntoBytes, KnownLayout)
)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Actor {
    /// `task.tgid` in the initial pid namespace.
    pub pid: u32,
    /// `task.pid` in the initial pid namespace.
    pub tid: u32,
    /// `task.cred.euid` in the initial user namespace.
    pub uid: u32,
    /// `task.cred.egid` in the initial user namespace.
    pub gid: u32,
    /// `task.cred.cap_effective`: bit n is capability n.
    pub capabilities_effective: u64,
    /// `task.group_leader.start_boottime`: nanoseconds since boot.
    pub start_boottime_ns: u64,
    /// `task.mm.arg_start`: where its arguments begin. execve chooses it anew, so it tells one
    /// image of a process from the next; 0 for kernel threads.
    pub arg_start: u64,
    /// `task.nsproxy.net_ns`; this and the other inode numbers are 0 where the task has none.
    pub net_inum: u32,
    /// Pid namespace of the task itself, not that of its future children.
    pub pid_inum: u32,
    /// `task.nsproxy.mnt_ns`.
    pub mnt_inum: u32,
    /// `task.cred.user_ns`.
    pub user_inum: u32,
    /// `task.nsproxy.cgroup_ns`.
    pub cgroup_inum: u32,
    /// File name of the executable; [`Span::NONE`] for kernel threads.
    pub executable: Span,
    /// cgroup path from the leaf upwards, each name followed by NUL; the root has no name.
    pub cgroup: Span,
    /// How many of `ancestors` are filled.
    pub ancestors_len: u32,
    /// Bytes at the end of the record's text that are the actor's.
    pub text_len: u32,
    /// The mount namespace that the executable is mounted in:
    /// `mm.exe_file.f_path.mnt` → `mount.mnt_ns.ns.inum`. It stays when the task moves to another
    /// mount namespace, and no name can forge it. 0 for kernel threads and where the mount belongs
    /// to none: a memfd's, one that was taken down, one that is not attached yet.
    pub executable_mnt_inum: u32,
    /// The executable's file: `mm.exe_file.f_inode.i_ino`; 0 for kernel threads.
    pub executable_inode: u64,
    /// Its device as the kernel numbers it: `f_inode.i_sb.s_dev`, with 20 bits for the minor.
    pub executable_dev: u32,
    /// What kind of task it is: the `TASK_` constants.
    pub flags: u32,
    /// Its arguments, each followed by NUL, from `mm.arg_start` up to `mm.arg_end`. Only of programs
    /// that apply files or specifications and end at once, before anybody can look into /proc, and
    /// only where all of them could be read.
    pub args: Span,
    /// Ends the gap before the next; always 0.
    pub padding: u32,
    /// `task.comm` of the acting thread, up to the first NUL.
    pub comm: [u8; COMM_LEN],
    /// Parent, grandparent and so on.
    pub ancestors: [Ancestor; ANCESTORS_MAX],
}

/// What was done: to a key, or to a new namespace's net.core.somaxconn. Of a task that entered a
/// namespace nothing but how.
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Debug, FromBytes, Immutable, IntoBytes, KnownLayout)
)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Deed {
    /// What the kernel returned: bytes taken or 0, or a negative errno.
    pub result: i64,
    /// Write: position in the file at the beginning, in bytes.
    pub position: i64,
    /// Write: bytes given.
    pub size: u64,
    /// Write: when it returned, in nanoseconds since boot, taken before the key's memory is read: of
    /// two writes to a key, the one that returned last tells what is there.
    pub ended_boottime_ns: u64,
    /// Write: how the kernel holds the value, one of [`crate::settings::ValueKind`].
    pub value_kind: u32,
    /// Write: which handler the key has, as its place in user space's list of handlers, from 1; 0
    /// where it is none of these.
    pub handler: u32,
    /// Write: the address of the key's memory: `ctl_table.data`, or where its handler has the value; 0
    /// where that is not known. It never leaves the tracer.
    pub data: u64,
    /// New namespace: `net.core.sysctl_somaxconn` in it.
    pub somaxconn: i32,
    /// New namespace: the same in the initial network namespace.
    pub init_somaxconn: i32,
    /// Write: path of the key from the leaf upwards, each name followed by NUL. Keys that come or go:
    /// the same of their folder.
    pub path: Span,
    /// Write: the bytes given, read from the writer's memory after the write.
    pub requested: Span,
    /// Write: the key's memory before.
    pub old: Span,
    /// Write: the key's memory after. Keys that come or go: for each a byte that tells how its value
    /// is held ([`crate::settings::ValueKind`]), a byte that tells in how many bytes, these bytes as
    /// they are in memory, and the name followed by NUL.
    pub new: Span,
    /// Bytes of text in this record.
    pub text_len: u32,
    /// Entering: how, one of the `ENTERED_BY_` constants; else 0.
    pub entered_by: u32,
}

/// A network namespace is gone. Nobody in particular did it.
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Debug, FromBytes, Immutable, IntoBytes, KnownLayout)
)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct NetnsDestroy {
    /// [`KIND_NETNS_DESTROY`].
    pub header: Header,
    /// The namespace.
    pub netns: Netns,
}

/// The fixed part of a record of something that a task did; its texts follow.
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Debug, FromBytes, Immutable, IntoBytes, KnownLayout)
)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Acted {
    /// Any kind but [`KIND_NETNS_DESTROY`].
    pub header: Header,
    /// The new namespace, the one that the write landed in, the one entered, or the one that the keys
    /// belong to.
    pub netns: Netns,
    /// What was done.
    pub deed: Deed,
    /// Who did it.
    pub actor: Actor,
}

/// [`KeyMemory::value_len`] where there is no value to tell.
pub const NO_VALUE: u32 = u32::MAX;

/// What the kernel holds of a key that the tracer has open. It is no event: the survey writes it.
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Debug, FromBytes, Immutable, IntoBytes, KnownLayout)
)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct KeyMemory {
    /// The address of the key's memory: `ctl_table.data`, or where its handler has the value; 0 where
    /// that is not known. It never leaves the tracer.
    pub data: u64,
    /// `ctl_table.proc_handler`: the address of the function that reads and writes the key.
    pub handler: u64,
    /// The namespace that the key belongs to.
    pub netns: Netns,
    /// The descriptor that it is open by.
    pub fd: u32,
    /// Place of the handler in user space's list, from 1; 0 where it is not there.
    pub handler_place: u32,
    /// One of [`crate::settings::ValueKind`].
    pub value_kind: u32,
    /// `ctl_table.maxlen`: bytes.
    pub maxlen: u32,
    /// Bytes of the value that are filled; [`NO_VALUE`] where it is not decoded or not readable.
    pub value_len: u32,
    /// [`CUT_NEW`] or [`CUT_NEW_UNREADABLE`], or neither.
    pub cut: u32,
    /// The key's memory.
    pub value: [u8; VALUE_MAX],
}

const _: () = assert!(size_of::<KeyMemory>() == 56 + VALUE_MAX);
const _: () = assert!(size_of::<NetnsDestroy>() == 32);
const _: () = assert!(size_of::<Ancestor>() == 56);
const _: () = assert!(size_of::<Actor>() == 120 + 56 * ANCESTORS_MAX);
const _: () = assert!(size_of::<Deed>() == 80);
const _: () = assert!(size_of::<Acted>() == 16 + 16 + 80 + size_of::<Actor>());
const _: () = assert!(size_of::<Acted>().is_multiple_of(8));
