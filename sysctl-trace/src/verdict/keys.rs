//! Where a new network namespace gets the value of a key from, as the kernel's sources have it
//! (5.10 to 7.3).

/// Where the kernel takes the first value from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A constant in the kernel's source.
    Constant,
    /// The value that the node's own namespace has at that moment.
    Node,
    /// Reckoned from something else, such as the size of memory or of a table.
    Computed,
    /// It depends on other settings, or it is not known here.
    Unknown,
}

/// Keys below `net.` whose first value is a copy of the node's.
const COPIED: [&str; 3] = [
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_congestion_control",
];

const COMPUTED: [&str; 2] = [
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_max_syn_backlog",
];

const CONSTANT: [&str; 9] = [
    "net.core.somaxconn",
    "net.core.txrehash",
    "net.core.optmem_max",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv6.bindv6only",
    "net.unix.max_dgram_qlen",
    "net.ipv4.ip_default_ttl",
];

/// Families of keys that are constants but for those above.
const CONSTANT_FAMILIES: [&str; 9] = [
    "net.ipv4.tcp_",
    "net.ipv4.udp_",
    "net.ipv4.igmp_",
    "net.ipv4.icmp_",
    "net.ipv4.ipfrag_",
    "net.ipv6.icmp.",
    "net.ipv6.route.",
    "net.mptcp.",
    "net.sctp.",
];

/// Not families of their own, but settings of the whole node or of unclear origin.
const NOT_CONSTANT: [&str; 6] = [
    "net.ipv4.tcp_mem",
    "net.ipv4.udp_mem",
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_available_congestion_control",
    "net.ipv4.tcp_child_ehash_entries",
    "net.ipv4.udp_child_hash_entries",
];

/// Where the first value of a key in a new network namespace comes from.
pub fn origin(key: &str) -> Origin {
    if COPIED.contains(&key) {
        return Origin::Node;
    }
    if COMPUTED.contains(&key) {
        return Origin::Computed;
    }
    let family = CONSTANT_FAMILIES
        .iter()
        .any(|family| key.starts_with(family));
    if CONSTANT.contains(&key) || (family && !NOT_CONSTANT.contains(&key)) {
        return Origin::Constant;
    }
    Origin::Unknown
}

/// Keys that are one for the whole node on some of these kernels, though most of their families are not.
const NOT_EVERYWHERE: [&str; 10] = [
    "net.core.optmem_max",
    "net.ipv4.icmp_msgs_burst",
    "net.ipv4.icmp_msgs_per_sec",
    "net.ipv4.ipfrag_secret_interval",
    "net.ipv4.tcp_allowed_congestion_control",
    "net.ipv4.tcp_challenge_ack_limit",
    "net.ipv4.tcp_low_latency",
    "net.sctp.sctp_mem",
    "net.sctp.sctp_rmem",
    "net.sctp.sctp_wmem",
];

/// Whether each network namespace has a key of its own, on all of these kernels. Of most keys that is
/// not known here: the kernel is asked.
pub(super) fn is_of_each_netns(key: &str) -> bool {
    let is_known = origin(key) != Origin::Unknown || key.starts_with("net.ipv4.ip_");
    is_known && !NOT_EVERYWHERE.contains(&key)
}

/// Keys that belong to a namespace of another kind (ipc, uts, user, pid): events do not tell which, so
/// nothing can be said of them.
pub fn is_of_other_namespace(key: &str) -> bool {
    const KEYS: [&str; 17] = [
        "kernel.auto_msgmni",
        "kernel.domainname",
        "kernel.hostname",
        "kernel.msg_next_id",
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.ns_last_pid",
        "kernel.pid_max",
        "kernel.sem",
        "kernel.sem_next_id",
        "kernel.shm_next_id",
        "kernel.shm_rmid_forced",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "vm.memfd_noexec",
    ];
    KEYS.contains(&key) || key.starts_with("fs.mqueue.") || key.starts_with("user.")
}
