//! BTF → offsets. The only place that names fields of the kernel's types.

use sysctl_trace_ebpf::settings::{ABSENT, IterKinds, Offsets};

use super::btf::Btf;

/// Names of all types that are looked at.
pub const TYPES: [&str; 43] = [
    "task_struct",
    "cred",
    "user_namespace",
    "nsset",
    "nsproxy",
    "mnt_namespace",
    "cgroup_namespace",
    "pid_namespace",
    "pid",
    "upid",
    "mm_struct",
    "file",
    "dentry",
    "inode",
    "super_block",
    "mount",
    "css_set",
    "cgroup_subsys_id",
    "cgroup_subsys_state",
    "cgroup",
    "kernfs_node",
    "net",
    "kiocb",
    "proc_inode",
    "ctl_table_header",
    "ctl_dir",
    "ctl_table",
    "ctl_table_root",
    "tcp_congestion_ops",
    "iov_iter",
    "iter_type",
    "iovec",
    "kvec",
    "bio_vec",
    "page",
    "init_ns_ino",
    "list_head",
    "sk_buff",
    "skb_shared_info",
    "hstate",
    "Qdisc_ops",
    "nf_logger",
    "kexec_load_limit",
];

/// A field that this kernel's BTF does not have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the kernel's BTF has no {0}: this kernel is not one that the probes can read")]
pub struct Missing(pub String);

/// Where the probes find what they read.
pub fn offsets(btf: &Btf<'_>) -> Result<Offsets, Missing> {
    let field = |name: &str, path: &str| {
        btf.offset_of(name, path)
            .ok_or_else(|| Missing(format!("{name}.{path}")))
    };
    let either = |name: &str, first: &str, second: &str| {
        field(name, first).or_else(|missing| field(name, second).map_err(|_| missing))
    };
    let optional = |name: &str, path: &str| btf.offset_of(name, path).unwrap_or(ABSENT);
    let size = |name: &str| {
        btf.size_of(name)
            .ok_or_else(|| Missing(format!("struct {name}")))
    };
    let old_iter = btf.offset_of("iov_iter", "iter_type").is_none();
    Ok(Offsets {
        task_tgid: field("task_struct", "tgid")?,
        task_flags: field("task_struct", "flags")?,
        task_pid: field("task_struct", "pid")?,
        task_start_boottime: field("task_struct", "start_boottime")?,
        task_comm: field("task_struct", "comm")?,
        task_real_parent: field("task_struct", "real_parent")?,
        task_group_leader: field("task_struct", "group_leader")?,
        task_cred: field("task_struct", "cred")?,
        task_nsproxy: field("task_struct", "nsproxy")?,
        task_cgroups: field("task_struct", "cgroups")?,
        task_mm: field("task_struct", "mm")?,
        task_thread_pid: field("task_struct", "thread_pid")?,
        cred_euid: field("cred", "euid")?,
        cred_egid: field("cred", "egid")?,
        cred_cap_effective: field("cred", "cap_effective")?,
        cred_user_ns: field("cred", "user_ns")?,
        user_namespace_inum: field("user_namespace", "ns.inum")?,
        nsset_nsproxy: field("nsset", "nsproxy")?,
        nsproxy_net_ns: field("nsproxy", "net_ns")?,
        nsproxy_mnt_ns: field("nsproxy", "mnt_ns")?,
        nsproxy_cgroup_ns: field("nsproxy", "cgroup_ns")?,
        mnt_namespace_inum: field("mnt_namespace", "ns.inum")?,
        cgroup_namespace_inum: field("cgroup_namespace", "ns.inum")?,
        pid_namespace_inum: field("pid_namespace", "ns.inum")?,
        pid_namespace_child_reaper: field("pid_namespace", "child_reaper")?,
        pid_level: field("pid", "level")?,
        pid_numbers: field("pid", "numbers")?,
        upid_ns: field("upid", "ns")?,
        upid_size: size("upid")?,
        mm_exe_file: field("mm_struct", "exe_file")?,
        mm_arg_start: field("mm_struct", "arg_start")?,
        mm_arg_end: field("mm_struct", "arg_end")?,
        file_dentry: field("file", "f_path.dentry")?,
        file_inode: field("file", "f_inode")?,
        inode_number: field("inode", "i_ino")?,
        inode_super_block: field("inode", "i_sb")?,
        super_block_dev: field("super_block", "s_dev")?,
        file_mnt: field("file", "f_path.mnt")?,
        mount_mnt: field("mount", "mnt")?,
        mount_mnt_ns: field("mount", "mnt_ns")?,
        dentry_name: field("dentry", "d_name.name")?,
        dentry_name_len: field("dentry", "d_name.len")?,
        css_set_dfl_cgrp: field("css_set", "dfl_cgrp")?,
        css_set_subsys: field("css_set", "subsys")?,
        pids_cgrp_id: btf
            .enum_value("cgroup_subsys_id", "pids_cgrp_id")
            .unwrap_or(ABSENT),
        css_cgroup: field("cgroup_subsys_state", "cgroup")?,
        cgroup_kn: field("cgroup", "kn")?,
        cgroup_level: field("cgroup", "level")?,
        cgroup_ancestors: optional("cgroup", "ancestors"),
        kernfs_node_id: field("kernfs_node", "id")?,
        kernfs_node_name: field("kernfs_node", "name")?,
        kernfs_node_parent: either("kernfs_node", "parent", "__parent")?,
        net_inum: field("net", "ns.inum")?,
        // Before 5.12 it is atomic and only given when somebody asks: most namespaces have none.
        net_cookie: match btf.offset_of("net", "net_cookie.counter") {
            Some(_) => ABSENT,
            None => optional("net", "net_cookie"),
        },
        net_hash_mix: optional("net", "hash_mix"),
        net_user_ns: field("net", "user_ns")?,
        net_somaxconn: field("net", "core.sysctl_somaxconn")?,
        net_sysctls: field("net", "sysctls")?,
        net_list: field("net", "list")?,
        list_head_prev: field("list_head", "prev")?,
        kiocb_filp: field("kiocb", "ki_filp")?,
        kiocb_pos: field("kiocb", "ki_pos")?,
        proc_inode_vfs_inode: field("proc_inode", "vfs_inode")?,
        proc_inode_sysctl: field("proc_inode", "sysctl")?,
        proc_inode_sysctl_entry: field("proc_inode", "sysctl_entry")?,
        ctl_header_table: field("ctl_table_header", "ctl_table")?,
        ctl_header_table_size: optional("ctl_table_header", "ctl_table_size"),
        ctl_header_root: field("ctl_table_header", "root")?,
        ctl_header_set: field("ctl_table_header", "set")?,
        ctl_header_parent: field("ctl_table_header", "parent")?,
        ctl_header_unregistering: field("ctl_table_header", "unregistering")?,
        ctl_dir_header: field("ctl_dir", "header")?,
        ctl_root_lookup: field("ctl_table_root", "lookup")?,
        ctl_table_size: size("ctl_table")?,
        ctl_table_procname: field("ctl_table", "procname")?,
        ctl_table_data: field("ctl_table", "data")?,
        ctl_table_maxlen: field("ctl_table", "maxlen")?,
        ctl_table_handler: field("ctl_table", "proc_handler")?,
        ctl_table_extra1: field("ctl_table", "extra1")?,
        nsproxy_uts_ns: field("nsproxy", "uts_ns")?,
        nsproxy_ipc_ns: field("nsproxy", "ipc_ns")?,
        hstate_size: btf.size_of("hstate").unwrap_or(ABSENT),
        iter_type: either("iov_iter", "iter_type", "type")?,
        iter_type_size: if old_iter { 4 } else { 1 },
        iter_iov_offset: field("iov_iter", "iov_offset")?,
        iter_count: field("iov_iter", "count")?,
        iter_iov: either("iov_iter", "__iov", "iov")?,
        iter_nr_segs: field("iov_iter", "nr_segs")?,
        iter_ubuf: optional("iov_iter", "ubuf"),
        iovec_size: size("iovec")?,
        iovec_base: field("iovec", "iov_base")?,
        iovec_len: field("iovec", "iov_len")?,
        bio_vec_size: size("bio_vec")?,
        bio_vec_page: field("bio_vec", "bv_page")?,
        bio_vec_len: field("bio_vec", "bv_len")?,
        bio_vec_offset: field("bio_vec", "bv_offset")?,
        page_size_of: size("page")?,
        packet_truesize: packet_truesize(size("sk_buff")?, size("skb_shared_info")?),
    })
}

