//! What to do, made from the arguments and checked. No look at the machine is needed for it.

use std::{
    collections::BTreeMap, error::Error as StdError, ffi::OsString, path::PathBuf, time::Duration,
};

use globset::{Glob, GlobBuilder};
use jiff::SignedDuration;

use crate::{
    cli::{args, size},
    event::{Action, SOMAXCONN},
    filter::{self, Globs, Sign, Values},
    node::key::{Key, Keys},
    recorder::reader::KEYS_MAX,
    tracer,
};

/// What `watch` and `run` have in common.
#[derive(Debug)]
pub struct Plan<C> {
    /// What only this command has.
    pub command: C,
    /// Which events to show, but for `netns`.
    pub filter: filter::Filter,
    /// Which namespaces to show; paths are looked up at the start.
    pub netns: Vec<Sign<Netns>>,
    /// All that narrows the events, as it was given, by the names of the options.
    pub filters: BTreeMap<String, Vec<String>>,
    /// How to show them.
    pub output: Output,
    /// How to trace.
    pub tracer: tracer::Options,
    /// Whether loss is a failure.
    pub strict: bool,
}

/// What only `watch` has.
#[derive(Debug, PartialEq, Eq)]
pub struct Watch {
    /// How many events to show.
    pub count: Option<u64>,
    /// How long to go on.
    pub timeout: Option<Duration>,
    /// Where to be asked.
    pub socket: Option<PathBuf>,
    /// Which live values to compare; `None` where none are.
    pub reconcile: Option<Reconcile>,
}

/// How to compare live values with what is expected.
#[derive(Debug, PartialEq, Eq)]
pub struct Reconcile {
    /// How often at least.
    pub every: Duration,
    /// The keys, all below net.
    pub keys: Vec<Key>,
}

/// What only `run` has.
#[derive(Debug)]
pub struct Run {
    /// The command.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Whether only the command and its descendants are of interest.
    pub tree: bool,
    /// The keys that verdicts are given on at the end.
    pub keys: Keys,
}

/// How to show events.
#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    /// JSON instead of a table.
    pub json: bool,
    /// A file instead of standard output.
    pub file: Option<PathBuf>,
    /// When to use colour.
    pub color: args::Color,
    /// No notices.
    pub quiet: bool,
}

/// A network namespace as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Netns {
    /// By its number.
    Inum(u32),
    /// By a file that stands for it.
    Path(PathBuf),
}

/// An argument that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("invalid value '{value}' for '{option}': {reason}")]
pub struct Error {
    option: &'static str,
    value: String,
    reason: Box<dyn StdError + Send + Sync>,
}

impl Plan<Watch> {
    /// Makes sense of the arguments of `watch`.
    pub fn watch(args: &args::Watch) -> Result<Self, Error> {
        if args.count == Some(0) {
            return Err(error("-n <COUNT>", "0", "must be 1 or more"));
        }
        let timeout = args.timeout.as_deref().map(timeout).transpose()?;
        let command = Watch {
            count: args.count,
            timeout,
            socket: socket(&args.recorder)?,
            reconcile: reconcile(&args.recorder)?,
        };
        let is_asked = command.socket.is_some();
        let mut plan = Self::new(command, &args.filter, &args.output, &args.probes)?;
        plan.tracer.survey |= is_asked;
        Ok(plan)
    }
}

impl Plan<Run> {
    /// Makes sense of the arguments of `run`.
    pub fn run(args: &args::Run) -> Result<Self, Error> {
        let Some((program, rest)) = args.command.split_first() else {
            return Err(error("<CMD>...", "", "must be given"));
        };
        let command = Run {
            program: program.clone(),
            args: rest.to_vec(),
            tree: args.tree,
            keys: verdict_keys(&args.filter.key)?,
        };
        let mut plan = Self::new(command, &args.filter, &args.output, &args.probes)?;
        plan.tracer.survey = true;
        if args.tree {
            plan.filters.insert("tree".into(), vec!["true".into()]);
        }
        Ok(plan)
    }
}

