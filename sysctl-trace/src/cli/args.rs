//! The command line as it is given. [`super::plan`] makes sense of it.

use std::{ffi::OsString, path::PathBuf, sync::LazyLock};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{event::SCHEMA_VERSION, tracer};

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
    /// Tell what this kernel and these privileges allow, and how to mend the rest
    Doctor(Doctor),
    /// Print the JSON Schema of the events
    Schema,
}

const WATCH_EXAMPLES: &str = "\
Examples:
  sysctl-trace watch                               all that happens on this node
  sysctl-trace watch --key 'net.core.*'            some keys; * also matches dots
  sysctl-trace watch --comm '!systemd*'            all but some programs
  sysctl-trace watch --netns /run/netns/blue       what lands in one namespace
  sysctl-trace watch --json -o trace.json --timeout 5m

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
    /// Actions: netns-create, netns-destroy, sysctl-write, netns-enter, netns-bind; ! excludes
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
    /// BTF of this kernel, where it does not have /sys/kernel/btf/vmlinux
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
    /// Kind of probe
    #[arg(long, value_enum, value_name = "KIND", default_value_t = tracer::Attach::Auto)]
    pub attach: tracer::Attach,
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
