//! Files of settings: the folders called sysctl.d, and single files like them.
//!
//! The rules are those of sysctl.d(5): a file masks files of the same name in later folders, files
//! are read in the order of their names, and the last assignment to a key counts. systemd-sysctl
//! writes that one only. sysctl(8) has the same folders and reads /etc/sysctl.conf after them; it
//! writes every assignment, so that there, too, the last one stays. With both, a pattern does not
//! apply to keys that are named, be it to exclude them.

use std::collections::BTreeMap;

use super::{
    TEXT_MAX,
    arguments::{Inputs, Reader},
    path_of,
    pattern::{is_pattern, matches},
};
use crate::{
    attribute::runtime::State,
    event::{Requester, RequesterSource},
};

/// The folders; the first that has a file of a name has it for all.
const FOLDERS: [&str; 5] = [
    "etc/sysctl.d",
    "run/sysctl.d",
    "usr/local/lib/sysctl.d",
    "usr/lib/sysctl.d",
    "lib/sysctl.d",
];
/// What sysctl(8) reads last.
const LAST: &str = "etc/sysctl.conf";
/// How many files are read.
const FILES_MAX: usize = 256;
/// How many assignments are kept.
const ASSIGNMENTS_MAX: usize = 16_384;

/// One line of a file that sets a key, or excludes it from patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// A path below /proc/sys, or a pattern of paths.
    path: String,
    /// The value as it stands there; absent in a line that excludes.
    value: Option<String>,
    /// The file.
    file: String,
    /// From 1.
    line: u32,
}

/// What the files of the node ask to set a key to, in the order in which their reader writes it: the
/// last is the value that stays. Empty where they leave it alone. Needs no event.
pub fn sysctl_files(state: &State, reader: Reader, key: &str) -> Vec<Requester> {
    let inputs = Inputs {
        reader,
        files: None,
    };
    requesters(&read(state, &inputs), reader, &path_of(key))
}

/// Every assignment of the files that a program was given, in the order in which they are read.
pub(super) fn read(state: &State, inputs: &Inputs) -> Vec<Assignment> {
    let mut found = Vec::new();
    for path in files(state, inputs).into_iter().take(FILES_MAX) {
        if let Some(bytes) = state.configuration(&path) {
            found.extend(assignments(&bytes, &format!("/{path}")));
        }
    }
    found.truncate(ASSIGNMENTS_MAX);
    found
}

fn files(state: &State, inputs: &Inputs) -> Vec<String> {
    if let Some(files) = &inputs.files {
        let path = |file: &String| match file.strip_prefix('/') {
            Some(path) => Some(path.to_owned()),
            None => searched(state, inputs.reader, file),
        };
        return files.iter().filter_map(path).collect();
    }
    let mut by_name = BTreeMap::new();
    for folder in FOLDERS {
        for name in state.configurations(folder) {
            if name.ends_with(".conf") {
                let path = format!("{folder}/{name}");
                by_name.entry(name).or_insert(path);
            }
        }
    }
    let mut files: Vec<_> = by_name.into_values().collect();
    match inputs.reader {
        Reader::Systemd => {}
        Reader::Procps => files.push(LAST.to_owned()),
    }
    files
}

/// A file that is named without its folder: systemd-sysctl looks for it in its own. Where sysctl(8)
/// finds it is not known, as that depends on the folder it was started in.
fn searched(state: &State, reader: Reader, name: &str) -> Option<String> {
    match reader {
        Reader::Systemd => FOLDERS
            .into_iter()
            .find(|folder| state.configurations(folder).iter().any(|n| n == name))
            .map(|folder| format!("{folder}/{name}")),
        Reader::Procps => None,
    }
}

/// The assignments in one file. Pure and total.
fn assignments(bytes: &[u8], file: &str) -> Vec<Assignment> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split('\n').zip(1..);
    lines
        .filter_map(|(text, line)| assignment(text, file, line))
        .collect()
}

fn assignment(text: &str, file: &str, line: u32) -> Option<Assignment> {
    let text = text.trim_ascii();
    if text.len() > TEXT_MAX || text.starts_with(['#', ';']) {
        return None;
    }
    let (key, value) = match text.split_once('=') {
        // Failing to set it is no error.
        Some((key, value)) => (
            key.strip_prefix('-').unwrap_or(key),
            Some(value.trim_ascii().to_owned()),
        ),
        None => (text.strip_prefix('-')?, None),
    };
    let path = path_of(key.trim_ascii());
    (!path.is_empty()).then(|| Assignment {
        path,
        value,
        file: file.to_owned(),
        line,
    })
}

/// The assignments that apply to a key, in the order in which they are written. Pure.
pub(super) fn requesters(all: &[Assignment], reader: Reader, path: &str) -> Vec<Requester> {
    let named: Vec<_> = all.iter().filter(|one| one.path == path).collect();
    let applied = match (named.last(), reader) {
        (None, _) => by_pattern(all, reader, path),
        (Some(&last), Reader::Systemd) => vec![last],
        (Some(_), Reader::Procps) => named,
    };
    applied.into_iter().filter_map(requester).collect()
}

/// systemd-sysctl knows each pattern once: where it stood when its value was last changed.
fn by_pattern<'a>(all: &'a [Assignment], reader: Reader, path: &str) -> Vec<&'a Assignment> {
    let applies = |one: &&Assignment| is_pattern(&one.path) && matches(&one.path, path);
    let mut found: Vec<&Assignment> = Vec::new();
    for one in all.iter().filter(applies) {
        let is_again = |earlier: &&Assignment| earlier.path == one.path;
        match (reader, found.iter().position(is_again)) {
            (Reader::Systemd, Some(at)) if found[at].value == one.value => {}
            (Reader::Systemd, Some(at)) => {
                found.remove(at);
                found.push(one);
            }
            (Reader::Systemd, None) | (Reader::Procps, _) => found.push(one),
        }
    }
    found
}

fn requester(assignment: &Assignment) -> Option<Requester> {
    Some(Requester {
        source: RequesterSource::SysctlFile,
        value: assignment.value.clone()?,
        file: Some(assignment.file.clone()),
        line: Some(assignment.line),
    })
}

#[cfg(test)]
#[path = "sysctl_d_tests.rs"]
mod tests;
