//! Each key's memory, as `sysctl-trace doctor --keys` has it, beside what the key's file shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::cases::tracer::PROGRAM;

const ROOT: &str = "/proc/sys";
/// How often a key is looked at that moves between two readings of its file.
const LOOKS: usize = 5;

/// Names of keys that the kernel changes by itself all the time, and what it counts there. Their memory
/// must lie between two readings of the file.
const MOVING: &[(&str, &str)] = &[
    ("entropy_avail", "randomness that was gathered"),
    (
        "max_newidle_lb_cost",
        "what it cost a processor to look for work",
    ),
];

/// The type of what is not decoded.
const NOT_DECODED: &str = "not-decoded";

/// A line of `sysctl-trace doctor --keys --json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub path: String,
    #[serde(rename = "type")]
    type_: String,
    pub handler: Option<String>,
    #[expect(dead_code, reason = "the comparison does not need it")]
    netns: Option<u32>,
    /// Of the value as a whole; `None` where it is not decoded.
    pub value: Option<String>,
    is_cut: bool,
    reason: Option<String>,
}

/// Keys by why something is so.
pub type ByReason = BTreeMap<String, BTreeSet<String>>;

/// How the keys compare.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// Keys that /proc/sys shows.
    pub shown: usize,
    /// Of these, decoded to what the file shows.
    pub equal: usize,
    /// Of the equal ones, those that move by themselves, by what moves them.
    pub moving: ByReason,
    /// Not decoded.
    pub not_decoded: ByReason,
    /// Those that have nothing to compare with, as their files can't be read.
    pub unreadable: ByReason,
}

/// Compares all keys that the caller sees; with what is wrong.
pub fn all() -> Result<(Found, Vec<String>)> {
    let mut found = Found::default();
    let mut wrong = Vec::new();
    let mut looks = look()?;
    let mut left = BTreeMap::new();
    for (path, look) in &looks {
        found.shown += 1;
        if let Some(verdict) = look.verdict() {
            found.enter(path, verdict, &mut wrong);
        } else {
            left.insert(path.clone(), LOOKS);
        }
    }
    // What moved is looked at again.
    while !left.is_empty() {
        looks = look()?;
        left.retain(|path, tries| {
            *tries -= 1;
            let Some(look) = looks.get(path) else {
                wrong.push(format!("{path} is gone"));
                return false;
            };
            match look.verdict() {
                Some(verdict) => found.enter(path, verdict, &mut wrong),
                None if *tries == 0 => wrong.push(format!("{path} does not rest: {look:?}")),
                None => return true,
            }
            false
        });
    }
    for (path, look) in &looks {
        if let (Some(why), Some(_)) = (look.moved_by, look.value()) {
            insert(&mut found.moving, why, path);
        }
    }
    Ok((found, wrong))
}

impl Found {
    /// Keys that can be compared.
    pub fn readable(&self) -> usize {
        let unreadable: usize = self.unreadable.values().map(BTreeSet::len).sum();
        self.shown - unreadable
    }

    fn enter(&mut self, path: &str, verdict: Verdict, wrong: &mut Vec<String>) {
        match verdict {
            Verdict::Equal => self.equal += 1,
            Verdict::NotDecoded(reason) => insert(&mut self.not_decoded, &reason, path),
            Verdict::Unreadable(reason) => insert(&mut self.unreadable, &reason, path),
            Verdict::Wrong(what) => wrong.push(format!("{path}: {what}")),
        }
    }
}

fn insert(by: &mut ByReason, reason: &str, path: &str) {
    let keys = by.entry(reason.to_owned()).or_default();
    keys.insert(path.replace('/', "."));
}

/// What one look says of a key.
enum Verdict {
    Equal,
    NotDecoded(String),
    Unreadable(String),
    Wrong(String),
}

/// The file, the memory, the file again.
#[derive(Debug)]
struct Look {
    before: Shown,
    /// `None` where the survey leaves the key out.
    line: Option<Line>,
    after: Shown,
    /// As in [`MOVING`].
    moved_by: Option<&'static str>,
}

/// What a key's file shows, without the last newline; else why it can't be read.
type Shown = Result<String, String>;

