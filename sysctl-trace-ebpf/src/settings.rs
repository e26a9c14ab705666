//! What user space tells the probes before they are loaded.
//!
//! The probes name no kernel field: every offset comes from the running kernel's BTF. The kernel
//! sees these settings as constants, so a branch on one costs nothing.

#[cfg(not(target_arch = "bpf"))]
use zerocopy::{Immutable, IntoBytes};

/// An offset that this kernel does not have. Only fields documented as optional may hold it.
pub const ABSENT: u32 = u32::MAX;

/// Name of the read-only global that holds the [`Settings`].
pub const SETTINGS_SYMBOL: &str = "SETTINGS";

/// Offsets, addresses and choices, constant while the probes are loaded.
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, Default, IntoBytes, Immutable))]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Settings {
    /// Fields of the kernel's types.
    pub offsets: Offsets,
    /// Values of the kernel's `enum iter_type`, or bits of `iov_iter.type` before 5.14.
    pub iter: IterKinds,
    /// Inode number of every mount namespace that is not attached to the tree of files;
    /// [`ABSENT`] where these have 0.
    pub anonymous_mnt_inum: u32,
    /// Kernel addresses from kallsyms.
    pub symbols: Symbols,
}

/// Offsets in bytes. Dotted names in the docs are those of the kernel's types.
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, Default, IntoBytes, Immutable))]
#[derive(Clone, Copy)]
#[repr(C)]
#[expect(
    missing_docs,
    reason = "each is named after the kernel field that it locates"
)]
pub struct Offsets {
    pub task_tgid: u32,
    pub task_flags: u32,
    pub task_pid: u32,
    pub task_start_boottime: u32,
    pub task_comm: u32,
    pub task_real_parent: u32,
    pub task_group_leader: u32,
    pub task_cred: u32,
    pub task_nsproxy: u32,
    pub task_cgroups: u32,
    pub task_mm: u32,
    pub task_thread_pid: u32,
    pub cred_euid: u32,
    pub cred_egid: u32,
    pub cred_cap_effective: u32,
    pub cred_user_ns: u32,
    pub user_namespace_inum: u32,
    pub nsset_nsproxy: u32,
    pub nsproxy_net_ns: u32,
    pub nsproxy_mnt_ns: u32,
    pub nsproxy_cgroup_ns: u32,
    pub mnt_namespace_inum: u32,
    pub cgroup_namespace_inum: u32,
    pub pid_namespace_inum: u32,
    pub pid_namespace_child_reaper: u32,
    pub pid_level: u32,
    pub pid_numbers: u32,
    pub upid_ns: u32,
    pub upid_size: u32,
    pub mm_exe_file: u32,
    pub mm_arg_start: u32,
    pub mm_arg_end: u32,
    pub file_dentry: u32,
    pub file_mnt: u32,
    pub file_inode: u32,
    pub inode_number: u32,
    pub inode_super_block: u32,
    pub super_block_dev: u32,
    /// Where the `vfsmount` that a path names lies within its `mount`.
    pub mount_mnt: u32,
    pub mount_mnt_ns: u32,
    pub dentry_name: u32,
    pub dentry_name_len: u32,
    pub css_set_dfl_cgrp: u32,
    pub css_set_subsys: u32,
    /// Index of the pids controller, whose hierarchy tells where a task is when version 2 does
    /// not; [`ABSENT`] where the kernel has none.
    pub pids_cgrp_id: u32,
    pub css_cgroup: u32,
    pub cgroup_kn: u32,
    /// How many cgroups lie above one, the root included.
    pub cgroup_level: u32,
    /// Pointers to the cgroups from the root down to this one; [`ABSENT`] before 6.0.
    pub cgroup_ancestors: u32,
    pub kernfs_node_id: u32,
    pub kernfs_node_name: u32,
    pub kernfs_node_parent: u32,
    pub net_inum: u32,
    pub net_cookie: u32,
    /// A random number of each namespace; [`ABSENT`] where the kernel has none.
    pub net_hash_mix: u32,
    pub net_user_ns: u32,
    pub net_somaxconn: u32,
    pub net_sysctls: u32,
    pub net_list: u32,
    pub list_head_prev: u32,
    pub kiocb_filp: u32,
    pub kiocb_pos: u32,
    pub proc_inode_vfs_inode: u32,
    pub proc_inode_sysctl: u32,
    pub proc_inode_sysctl_entry: u32,
    pub ctl_header_table: u32,
    /// How many keys the table has; [`ABSENT`] before 6.6.
    pub ctl_header_table_size: u32,
    pub ctl_header_root: u32,
    pub ctl_header_set: u32,
    pub ctl_header_parent: u32,
    pub ctl_header_unregistering: u32,
    pub ctl_dir_header: u32,
    pub ctl_root_lookup: u32,
    /// Bytes of one `ctl_table`.
    pub ctl_table_size: u32,
    pub ctl_table_procname: u32,
    pub ctl_table_data: u32,
    pub ctl_table_maxlen: u32,
    pub ctl_table_handler: u32,
    pub ctl_table_extra1: u32,
    pub nsproxy_uts_ns: u32,
    pub nsproxy_ipc_ns: u32,
    /// Size of an entry of `hstates`; [`ABSENT`] where the kernel has no huge pages.
    pub hstate_size: u32,
    pub iter_type: u32,
    /// Width of `iov_iter.iter_type` in bytes: 1, or 4 for the older `type`.
    pub iter_type_size: u32,
    pub iter_iov_offset: u32,
    pub iter_count: u32,
    pub iter_iov: u32,
    pub iter_nr_segs: u32,
    /// [`ABSENT`] before 6.0, where write(2) comes as an array of one.
    pub iter_ubuf: u32,
    pub iovec_size: u32,
    pub iovec_base: u32,
    pub iovec_len: u32,
    pub bio_vec_size: u32,
    pub bio_vec_page: u32,
    pub bio_vec_len: u32,
    pub bio_vec_offset: u32,
    pub page_size_of: u32,
    /// What the queue for an unresolved neighbour counts for a packet: SKB_TRUESIZE(ETH_FRAME_LEN).
    pub packet_truesize: u32,
}

