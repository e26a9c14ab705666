//! The command line as it is given. [`super::plan`] makes sense of it.

use std::{ffi::OsString, path::PathBuf, sync::LazyLock};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{
    event::{SCHEMA_VERSION, SOMAXCONN},
    recorder::SOCKET,
    tracer,
};

static VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{} (event schema {SCHEMA_VERSION})",
        env!("CARGO_PKG_VERSION")
    )
});

/// See who sets a kernel setting: every write to /proc/sys and every new network namespace, live.
#[derive(Debug, Parser)]
#[command(name = "sysctl-trace", version = VERSION.as_str(), arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show events as they happen, until Ctrl-C
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(Watch),
    /// Run a command and show what happens on the node while it runs
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Tell who set a value, and what proves it
    #[command(after_help = WHY_EXAMPLES)]
    Why(Why),
    /// List the network namespaces of this node with their values, and who set them
    #[command(after_help = LS_EXAMPLES)]
    Ls(Ls),
    /// Tell what this kernel and these privileges allow, and how to mend the rest
    Doctor(Doctor),
    /// Print the JSON Schema of the events, or of the answers of `why` and `ls`
    Schema(Schema),
}

const WATCH_EXAMPLES: &str = "\
Examples:
  sysctl-trace watch                               all that happens on this node
  sysctl-trace watch --key 'net.core.*'            some keys; * also matches dots
  sysctl-trace watch --comm '!systemd*'            all but some programs
  sysctl-trace watch --netns /run/netns/blue       what lands in one namespace
  sysctl-trace watch --json -o trace.json --timeout 5m
  sysctl-trace watch --quiet --socket >/dev/null   in the background, to be asked by `why`

A filter may be given more than once: values of one option are alternatives, options add up, and
a leading ! excludes. Loss of events is always shown.

Exit status: 0 done (also Ctrl-C, SIGTERM, closed pipe), 1 failed, 2 wrong arguments,
4 events lost and --strict given.";

const RUN_EXAMPLES: &str = "\
Examples:
  sysctl-trace run -- docker run --rm debian true  what the daemons do for it, too
  sysctl-trace run --tree -- unshare -n true       only what this command and its children do
  sysctl-trace run --json -o trace.json -- sysctl --system

CMD shares standard output with the events; -o FILE keeps them apart.

Exit status: that of CMD, or 128+n where signal n ended it; 1 failed before CMD was started,
2 wrong arguments, 4 events lost and --strict given, 125 failed later, 126 CMD cannot be
executed, 127 CMD not found.";

const WHY_EXAMPLES: &str = "\
Examples:
  sysctl-trace why web                             a container, by its name or the beginning of its id
  sysctl-trace why shop/cart-1 net.ipv4.tcp_rmem   a pod, another key
  sysctl-trace why /run/netns/blue 'net.ipv4.*'    a namespace by its file, several keys
  sysctl-trace why node vm.swappiness
  sysctl-trace why --from trace.json web           asks a recording, not this node

Where a recorder runs (`sysctl-trace watch --socket`) the answer is what it saw. Where none does, it
is inferred from what the node holds: the value, the container's specification, files in sysctl.d.

Exit status: 0 there is an answer, observed or inferred; 3 not enough evidence; 1 failed, such as
where there is no such target; 2 wrong arguments.";

const LS_EXAMPLES: &str = "\
Examples:
  sysctl-trace ls                                  net.core.somaxconn in every namespace
  sysctl-trace ls --diff                           only where it is not the node's
  sysctl-trace ls net.ipv4.tcp_rmem 'net.ipv4.ip_*'

A ? behind a word in SET BY means inferred.

Exit status: 0 done, 1 failed, 2 wrong arguments.";

/// Arguments of `why`.
#[derive(Debug, clap::Args)]
pub struct Why {
    /// A container's name or id, a pod as NAMESPACE/NAME, a pid, the number of a network namespace, a
    /// file such as /run/netns/NAME, or node
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// The key, as net.core.somaxconn or net/core/somaxconn; * ? [a-z] {a,b} for several
    #[arg(value_name = "KEY", default_value = SOMAXCONN)]
    pub key: String,
    /// Ask a recording, written by --json, instead of this node; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    pub from: Option<OsString>,
    /// In a recording of several boots or machines: the boot whose id begins so
    #[arg(long, value_name = "ID", requires = "from")]
    pub boot: Option<String>,
    #[command(flatten)]
    pub ask: Ask,
    /// JSON instead of text, one object a line for each key
    #[arg(long)]
    pub json: bool,
    /// Colour the text
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
}

/// Arguments of `ls`.
#[derive(Debug, clap::Args)]
pub struct Ls {
    /// The keys, as net.core.somaxconn or net/core/somaxconn; * ? [a-z] {a,b} for several
    #[arg(value_name = "KEY", default_values_t = [SOMAXCONN.to_owned()])]
    pub keys: Vec<String>,
    /// Only what differs from the node's own namespace
    #[arg(long)]
    pub diff: bool,
    #[command(flatten)]
    pub ask: Ask,
    /// JSON instead of a table, one object a line for each namespace and key
    #[arg(long)]
    pub json: bool,
    /// No progress and no summary on standard error
    #[arg(short, long)]
    pub quiet: bool,
}

