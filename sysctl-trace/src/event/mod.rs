//! The public event types: what one line of the JSON stream says.
//!
//! Names follow the Elastic Common Schema; objects of our own are `sysctl`, `netns` and `trace`.
//! Values of keys and opaque 64-bit numbers are strings, counters are integers, time is RFC 3339
//! in UTC with nine digits. A field that is not known is absent: never 0, never "".
//!
//! The JSON Schema of [`Event`] is generated from these types (`sysctl-trace schema`). A minor
//! version of the schema only adds; a rename or a new meaning is a major one.

mod told;
mod who;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};

pub use told::Told;
pub use who::{
    Binding, Component, Confidence, Container, Image, Kubernetes, Named, Nested, Owner, Pod,
    Requester, RequesterSource, Stage, Sureness,
};

use crate::{rendered::Rendered, time::Moment};

/// Version of the event schema: `major.minor`.
pub const SCHEMA_VERSION: &str = "1.3";

/// The key that every new network namespace is told with.
pub const SOMAXCONN: &str = "net.core.somaxconn";

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "sysctl-trace event")]
pub struct Event {
    /// When it happened: RFC 3339, UTC, nine digits.
    #[serde(rename = "@timestamp")]
    pub timestamp: Moment,
    /// Name and version of this schema.
    pub schema: Schema,
    /// What kind of event this is, and where it stands in the stream.
    pub event: Class,
    /// The machine.
    pub host: Arc<Rendered<Host>>,
    /// Why it failed; absent where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// The task that did it; absent where no process stands behind the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Arc<Rendered<Process>>>,
    /// What that process is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<Arc<Rendered<Component>>>,
    /// The container that the process is in; `null` where it is in none. Absent where no process stands
    /// behind the event, and before version 1.3 where it is in none.
    #[serde(default, skip_serializing_if = "Told::is_not_told")]
    pub container: Told<Arc<Rendered<Container>>>,
    /// The pod that the process is in; absent where it is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k8s: Option<Arc<Rendered<Kubernetes>>>,
    /// The network namespace that the event is about: the one made or destroyed, or the one that
    /// a write to a key of a namespace landed in. Absent for keys of the whole node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<Netns>,
    /// The key, and what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sysctl: Option<Sysctl>,
    /// The keys that came to be or ended together; only for `sysctl-register` and
    /// `sysctl-unregister`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Box<Table>>,
    /// About the trace itself.
    pub trace: Trace,
}

/// Name and version of the schema that a line follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Schema {
    /// Always `sysctl-trace`.
    pub name: Cow<'static, str>,
    /// [`SCHEMA_VERSION`] at the time of writing.
    pub version: Cow<'static, str>,
}

impl Schema {
    /// The schema that this build writes.
    pub const CURRENT: Self = Self {
        name: Cow::Borrowed("sysctl-trace"),
        version: Cow::Borrowed(SCHEMA_VERSION),
    };
}

/// ECS `event.*`: classification, outcome and place in the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Class {
    /// ECS kind: `event`, or `metric` for loss counts.
    pub kind: Kind,
    /// ECS category, a list of one.
    pub category: [Category; 1],
    /// ECS type, a list of one.
    #[serde(rename = "type")]
    pub type_: [Type; 1],
    /// What happened.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Place in this stream: starts at 1, without holes.
    pub sequence: u64,
    /// Nanoseconds since boot, suspended time included (CLOCK_BOOTTIME).
    pub boottime_ns: u64,
    /// ECS `event.duration`: how long a write took, in nanoseconds. Of two writes to a key, the one
    /// that ended last tells what is there. Absent for all other actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
}

impl Class {
    /// When it was over, in nanoseconds since boot.
    pub fn ended_ns(&self) -> u64 {
        self.boottime_ns
            .saturating_add(self.duration.unwrap_or_default())
    }
}

/// ECS `event.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something happened on the node.
    Event,
    /// The trace counts something about itself.
    Metric,
}

/// ECS `event.category`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// A setting came to be or was changed.
    Configuration,
    /// The trace itself.
    Host,
}

/// ECS `event.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    /// A namespace was set up.
    Creation,
    /// A namespace is gone.
    Deletion,
    /// A key was written.
    Change,
    /// Something became known, or loss counts.
    Info,
    /// The trace began.
    Start,
    /// The trace ended.
    End,
}

