//! What the tracer makes of each key's memory, compared with what the key's file shows, in the node's
//! network namespace and in a new one, before and after a change.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, unshare};
use serde::Deserialize;

use super::{Context, tracer::PROGRAM};

/// The page that is made of [`section`]s by `cargo xtask keys`.
const PAGE: &str = include_str!("../../../docs/keys.md");
/// How many of a hundred readable keys must be decoded.
const DECODED_PERCENT: usize = 95;
/// Looks at keys that change by themselves: one of so many must agree.
const TRIES: usize = 4;

/// Not written for a try: what can't be undone, or ends or stalls the guest.
const NOT_TRIED: &[&str] = &[
    "kernel/kexec_load_limit_panic",
    "kernel/kexec_load_limit_reboot",
    "kernel/unprivileged_bpf_disabled",
    "kernel/ftrace_enabled",
    "kernel/tainted",
    "kernel/usermodehelper/bset",
    "kernel/usermodehelper/inheritable",
    "net/core/bpf_jit_enable",
];

/// Handlers that hold a value in `ctl_table.data` by their very contract; keys of all others are
/// also written.
const GENERAL: &[&str] = &[
    "proc_dointvec",
    "proc_dointvec_minmax",
    "proc_douintvec",
    "proc_douintvec_minmax",
    "proc_doulongvec_minmax",
    "proc_dou8vec_minmax",
    "proc_dobool",
    "proc_dointvec_jiffies",
    "proc_dointvec_ms_jiffies",
    "proc_dointvec_ms_jiffies_minmax",
    "proc_dointvec_userhz_jiffies",
    "proc_doulongvec_ms_jiffies_minmax",
    "proc_dostring",
];

/// A line of `sysctl-trace doctor --keys --json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: String,
    #[serde(rename = "type")]
    type_: String,
    handler: Option<String>,
    #[expect(dead_code, reason = "the comparison does not need it")]
    netns: Option<u32>,
    value: Option<String>,
    is_cut: bool,
    reason: Option<String>,
}

/// What the comparison found.
#[derive(Debug, Default)]
struct Found {
    /// Keys that /proc/sys shows.
    shown: usize,
    /// Of these, those whose files can't be read.
    unreadable: usize,
    /// Decoded, and equal to what the file shows.
    equal: usize,
    /// Not decoded, by the reason: keys with their handlers.
    not_decoded: BTreeMap<String, BTreeSet<String>>,
    /// Decoded to something else.
    wrong: Vec<String>,
}

impl Found {
    fn readable(&self) -> usize {
        self.shown - self.unreadable
    }
}

/// The case.
pub fn run(context: &Context) -> Result<()> {
    let node = compare()?;
    let changed = compare_changed()?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    let new = compare()?;
    let changed_there = compare_changed()?;
    println!("written and compared: {changed} keys, in a new network namespace {changed_there}");
    ensure!(changed > 100, "only {changed} keys could be written");
    for (place, found) in [("the node's", &node), ("a new", &new)] {
        ensure!(
            found.wrong.is_empty(),
            "in {place} network namespace, wrong: {:#?}",
            found.wrong
        );
        ensure!(
            found.equal * 100 >= found.readable() * DECODED_PERCENT,
            "in {place} network namespace {} of {} readable keys are decoded: {:#?}",
            found.equal,
            found.readable(),
            found.not_decoded,
        );
    }
    let section = text(&context.kernel, &node, &new)?;
    ensure!(
        PAGE.contains(&section),
        "docs/keys.md does not say this; `cargo xtask keys` writes it anew:\n{section}"
    );
    Ok(())
}

/// The kernel's section of the page.
pub fn section(kernel: &str) -> Result<String> {
    let node = compare()?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    text(kernel, &node, &compare()?)
}

fn text(kernel: &str, node: &Found, new: &Found) -> Result<String> {
    let mut text = format!(
        "## {kernel}\n\n\
         | network namespace | keys shown | of these readable | decoded and equal | not decoded |\n\
         |---|---|---|---|---|\n"
    );
    for (name, found) in [("the node's", node), ("a new one", new)] {
        let readable = found.readable();
        let part = found.equal as f64 * 100.0 / readable as f64;
        writeln!(
            text,
            "| {name} | {} | {readable} | {} ({part:.1} %) | {} |",
            found.shown,
            found.equal,
            readable - found.equal,
        )?;
    }
    text.push_str("\nNot decoded of those that can be read:\n\n");
    for (reason, keys) in &node.not_decoded {
        let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
        writeln!(text, "* {reason}: {}", keys.join(", "))?;
    }
    Ok(text)
}