/// Where a recorder is asked.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Socket of the recorder; without it /run/sysctl-trace/watch.sock is asked if it is there
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Do not ask a recorder
    #[arg(long, conflicts_with = "socket")]
    pub no_recorder: bool,
}

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
pub struct Watch {
    /// End after this many events
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub count: Option<u64>,
    /// End after this time, such as 30s, 5m or 1h30m
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    #[command(flatten)]
    pub filter: Filter,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub probes: Probes,
    #[command(flatten)]
    pub recorder: Recorder,
}

/// How to be asked.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Recorder")]
pub struct Recorder {
    /// Answer `sysctl-trace why` over a Unix socket, which root and the same user may ask
    #[arg(
        long,
        value_name = "PATH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = SOCKET
    )]
    pub socket: Option<PathBuf>,
    /// How often to compare live values with what the writes that were seen account for, in every
    /// namespace; 0 never does. It is also done when a namespace becomes a container's, and when
    /// asked
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub reconcile: String,
    /// A key below net. to compare so; may be given again
    #[arg(long, value_name = "KEY", default_value = SOMAXCONN)]
    pub reconcile_key: Vec<String>,
}

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// Show only what CMD and its descendants do
    #[arg(long)]
    pub tree: bool,
    #[command(flatten)]
    pub filter: Filter,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub probes: Probes,
    /// The command to run, and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Which events to show.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct Filter {
    /// Keys, as net.core.somaxconn or net/core/somaxconn; * ? [a-z] {a,b}; ! excludes
    #[arg(long, value_name = "GLOB")]
    pub key: Vec<String>,
    /// Actions: netns-create, netns-destroy, sysctl-write, netns-enter, netns-bind, sysctl-drift;
    /// ! excludes
    #[arg(long, value_name = "ACTION")]
    pub action: Vec<String>,
    /// Process ids, as the initial pid namespace counts them; ! excludes
    #[arg(long, value_name = "PID")]
    pub pid: Vec<String>,
    /// Names of processes (comm); * ? [a-z] {a,b}; ! excludes
    #[arg(long, value_name = "GLOB")]
    pub comm: Vec<String>,
    /// Network namespaces made, destroyed or written to: inode number, or a path such as
    /// /run/netns/NAME or /proc/PID/ns/net; ! excludes
    #[arg(long, value_name = "INUM|PATH")]
    pub netns: Vec<String>,
    /// Containers, by name or id, that the process is in or that the namespace belongs to
    #[arg(long, value_name = "GLOB")]
    pub container: Vec<String>,
    /// Pods, by name or UID
    #[arg(long, value_name = "GLOB")]
    pub pod: Vec<String>,
    /// Kubernetes namespaces of pods
    #[arg(long, value_name = "GLOB")]
    pub namespace: Vec<String>,
    /// Container runtimes, such as docker, containerd, podman
    #[arg(long, value_name = "GLOB")]
    pub runtime: Vec<String>,
    /// Components, such as runc, dockerd or 'cni:*'
    #[arg(long, value_name = "GLOB")]
    pub component: Vec<String>,
}

/// What to show of them, and where.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// One JSON object a line instead of a table
    #[arg(long)]
    pub json: bool,
    /// Write events to a file instead of standard output; a regular file is emptied first
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Colour the table
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
    /// No notices and no summary on standard error; errors and loss are still told
    #[arg(short, long)]
    pub quiet: bool,
    /// What to tell of argument vectors, which may hold secrets
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = tracer::Args::Redacted)]
    pub args: tracer::Args,
}

/// How to trace.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tracing")]
pub struct Probes {
    /// Kind of probe
    #[arg(long, value_enum, value_name = "KIND", default_value_t = tracer::Attach::Auto)]
    pub attach: tracer::Attach,
    /// BTF of this kernel, where it does not have /sys/kernel/btf/vmlinux
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
    /// Size of the ring buffer: a power of two, in bytes or with K, M, G (KiB, MiB, GiB)
    #[arg(long, value_name = "SIZE", default_value = "8MiB")]
    pub buffer: String,
    /// How long an event may wait for what the runtimes write to disk about its container, such as
    /// 200ms; 0 never waits
    #[arg(long, value_name = "DURATION", default_value = "200ms")]
    pub settle: String,
    /// End with status 4 if events were lost
    #[arg(long)]
    pub strict: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// One JSON object instead of a table
    #[arg(long)]
    pub json: bool,
    /// List every key below /proc/sys with what the kernel's memory says of it
    #[arg(long)]
    pub keys: bool,
    /// BTF of this kernel, where it does not have /sys/kernel/btf/vmlinux
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
    /// Kind of probe
    #[arg(long, value_enum, value_name = "KIND", default_value_t = tracer::Attach::Auto)]
    pub attach: tracer::Attach,
}

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub struct Schema {
    /// Lines of which kind
    #[arg(value_enum, value_name = "WHAT", default_value_t = What::Events)]
    pub what: What,
}

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Of `watch` and `run`.
    Events,
    /// Of `why` and `ls`.
    Answers,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