/// What happened: `event.action`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A network namespace was set up, or could not be.
    NetnsCreate,
    /// A network namespace is gone: its keys were taken down, shortly after its last user left.
    NetnsDestroy,
    /// Text was written to a file below /proc/sys.
    SysctlWrite,
    /// A task was seen in a network namespace other than the node's, the first of its cgroup there:
    /// it entered by setns(2), or was there and executed a program.
    NetnsEnter,
    /// It became known which container a network namespace belongs to: `netns.owner`.
    NetnsBind,
    /// Events were lost; `trace.lost` says how many and where.
    EventsLost,
    /// The probes are attached: from here on everything is seen. `netns` is the node's own.
    TraceStart,
    /// A value was found to differ from what the writes that were seen account for: `sysctl.old` is
    /// what they left, `sysctl.new` what is there.
    SysctlDrift,
    /// Keys came to be: a device was made, renamed or moved here, or a module was loaded. `table`
    /// says which. The keys that a network namespace begins with are not told one by one.
    SysctlRegister,
    /// Keys ended, with their device or module. Those that end with their network namespace are not
    /// told one by one.
    SysctlUnregister,
    /// The trace ended: `trace.end` says why, and how much there was. Nothing follows.
    TraceEnd,
}

impl Action {
    /// Every action, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::NetnsCreate,
        Self::NetnsDestroy,
        Self::SysctlWrite,
        Self::NetnsEnter,
        Self::NetnsBind,
        Self::EventsLost,
        Self::TraceStart,
        Self::SysctlDrift,
        Self::SysctlRegister,
        Self::SysctlUnregister,
        Self::TraceEnd,
    ];

    /// The name in the stream and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetnsCreate => "netns-create",
            Self::NetnsDestroy => "netns-destroy",
            Self::SysctlWrite => "sysctl-write",
            Self::NetnsEnter => "netns-enter",
            Self::NetnsBind => "netns-bind",
            Self::EventsLost => "events-lost",
            Self::TraceStart => "trace-start",
            Self::SysctlDrift => "sysctl-drift",
            Self::SysctlRegister => "sysctl-register",
            Self::SysctlUnregister => "sysctl-unregister",
            Self::TraceEnd => "trace-end",
        }
    }
}

/// ECS `event.outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The kernel accepted it.
    Success,
    /// The kernel refused it; `error.code` says why.
    Failure,
    /// Not a matter of success.
    Unknown,
}

/// ECS `error.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Error {
    /// The errno by name (`EINVAL`), or its number where it has no name here.
    #[schemars(with = "String")]
    pub code: SmolStr,
}

/// ECS `host.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Node name of the kernel (`uname -n`).
    pub name: String,
    /// The boot.
    pub boot: Boot,
}

/// ECS `host.boot.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Boot {
    /// /proc/sys/kernel/random/boot_id.
    pub id: String,
}

/// ECS `process.*`: the actor, as the kernel saw it at the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id (thread group id) in the initial pid namespace.
    pub pid: u32,
    /// comm of the thread that acted, at the event.
    pub name: String,
    /// File name of the executable, without its folder; absent for kernel threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable_name: Option<String>,
    /// Inode number of the mount namespace that the executable is mounted in; absent for kernel
    /// threads and where it is mounted in none (a memfd's). For attribution, not in the stream.
    #[serde(skip)]
    #[schemars(skip)]
    pub executable_mnt: Option<u32>,
    /// Full path of the executable, from /proc; see `enrichment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// Argument vector, from /proc; see `enrichment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// When the process started: RFC 3339, UTC, nine digits.
    pub start: String,
    /// Unique over pids that are used again: boot, pid and start time.
    pub entity_id: String,
    /// The thread that acted.
    pub thread: Thread,
    /// Effective user, as the initial user namespace numbers it.
    pub user: Id,
    /// Effective group, as the initial user namespace numbers it.
    pub group: Id,
    /// The parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Ancestor>,
    /// Parent, grandparent and so on, at most 8.
    pub ancestors: Vec<Ancestor>,
    /// Path of the cgroup from the root of the hierarchy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// Inode numbers of the namespaces that the actor is in.
    pub namespaces: Namespaces,
    /// What became of the look into /proc for `executable` and `args`.
    pub enrichment: Enrichment,
}

/// ECS `process.thread.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Thread {
    /// Thread id in the initial pid namespace.
    pub id: u32,
    /// Capabilities of the thread.
    pub capabilities: Capabilities,
}

/// ECS `process.thread.capabilities.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capabilities {
    /// Effective capabilities by name; a number where the bit has no name here.
    #[schemars(with = "Vec<String>")]
    pub effective: Vec<SmolStr>,
}

/// A user or group id, as ECS writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Id {
    /// The number, in decimal.
    pub id: String,
}

/// A process above the actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ancestor {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// comm of its main thread.
    pub name: String,
    /// File name of its executable; absent for kernel threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable_name: Option<String>,
    /// As `process.executable_mnt`.
    #[serde(skip)]
    #[schemars(skip)]
    pub executable_mnt: Option<u32>,
    /// When it started: RFC 3339, UTC, nine digits.
    pub start: String,
    /// As `process.entity_id`.
    pub entity_id: String,
}