impl<C> Plan<C> {
    fn new(
        command: C,
        filter: &args::Filter,
        output: &args::Output,
        probes: &args::Probes,
    ) -> Result<Self, Error> {
        Ok(Self {
            command,
            filter: filter::Filter {
                key: globs("--key <GLOB>", &filter.key, key_pattern)?,
                action: values("--action <ACTION>", &filter.action, action)?,
                pid: values("--pid <PID>", &filter.pid, number)?,
                comm: globs("--comm <GLOB>", &filter.comm, |pattern| pattern)?,
                netns: Values::default(),
                component: globs("--component <GLOB>", &filter.component, |pattern| pattern)?,
                container: globs("--container <GLOB>", &filter.container, |pattern| pattern)?,
                pod: globs("--pod <GLOB>", &filter.pod, |pattern| pattern)?,
                namespace: globs("--namespace <GLOB>", &filter.namespace, |pattern| pattern)?,
                runtime: globs("--runtime <GLOB>", &filter.runtime, |pattern| pattern)?,
            },
            netns: signs("--netns <INUM|PATH>", &filter.netns, netns)?,
            filters: as_given(filter),
            output: Output {
                json: output.json,
                file: output.file.clone(),
                color: output.color,
                quiet: output.quiet,
            },
            tracer: tracer::Options {
                attach: probes.attach,
                btf: probes.btf.clone(),
                buffer_bytes: buffer(&probes.buffer)?,
                args: output.args,
                settle: settle(&probes.settle)?,
                // Who reads only what happens needs no answers.
                survey: output.json,
            },
            strict: probes.strict,
        })
    }
}

/// The filters by the names of their options; those not given are absent.
fn as_given(filter: &args::Filter) -> BTreeMap<String, Vec<String>> {
    let args::Filter {
        key,
        action,
        pid,
        comm,
        netns,
        container,
        pod,
        namespace,
        runtime,
        component,
    } = filter;
    [
        ("key", key),
        ("action", action),
        ("pid", pid),
        ("comm", comm),
        ("netns", netns),
        ("container", container),
        ("pod", pod),
        ("namespace", namespace),
        ("runtime", runtime),
        ("component", component),
    ]
    .into_iter()
    .filter(|(_, values)| !values.is_empty())
    .map(|(option, values)| (option.to_owned(), values.clone()))
    .collect()
}

/// An argument that is refused.
pub(super) fn error(
    option: &'static str,
    value: impl Into<String>,
    reason: impl Into<Box<dyn StdError + Send + Sync>>,
) -> Error {
    Error {
        option,
        value: value.into(),
        reason: reason.into(),
    }
}

fn signs<'a, T, E: Into<Box<dyn StdError + Send + Sync>>>(
    option: &'static str,
    texts: &'a [String],
    read: impl Fn(&'a str) -> Result<T, E>,
) -> Result<Vec<Sign<T>>, Error> {
    texts
        .iter()
        .map(|text| {
            Sign::of(text)
                .try_map(&read)
                .map_err(|reason| error(option, text, reason))
        })
        .collect()
}

fn values<T: PartialEq>(
    option: &'static str,
    texts: &[String],
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Values<T>, Error> {
    let mut values = Values::default();
    for sign in signs(option, texts, read)? {
        values.add(sign);
    }
    Ok(values)
}

fn globs(
    option: &'static str,
    texts: &[String],
    strip: impl Fn(&str) -> &str,
) -> Result<Globs, Error> {
    let signs = signs(option, texts, |pattern| glob(strip(pattern)))?;
    Globs::new(&signs).map_err(|reason| error(option, texts.join(" "), reason.kind().to_string()))
}

fn glob(pattern: &str) -> Result<Glob, String> {
    if pattern.is_empty() {
        return Err("an empty pattern matches nothing".into());
    }
    GlobBuilder::new(pattern)
        .backslash_escape(true)
        .build()
        .map_err(|error| error.kind().to_string())
}

/// The keys that `--key` asks for; where it names none, the one that every namespace begins with.
fn verdict_keys(patterns: &[String]) -> Result<Keys, Error> {
    let wanted = patterns.iter().filter(|pattern| !pattern.starts_with('!'));
    let mut wanted: Vec<&str> = wanted.map(String::as_str).collect();
    if wanted.is_empty() {
        wanted.push(SOMAXCONN);
    }
    Keys::parse(&wanted).map_err(|reason| error("--key <GLOB>", patterns.join(" "), reason))
}

/// A key may be given as the path of its file.
fn key_pattern(pattern: &str) -> &str {
    pattern.strip_prefix("/proc/sys/").unwrap_or(pattern)
}

fn action(name: &str) -> Result<Action, String> {
    Action::ALL
        .into_iter()
        .find(|action| action.name() == name)
        .ok_or_else(|| {
            let names: Vec<&str> = Action::ALL.into_iter().map(Action::name).collect();
            format!("must be one of {}", names.join(", "))
        })
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "must be a number".into())
}