/// SKB_TRUESIZE(ETH_FRAME_LEN): a packet of the largest Ethernet frame with what the kernel keeps
/// beside it, each at the beginning of a cache line.
const fn packet_truesize(sk_buff: u32, shared_info: u32) -> u32 {
    const ETH_FRAME_LEN: u32 = 1514;
    const CACHE_LINE: u32 = 64;
    ETH_FRAME_LEN + sk_buff.next_multiple_of(CACHE_LINE) + shared_info.next_multiple_of(CACHE_LINE)
}

/// Inode number of the mount namespaces of detached mounts: 0, of which nothing has to be known,
/// where the kernel has no name for it.
pub fn anonymous_mnt_inum(btf: &Btf<'_>) -> u32 {
    btf.enum_value("init_ns_ino", "MNT_NS_ANON_INO")
        .unwrap_or(ABSENT)
}

/// How this kernel numbers what an iov_iter walks over.
pub fn iter_kinds(btf: &Btf<'_>) -> Result<IterKinds, Missing> {
    let value = |name: &str| {
        btf.enum_value("iter_type", name)
            .ok_or_else(|| Missing(format!("enum iter_type {name}")))
    };
    Ok(IterKinds {
        // Where the type is a bit mask (before 5.14), its low bits tell the direction; where it is
        // a number, it is a byte of its own.
        mask: if btf.offset_of("iov_iter", "iter_type").is_none() {
            !3
        } else {
            0xff
        },
        ubuf: btf.enum_value("iter_type", "ITER_UBUF").unwrap_or(ABSENT),
        iovec: value("ITER_IOVEC")?,
        kvec: value("ITER_KVEC")?,
        bvec: value("ITER_BVEC")?,
    })
}