/// Inode numbers of namespaces, as `/proc/PID/ns/` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Namespaces {
    /// Network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net: Option<u32>,
    /// Process ids, of the actor itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Mounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mnt: Option<u32>,
    /// Users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// cgroups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<u32>,
}

/// What became of the look into /proc for the parts that the kernel's record does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Enrichment {
    /// Read while the process lived.
    Complete,
    /// The process had ended, or its pid belonged to another by then.
    ProcessEnded,
    /// The process lived, but had executed another program by then.
    ImageReplaced,
    /// The process lived, but this tracer may not look into it.
    Denied,
    /// Some other error; the parts are absent.
    Failed,
}

/// A network namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Netns {
    /// Inode number, as `/proc/PID/ns/net` shows it. Used again once the namespace is gone.
    /// Absent where the kernel had not given one yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inum: Option<u32>,
    /// The kernel's cookie, never used again in a boot; absent before 5.12.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cookie: Option<SmolStr>,
    /// Inode number of the user namespace that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_ns: Option<u32>,
    /// Whose it is, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<Rendered<Owner>>>,
}

impl Netns {
    /// What tells it from all others.
    pub fn id(&self) -> NetnsId {
        let cookie = self.cookie.as_ref().and_then(|cookie| cookie.parse().ok());
        NetnsId {
            inum: self.inum.unwrap_or(0),
            cookie: cookie.unwrap_or(0),
        }
    }
}

/// What tells a network namespace from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NetnsId {
    /// [`Netns::inum`].
    pub inum: u32,
    /// [`Netns::cookie`]; 0 where the kernel gives none.
    pub cookie: u64,
}

/// A key and its values. The texts are those that the file under /proc/sys shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sysctl {
    /// Dotted name, as sysctl(8) takes it: dots within a component are written as slashes.
    #[schemars(with = "String")]
    pub key: SmolStr,
    /// The same with slashes, as it stands below /proc/sys.
    #[schemars(with = "String")]
    pub path: SmolStr,
    /// How the kernel holds the value.
    #[serde(rename = "type")]
    pub type_: ValueType,
    /// The text given, without its last newline. It is read from the writer's memory and only
    /// tells what was asked. Absent where it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub requested: Option<SmolStr>,
    /// The value before; absent for a new namespace and where `type` is `not-decoded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub old: Option<SmolStr>,
    /// The value after, from the kernel's memory; absent where `type` is `not-decoded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub new: Option<SmolStr>,
    /// For a new namespace: the value of the same key in the node's own namespace at that moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub init_netns: Option<SmolStr>,
    /// Position in the file that the write began at, in bytes. Numeric keys ignore a write at
    /// any other than 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// How many bytes the writer gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// How many bytes the kernel says it took; absent where it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
    /// On whose behalf it was written; absent where that is not known, or on nobody else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<Arc<Requester>>,
    /// The kernel function that handles writes to the key, where it is one that is known here. It
    /// tells which other keys a write reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub handler: Option<SmolStr>,
    /// Stands for the memory that the value is held in: keys with the same text are two names of one
    /// value, held in the same way. A hash that means something within one `trace.session` only; absent where the key has
    /// no memory of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub memory: Option<SmolStr>,
}

/// Keys that were registered together, and so come and go together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Table {
    /// The folder below /proc/sys that they stand in, with slashes: `net/ipv4/conf/eth0`.
    #[schemars(with = "String")]
    pub path: SmolStr,
    /// Their values as they came to be, by their names in the folder; empty as they end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub values: BTreeMap<SmolStr, SmolStr>,
    /// Names of those whose value is not known; as keys end, of all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub unread: Vec<SmolStr>,
}

impl Table {
    /// Names of all its keys: dotted, and with slashes.
    pub fn keys(&self) -> impl Iterator<Item = (SmolStr, SmolStr)> {
        let names = self.values.keys().chain(&self.unread);
        names.map(|name| {
            let path = format_smolstr!("{}/{name}", self.path);
            (dotted(&path), path)
        })
    }
}

/// The dotted name of a key of which the name with slashes is known.
pub fn dotted(path: &str) -> SmolStr {
    let swap = |char| match char {
        '/' => '.',
        '.' => '/',
        other => other,
    };
    path.chars().map(swap).collect()
}