fn netns(text: &str) -> Result<Netns, String> {
    if text.contains('/') {
        return Ok(Netns::Path(text.into()));
    }
    // As the link /proc/PID/ns/net shows it.
    let inum = text
        .strip_prefix("net:[")
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    inum.parse()
        .map(Netns::Inum)
        .map_err(|_| "must be an inode number, or a path with a slash in it".into())
}

fn socket(recorder: &args::Recorder) -> Result<Option<PathBuf>, Error> {
    match &recorder.socket {
        Some(path) if path.file_name().is_none() => Err(error(
            "--socket[=<PATH>]",
            path.to_string_lossy(),
            "must be the path of a file",
        )),
        other => Ok(other.clone()),
    }
}

fn reconcile(recorder: &args::Recorder) -> Result<Option<Reconcile>, Error> {
    let text = &*recorder.reconcile;
    let refuse = |reason: &str| error("--reconcile <DURATION>", text, reason);
    let keys = reconcile_keys(&recorder.reconcile_key)?;
    if text == "0" {
        return Ok(None);
    }
    let duration: SignedDuration = text
        .parse()
        .map_err(|_| refuse("not a duration; examples: 0, 30s, 5m"))?;
    match Duration::try_from(duration) {
        Ok(every) if every >= RECONCILE_MIN => Ok(Some(Reconcile { every, keys })),
        Ok(_) | Err(_) => Err(refuse("must be 0, or 1s or more")),
    }
}

/// Each round looks at every process.
const RECONCILE_MIN: Duration = Duration::from_secs(1);

fn reconcile_keys(texts: &[String]) -> Result<Vec<Key>, Error> {
    let refuse = |text: &str, reason: String| error("--reconcile-key <KEY>", text, reason);
    if let Some(text) = texts.get(KEYS_MAX) {
        return Err(refuse(text, format!("there are more than {KEYS_MAX}")));
    }
    let key = |text: &String| {
        let key = Key::parse(text).map_err(|reason| refuse(text, reason.to_string()))?;
        if !key.is_of_netns() {
            return Err(refuse(text, "must be a key below net.".into()));
        }
        Ok(key)
    };
    texts.iter().map(key).collect()
}

fn timeout(text: &str) -> Result<Duration, Error> {
    let refuse = |reason: String| error("--timeout <DURATION>", text, reason);
    let duration: SignedDuration = text
        .parse()
        .map_err(|_| refuse("not a duration; examples: 500ms, 30s, 5m, 1h30m".into()))?;
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) | Err(_) => Err(refuse("must be longer than nothing".into())),
    }
}

fn settle(text: &str) -> Result<Duration, Error> {
    let refuse = |reason: &str| error("--settle <DURATION>", text, reason);
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let duration: SignedDuration = text
        .parse()
        .map_err(|_| refuse("not a duration; examples: 0, 200ms, 1s"))?;
    match Duration::try_from(duration) {
        Ok(duration) if duration <= SETTLE_MAX => Ok(duration),
        Ok(_) | Err(_) => Err(refuse("must be between 0 and 10s")),
    }
}

/// Events that wait take memory.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// The kernel wants a power of two of whole pages. Pages are of 4 KiB up to 64 KiB; the buffer
/// must also hold a few records.
const BUFFER_MIN: u64 = 64 << 10;
const BUFFER_MAX: u64 = 1 << 30;

fn buffer(text: &str) -> Result<u32, Error> {
    let refuse = |reason: String| error("--buffer <SIZE>", text, reason);
    let bytes = size::parse(text).map_err(|reason| refuse(reason.to_string()))?;
    if !(BUFFER_MIN..=BUFFER_MAX).contains(&bytes) {
        return Err(refuse(format!(
            "must be between {} and {}",
            size::text(BUFFER_MIN),
            size::text(BUFFER_MAX)
        )));
    }
    if !bytes.is_power_of_two() {
        let above = bytes.next_power_of_two();
        return Err(refuse(format!(
            "must be a power of two, such as {} or {}",
            size::text(above / 2),
            size::text(above)
        )));
    }
    u32::try_from(bytes).map_err(|reason| refuse(reason.to_string()))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