/// What an `iov_iter` can walk over.
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, Default, IntoBytes, Immutable))]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct IterKinds {
    /// Bits of the type that tell the kind; the others tell the direction.
    pub mask: u32,
    /// One buffer in user memory; [`ABSENT`] where the kernel has no such kind.
    pub ubuf: u32,
    /// An array of `struct iovec`, each a buffer in user memory.
    pub iovec: u32,
    /// An array of `struct kvec`, each a buffer in kernel memory.
    pub kvec: u32,
    /// An array of `struct bio_vec`, each a piece of a page.
    pub bvec: u32,
}

/// Addresses of kernel objects; 0 where kallsyms does not show one.
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, Default, IntoBytes, Immutable))]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Symbols {
    /// `net_ctl_header_lookup`: keys whose root is looked up by it belong to one network namespace.
    pub net_ctl_header_lookup: u64,
    /// `vmemmap_base`: where the array of `struct page` begins (x86-64).
    pub vmemmap_base: u64,
    /// `page_offset_base`: where all memory is mapped (x86-64).
    pub page_offset_base: u64,
    /// `init_uts_ns`: the first UTS namespace.
    pub init_uts_ns: u64,
    /// `init_ipc_ns`: the first IPC namespace.
    pub init_ipc_ns: u64,
    /// `hstates`: huge pages, one entry for each size.
    pub hstates: u64,
    /// `default_hstate_idx`: which of these is the default.
    pub default_hstate_idx: u64,
}

/// How the kernel holds the value of a key, told by its handler function.
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum ValueKind {
    /// The handler is not one that is known: the key's memory tells nothing certain.
    NotDecoded = 0,
    /// Array of `int`.
    Int = 1,
    /// Array of `unsigned int`.
    Uint = 2,
    /// Array of `unsigned long`.
    Ulong = 3,
    /// Array of `u8`.
    U8 = 4,
    /// One `bool`.
    Bool = 5,
    /// Array of `int` in jiffies, shown in seconds.
    Jiffies = 6,
    /// Array of `int` in jiffies, shown in milliseconds.
    MsJiffies = 7,
    /// Array of `int` in jiffies, shown in hundredths of a second (USER_HZ).
    UserhzJiffies = 8,
    /// Array of `unsigned long` in jiffies, shown in milliseconds.
    UlongMsJiffies = 9,
    /// NUL-terminated text.
    String = 10,
    /// NUL-terminated name of something; a NULL pointer in its place is shown as NONE.
    NameOrNone = 11,
    /// Two port numbers in one `u32`, the lower one in the lower half.
    PortPair = 12,
    /// `struct static_key`, shown as 0 or 1.
    StaticKey = 13,
    /// Array of bits, of which there are `ctl_table.maxlen`; shown as ranges.
    Bitmap = 14,
    /// One `u32` of bits for actions of seccomp, shown by their names.
    SeccompActions = 15,
    /// One `int` of a neighbour table, in jiffies or not: the key's name tells how it is shown.
    NeighTime = 16,
    /// One `int` in bytes, shown in packets. The probe divides.
    Packets = 17,
    /// 16 bytes, shown as a UUID.
    Uuid = 18,
}