impl Look {
    /// `None` where the key moved meanwhile, so that another look must tell.
    fn verdict(&self) -> Option<Verdict> {
        let (before, after) = match (&self.before, &self.after) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(reason), _) | (_, Err(reason)) => {
                return Some(Verdict::Unreadable(reason.clone()));
            }
        };
        let Some(line) = &self.line else {
            return Some(Verdict::Wrong("the survey leaves it out".to_owned()));
        };
        let Some(value) = self.value() else {
            return Some(Verdict::NotDecoded(line.reason()));
        };
        if line.type_ == NOT_DECODED {
            return Some(Verdict::Wrong(format!("a value of no type: {line:?}")));
        }
        let equal = match self.moved_by {
            Some(_) if is_between(value, before, after) => true,
            None if before == after => value == before,
            Some(_) | None => return None,
        };
        Some(match equal {
            true => Verdict::Equal,
            false => Verdict::Wrong(format!("{line:?}, its file {before:?}, then {after:?}")),
        })
    }

    fn value(&self) -> Option<&str> {
        self.line.as_ref()?.value()
    }
}

impl Line {
    /// The value, where it is decoded and whole.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref().filter(|_| !self.is_cut)
    }

    fn reason(&self) -> String {
        match &self.reason {
            Some(reason) => reason.clone(),
            None if self.is_cut => "it is longer than what is recorded of a value".to_owned(),
            None => {
                let handler = self
                    .handler
                    .as_deref()
                    .unwrap_or("a handler without a name");
                format!("nothing is known of its handler, {handler}")
            }
        }
    }
}

/// What moves a key, where the kernel does so all the time.
fn moved_by(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next();
    let mut moving = MOVING.iter();
    let (_, why) = moving.find(|(moving, _)| Some(*moving) == name)?;
    Some(why)
}

/// Whether each number lies between those of two readings.
fn is_between(value: &str, before: &str, after: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<i64>> {
        text.split('\t').map(|word| word.parse().ok()).collect()
    };
    let (Some(value), Some(before), Some(after)) =
        (numbers(value), numbers(before), numbers(after))
    else {
        return false;
    };
    value.len() == before.len()
        && value.len() == after.len()
        && value
            .iter()
            .zip(before.iter().zip(&after))
            .all(|(value, (before, after))| {
                (before.min(after)..=before.max(after)).contains(&value)
            })
}

fn look() -> Result<BTreeMap<String, Look>> {
    let mut paths = Vec::new();
    collect(Path::new(ROOT), &mut paths)?;
    let before: Vec<_> = paths.iter().map(|path| shown(path)).collect();
    let mut lines = survey()?;
    let looks = paths.into_iter().zip(before).map(|(path, before)| {
        let look = Look {
            before,
            line: lines.remove(&path),
            after: shown(&path),
            moved_by: moved_by(&path),
        };
        (path, look)
    });
    Ok(looks.collect())
}

/// Paths of all keys below [`ROOT`].
fn collect(folder: &Path, paths: &mut Vec<String>) -> Result<()> {
    let context = || folder.display().to_string();
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        if entry.file_type().with_context(context)?.is_dir() {
            collect(&entry.path(), paths)?;
        } else {
            let path = entry.path();
            paths.push(path.strip_prefix(ROOT)?.display().to_string());
        }
    }
    Ok(())
}

/// Where a key's file is.
pub fn file(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

/// What a key's file shows.
pub fn shown(path: &str) -> Shown {
    match fs::read(file(path)) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
        }
        Err(error) => Err(why_unreadable(&error)),
    }
}

fn why_unreadable(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "it can only be written".to_owned(),
        _ => format!("reading its file fails ({error})"),
    }
}

/// The memory of all keys, by their paths.
pub fn survey() -> Result<BTreeMap<String, Line>> {
    let output = Command::new(PROGRAM)
        .args(["doctor", "--keys", "--json"])
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "doctor --keys: {errors}");
    String::from_utf8(output.stdout)?
        .lines()
        .map(|text| {
            let line: Line = serde_json::from_str(text).with_context(|| text.to_owned())?;
            Ok((line.path.clone(), line))
        })
        .collect()
}
