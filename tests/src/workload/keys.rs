//! The keys that are written: one of every kind of value the kernel has.

use fastrand::Rng;

use Place::{EachNetns, Node, NodeNetns};

/// A key below /proc/sys.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its path there.
    pub path: String,
    /// The types that a trace may give it. Some differ from kernel to kernel; `not-decoded` is
    /// among them where the kernel serves the key with a function of its own.
    pub types: &'static [&'static str],
    /// It can only be written.
    pub write_only: bool,
}

impl Key {
    /// Any key.
    #[must_use]
    pub fn new(path: impl Into<String>, types: &'static [&'static str]) -> Self {
        Self {
            path: path.into(),
            types,
            write_only: false,
        }
    }

    /// One of [`KEYS`].
    ///
    /// # Panics
    /// When there is no such key: a mistake in the workload.
    #[must_use]
    pub fn known(path: &str) -> Self {
        let known = KEYS.iter().find(|known| known.path == path);
        known
            .unwrap_or_else(|| panic!("{path} is not in the table"))
            .key()
    }

    /// Whether each network namespace has its own.
    #[must_use]
    pub fn is_per_netns(&self) -> bool {
        self.path.starts_with("net/")
    }
}

/// A line of the table of keys.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Path below /proc/sys.
    pub path: &'static str,
    /// Where there is such a file.
    pub place: Place,
    /// As [`Key::types`].
    pub types: &'static [&'static str],
    /// What it takes.
    pub values: Values,
}

impl Known {
    /// The key.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::new(self.path, self.types)
    }
}

/// Where a key exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In every network namespace.
    EachNetns,
    /// In the node's own network namespace only.
    NodeNetns,
    /// Once, outside all network namespaces.
    Node,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// As many numbers, each within its bounds.
    Numbers(&'static [(u64, u64)]),
    /// One of these.
    Words(&'static [&'static str]),
}

impl Values {
    /// A value that the kernel takes, in one of the spellings it takes.
    #[must_use]
    pub fn pick(&self, random: &mut Rng) -> String {
        match self {
            Self::Numbers(bounds) => {
                let numbers: Vec<String> = bounds
                    .iter()
                    .map(|(low, high)| random.u64(*low..=*high).to_string())
                    .collect();
                let separator = if random.bool() { " " } else { "\t" };
                let lead = if random.u8(..8) == 0 { " " } else { "" };
                format!("{lead}{}", numbers.join(separator))
            }
            Self::Words(words) => words[random.usize(..words.len())].to_owned(),
        }
    }
}

const INT: &[&str] = &["int"];
/// `int` in older kernels.
const U8: &[&str] = &["u8", "int"];
const UINT: &[&str] = &["uint"];
/// Unsigned in memory, but some kernels serve it with the function for `int`.
const INT_OR_UINT: &[&str] = &["int", "uint"];
const ULONG: &[&str] = &["ulong"];
const JIFFIES: &[&str] = &["jiffies"];
const MS_JIFFIES: &[&str] = &["ms-jiffies"];
const STRING: &[&str] = &["string"];
/// Served by a function of its own; a trace that knows it may decode it all the same.
const OWN_INT: &[&str] = &["not-decoded", "int", "uint", "u8", "port-pair"];
const OWN_ULONG: &[&str] = &["not-decoded", "ulong"];
const OWN_MS_JIFFIES: &[&str] = &["not-decoded", "ms-jiffies"];
const OWN_STRING: &[&str] = &["not-decoded", "string"];

const fn key(
    path: &'static str,
    place: Place,
    types: &'static [&'static str],
    bounds: &'static [(u64, u64)],
) -> Known {
    Known {
        path,
        place,
        types,
        values: Values::Numbers(bounds),
    }
}

const fn words(
    path: &'static str,
    place: Place,
    types: &'static [&'static str],
    words: &'static [&'static str],
) -> Known {
    Known {
        path,
        place,
        types,
        values: Values::Words(words),
    }
}