impl ValueKind {
    /// Every kind, each at the place of its number.
    pub const ALL: [Self; 19] = [
        Self::NotDecoded,
        Self::Int,
        Self::Uint,
        Self::Ulong,
        Self::U8,
        Self::Bool,
        Self::Jiffies,
        Self::MsJiffies,
        Self::UserhzJiffies,
        Self::UlongMsJiffies,
        Self::String,
        Self::NameOrNone,
        Self::PortPair,
        Self::StaticKey,
        Self::Bitmap,
        Self::SeccompActions,
        Self::NeighTime,
        Self::Packets,
        Self::Uuid,
    ];
}

/// A handler function, as the map of handlers holds it: where its keys' values are, and what.
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Handler {
    /// Place in user space's list of handlers, from 1.
    pub place: u32,
    /// One of [`ValueKind`].
    pub kind: u32,
    /// From where the value is found: one of [`Base`].
    pub base: u32,
    /// Length of the value in bytes; 0 where `ctl_table.maxlen` tells.
    pub len: u32,
    /// An address for [`Base::Fixed`], else an offset from the base.
    pub address: u64,
    /// Where the value is a pointer to what is shown: the offset of that from where it points;
    /// else [`ABSENT`].
    pub through: u32,
    /// Ends the gap at the end; always 0.
    pub padding: u32,
}

/// From where a value is found.
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Base {
    /// `ctl_table.data`.
    Data = 0,
    /// An address of the kernel's own.
    Fixed = 1,
    /// The network namespace that the key belongs to.
    Net = 2,
    /// The same, and from there the pointer at the index `ctl_table.extra1`.
    NetIndexed = 3,
    /// `ctl_table.data`, which lies in the first UTS namespace, taken over to the current task's.
    Uts = 4,
    /// The same with IPC namespaces.
    Ipc = 5,
    /// The huge pages of the default size.
    Hugepages = 6,
}

/// Loss that one program saw on one CPU, per cause.
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(
        Debug,
        Default,
        PartialEq,
        Eq,
        IntoBytes,
        Immutable,
        zerocopy::FromBytes
    )
)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Losses {
    /// Records: the ring buffer was full.
    pub ring_full: u64,
    /// Writes that began while too many others were under way.
    pub in_flight: u64,
    /// Writes whose return was not seen.
    pub return_missed: u64,
    /// Events with a pointer that could not be followed.
    pub unreadable: u64,
    /// No loss: writes that this program dealt with, and not the other one at the same place.
    pub handled: u64,
}

/// The programs, as places in the maps that have one for each.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Program {
    /// The return of copy_net_ns.
    NetnsCreate = 0,
    /// The entry of sysctl_core_net_exit.
    NetnsDestroy = 1,
    /// The trampoline at the entry of proc_sys_write.
    EnterTrampoline = 2,
    /// The kprobe there.
    EnterKprobe = 3,
    /// The trampoline at the return of proc_sys_write.
    ReturnTrampoline = 4,
    /// The kretprobe there.
    ReturnKprobe = 5,
    /// The return of netns_install.
    NetnsEnter = 6,
    /// A task has executed a program.
    NetnsExec = 7,
    /// The return of __register_sysctl_table.
    TableRegister = 8,
    /// The entry of unregister_sysctl_table.
    TableUnregister = 9,
}

impl Program {
    /// How many programs there are.
    pub const COUNT: u32 = 10;

    /// Every program, each at its place.
    pub const ALL: [Self; Self::COUNT as usize] = [
        Self::NetnsCreate,
        Self::NetnsDestroy,
        Self::EnterTrampoline,
        Self::EnterKprobe,
        Self::ReturnTrampoline,
        Self::ReturnKprobe,
        Self::NetnsEnter,
        Self::NetnsExec,
        Self::TableRegister,
        Self::TableUnregister,
    ];

    /// A bit of its own.
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }
}