/// How the kernel holds the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValueType {
    /// One or more `int`.
    Int,
    /// One or more `unsigned int`.
    Uint,
    /// One or more `unsigned long`.
    Ulong,
    /// One `u8`.
    U8,
    /// One `bool`.
    Bool,
    /// `int` in jiffies, shown in seconds.
    Jiffies,
    /// `int` in jiffies, shown in milliseconds.
    MsJiffies,
    /// `int` in jiffies, shown in hundredths of a second.
    UserhzJiffies,
    /// `unsigned long` in jiffies, shown in milliseconds.
    UlongMsJiffies,
    /// Text.
    String,
    /// Two port numbers in one `u32`.
    PortPair,
    /// A switch in the kernel's code, shown as 0 or 1.
    StaticKey,
    /// Bits, shown as ranges of those that are set.
    Bitmap,
    /// Bits that stand for actions of seccomp, shown by their names.
    Actions,
    /// `int` in bytes, shown in packets.
    Packets,
    /// 16 bytes.
    Uuid,
    /// The kernel handles this key in a way of its own: only `requested` is known.
    NotDecoded,
}

/// About the trace itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// Names this run of the tracer.
    pub session: Arc<Rendered<String>>,
    /// Fields of this line that were cut, by their dotted names.
    pub truncated: Vec<Cow<'static, str>>,
    /// Loss since the last such event; only for `events-lost`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// Only for `events-lost`: the events were lost after this time since boot (nanoseconds) and
    /// before `event.boottime_ns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_boottime_ns: Option<u64>,
    /// Only for `trace-start`: the filters that this stream passed, by the names of their options
    /// (`key`, `comm`), with their values as they were given. What they left out is not in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<String, Vec<String>>,
    /// Only for `events-lost`: how many of the lost would have been events of each action, as far as
    /// that is known. What is lost of one action can't hide an event of another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost_by_action: BTreeMap<Action, u64>,
    /// Only for `trace-start`: the options that `filters` has, so that one that got lost is missed;
    /// empty where nothing was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtered_by: Option<Vec<String>>,
    /// Only for `trace-start`: the actions that are watched for on this kernel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<Action>,
    /// Only for `trace-start`: what the kernel says of its keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Box<NodeKeys>>,
    /// Only for `trace-end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

impl Trace {
    /// Of a run, and nothing else.
    pub const fn of(session: Arc<Rendered<String>>) -> Self {
        Self {
            session,
            truncated: Vec::new(),
            lost: None,
            since_boottime_ns: None,
            filters: BTreeMap::new(),
            filtered_by: None,
            lost_by_action: BTreeMap::new(),
            watched: Vec::new(),
            keys: None,
            end: None,
        }
    }

    /// Tells what the filters of the stream leave out.
    pub fn set_filters(&mut self, filters: BTreeMap<String, Vec<String>>) {
        self.filtered_by = Some(filters.keys().cloned().collect());
        self.filters = filters;
    }
}

/// What the kernel says of its keys as tracing begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeKeys {
    /// Keys below `net.` that are one for the whole node, whichever namespace shows them; dotted.
    #[schemars(with = "Vec<String>")]
    pub shared: Vec<SmolStr>,
    /// Keys that are names of the same value, each group a list; dotted.
    #[schemars(with = "Vec<Vec<String>>")]
    pub aliases: Vec<Vec<SmolStr>>,
}

/// How a trace ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// Why.
    pub reason: EndReason,
    /// How many lines the stream has, this one included: the last `event.sequence`.
    pub events: u64,
    /// All that was lost.
    pub lost: Lost,
}

/// Why a trace ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// A signal asked for it.
    Signal,
    /// The command that was run has ended.
    CommandEnded,
    /// What was asked for has come: so many events, or so long.
    Limit,
    /// Something went wrong.
    Error,
}

/// How many events were lost, for each cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lost {
    /// The ring buffer was full.
    pub ring_full: u64,
    /// A write began, but too many others were under way to remember it.
    pub in_flight: u64,
    /// The kernel passed over a probe: it was running on that CPU already, or had no room for
    /// another return.
    pub probe_missed: u64,
    /// The kernel's memory could not be read as expected.
    pub unreadable: u64,
}

impl Lost {
    /// What has come since an earlier count.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            ring_full: self.ring_full.saturating_sub(earlier.ring_full),
            in_flight: self.in_flight.saturating_sub(earlier.in_flight),
            probe_missed: self.probe_missed.saturating_sub(earlier.probe_missed),
            unreadable: self.unreadable.saturating_sub(earlier.unreadable),
        }
    }

    /// Both together. A recording may say anything.
    #[must_use]
    pub const fn and(&self, other: &Self) -> Self {
        Self {
            ring_full: self.ring_full.saturating_add(other.ring_full),
            in_flight: self.in_flight.saturating_add(other.in_flight),
            probe_missed: self.probe_missed.saturating_add(other.probe_missed),
            unreadable: self.unreadable.saturating_add(other.unreadable),
        }
    }

    /// All causes together. A recording may say anything.
    pub const fn total(&self) -> u64 {
        self.ring_full
            .saturating_add(self.in_flight)
            .saturating_add(self.probe_missed)
            .saturating_add(self.unreadable)
    }
}