/// The keys that random writes go to. Every kernel that is tested has them all.
pub const KEYS: &[Known] = &[
    // Each network namespace has its own.
    key("net/core/somaxconn", EachNetns, INT, &[(1, 65_535)]),
    key(
        "net/ipv4/tcp_rmem",
        EachNetns,
        INT,
        &[(4096, 8192), (16_384, 99_999), (262_144, 8 << 20)],
    ),
    key(
        "net/ipv4/tcp_wmem",
        EachNetns,
        INT,
        &[(4096, 8192), (16_384, 99_999), (262_144, 8 << 20)],
    ),
    key("net/ipv4/tcp_fin_timeout", EachNetns, JIFFIES, &[(1, 3600)]),
    key(
        "net/ipv4/tcp_keepalive_time",
        EachNetns,
        JIFFIES,
        &[(1, 32_767)],
    ),
    key("net/ipv4/tcp_keepalive_probes", EachNetns, U8, &[(1, 127)]),
    key("net/ipv4/tcp_syn_retries", EachNetns, U8, &[(1, 127)]),
    key("net/ipv4/ip_default_ttl", EachNetns, U8, &[(1, 255)]),
    key("net/ipv4/tcp_timestamps", EachNetns, U8, &[(0, 2)]),
    key(
        "net/ipv4/icmp_ratelimit",
        EachNetns,
        MS_JIFFIES,
        &[(0, 100_000)],
    ),
    key(
        "net/ipv4/tcp_invalid_ratelimit",
        EachNetns,
        MS_JIFFIES,
        &[(0, 100_000)],
    ),
    key(
        "net/ipv4/tcp_comp_sack_delay_ns",
        EachNetns,
        ULONG,
        &[(0, u64::MAX >> 1)],
    ),
    key(
        "net/ipv4/tcp_probe_interval",
        EachNetns,
        UINT,
        &[(0, 1 << 31)],
    ),
    key(
        "net/ipv4/ip_local_port_range",
        EachNetns,
        OWN_INT,
        &[(1024, 30_000), (32_768, 60_999)],
    ),
    key(
        "net/ipv4/ping_group_range",
        EachNetns,
        OWN_INT,
        &[(0, 100), (101, 2_000_000_000)],
    ),
    key("net/ipv4/ip_forward", EachNetns, OWN_INT, &[(0, 1)]),
    key(
        "net/ipv4/conf/default/rp_filter",
        EachNetns,
        OWN_INT,
        &[(0, 2)],
    ),
    words(
        "net/ipv4/tcp_congestion_control",
        EachNetns,
        STRING,
        &["reno", "cubic"],
    ),
    // Only the node's own has these.
    key(
        "net/ipv4/tcp_mem",
        NodeNetns,
        ULONG,
        &[(90_000, 99_999), (100_000, 200_000), (300_000, 1 << 40)],
    ),
    key(
        "net/core/netdev_max_backlog",
        NodeNetns,
        INT,
        &[(100, 10_000)],
    ),
    key("net/core/message_cost", NodeNetns, JIFFIES, &[(1, 60)]),
    key(
        "net/ipv4/neigh/default/base_reachable_time_ms",
        NodeNetns,
        OWN_MS_JIFFIES,
        &[(20_000, 60_000)],
    ),
    // The whole node has one.
    key("vm/swappiness", Node, INT, &[(0, 200)]),
    key("vm/max_map_count", Node, INT, &[(65_530, 1_000_000)]),
    key(
        "vm/dirty_expire_centisecs",
        Node,
        INT_OR_UINT,
        &[(100, 6000)],
    ),
    key("vm/stat_interval", Node, JIFFIES, &[(1, 100)]),
    key("vm/dirty_background_ratio", Node, OWN_INT, &[(1, 50)]),
    key("fs/file-max", Node, ULONG, &[(1_000_000, u64::MAX >> 1)]),
    key("fs/mount-max", Node, INT_OR_UINT, &[(10_000, 200_000)]),
    key(
        "kernel/printk",
        Node,
        INT,
        &[(4, 7), (4, 7), (1, 1), (4, 7)],
    ),
    key("kernel/printk_ratelimit", Node, JIFFIES, &[(1, 60)]),
    key("kernel/panic", Node, INT, &[(0, 60)]),
    key(
        "kernel/shmmax",
        Node,
        OWN_ULONG,
        &[(1 << 20, u64::MAX >> 1)],
    ),
    key(
        "kernel/sem",
        Node,
        OWN_INT,
        &[(100, 32_000), (32_000, 64_000), (1, 500), (1, 32_000)],
    ),
    words(
        "kernel/modprobe",
        Node,
        STRING,
        &["/sbin/modprobe", "/bin/false", "/bin/true"],
    ),
    words(
        "kernel/poweroff_cmd",
        Node,
        STRING,
        &["/sbin/poweroff", "/bin/busybox poweroff"],
    ),
    words(
        "kernel/core_pattern",
        Node,
        OWN_STRING,
        &["core", "core.%p", "/tmp/core.%e.%p"],
    ),
    words(
        "kernel/domainname",
        Node,
        OWN_STRING,
        &["(none)", "example.org", "a"],
    ),
];

/// The key that limits how many network namespaces a user namespace may have.
pub const MAX_NETNS: Known = key(
    "user/max_net_namespaces",
    Node,
    &["int", "ulong"],
    &[(0, 1000)],
);

/// A key that can only be written.
#[must_use]
pub fn route_flush() -> Key {
    Key {
        write_only: true,
        ..Key::new("net/ipv4/route/flush", &["not-decoded"])
    }
}

/// A key of a device's IPv4 settings; each has a function of its own.
#[must_use]
pub fn device(device: &str, name: &str) -> Key {
    Key::new(format!("net/ipv4/conf/{device}/{name}"), OWN_INT)
}