/// All keys that this network namespace shows.
fn compare() -> Result<Found> {
    let mut found = Found::default();
    let mut doubtful = Vec::new();
    for line in survey()? {
        found.shown += 1;
        let Some(shown) = shown(&line.path) else {
            found.unreadable += 1;
            continue;
        };
        match &line.value {
            Some(value) if agree(&line, value, &shown) => found.equal += 1,
            Some(_) => doubtful.push(line.path),
            None => {
                let handler = line.handler.as_deref().unwrap_or("no handler");
                let reason = line
                    .reason
                    .unwrap_or_else(|| format!("nothing is known of {handler}"));
                found
                    .not_decoded
                    .entry(reason)
                    .or_default()
                    .insert(line.path.replace('/', "."));
            }
        }
    }
    // Some keys change by themselves.
    for _ in 1..TRIES {
        if doubtful.is_empty() {
            break;
        }
        let lines = by_path()?;
        doubtful.retain(|path| {
            let Some((line, shown)) = lines.get(path).zip(shown(path)) else {
                return true;
            };
            let equal = line
                .value
                .as_ref()
                .is_some_and(|value| agree(line, value, &shown));
            found.equal += usize::from(equal);
            !equal
        });
    }
    let lines = by_path()?;
    for path in doubtful {
        let line = lines.get(&path);
        found
            .wrong
            .push(format!("{path}: memory {line:?}, file {:?}", shown(&path)));
    }
    Ok(found)
}

/// Writes another number to each key that is not served by a general handler, looks at memory and
/// file, and puts back what was there. How many took another value.
fn compare_changed() -> Result<usize> {
    let mut before = Vec::new();
    for line in survey()? {
        let general = line
            .handler
            .as_ref()
            .is_none_or(|handler| GENERAL.contains(&handler.as_str()));
        if general || line.value.is_none() || NOT_TRIED.contains(&line.path.as_str()) {
            continue;
        }
        let Some(old) = shown(&line.path) else {
            continue;
        };
        if others(&old).iter().any(|other| {
            write(&line.path, other) && shown(&line.path).is_some_and(|now| now != old)
        }) {
            before.push((line.path, old));
        }
    }
    let lines = by_path()?;
    let mut wrong = Vec::new();
    for (path, _) in &before {
        let line = lines.get(path).context("a key that is gone")?;
        let shown = shown(path).unwrap_or_default();
        if !line
            .value
            .as_ref()
            .is_some_and(|value| agree(line, value, &shown))
        {
            wrong.push(format!("{path}: memory {line:?}, file {shown:?}"));
        }
    }
    for (path, old) in before.iter().rev() {
        write(path, old);
    }
    ensure!(wrong.is_empty(), "after a write, wrong: {wrong:#?}");
    Ok(before.len())
}

/// Other values that a key may take.
fn others(old: &str) -> Vec<String> {
    let numbers: Option<Vec<i64>> = old.split('\t').map(|word| word.parse().ok()).collect();
    let Some(numbers) = numbers else {
        return Vec::new();
    };
    let by = |step: i64| {
        let all: Vec<_> = numbers
            .iter()
            .map(|number| number.saturating_add(step).to_string())
            .collect();
        all.join(" ")
    };
    vec![by(1), by(-1)]
}

fn write(path: &str, value: &str) -> bool {
    fs::write(Path::new("/proc/sys").join(path), value).is_ok()
}

/// What a key's file shows, without the last newline; `None` where it can't be read.
fn shown(path: &str) -> Option<String> {
    let bytes = fs::read(Path::new("/proc/sys").join(path)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

fn agree(line: &Line, value: &str, shown: &str) -> bool {
    match line.is_cut {
        true => line.type_ == "string" && shown.starts_with(value),
        false => value == shown,
    }
}

fn by_path() -> Result<BTreeMap<String, Line>> {
    let lines = survey()?;
    Ok(lines
        .into_iter()
        .map(|line| (line.path.clone(), line))
        .collect())
}

fn survey() -> Result<Vec<Line>> {
    let output = Command::new(PROGRAM)
        .args(["doctor", "--keys", "--json"])
        .output()?;
    ensure!(
        output.status.success(),
        "doctor --keys: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)?
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}
