//! Keys as the command line names them, and the files below /proc/sys that they stand for.

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    path::Path,
};

use globset::{Glob, GlobBuilder, GlobMatcher};
use smol_str::SmolStr;

use crate::decode;

/// The folder of the keys that a network namespace has for itself.
const OF_NETNS: &str = "net";
/// How many files and folders of one namespace are looked at for patterns.
const VISITED_MAX: usize = 131_072;
/// How many keys patterns may stand for in one namespace.
const FOUND_MAX: usize = 16_384;

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The path of its file below /proc/sys: `net/ipv4/conf/eth0.1/forwarding`.
    pub path: SmolStr,
    /// As sysctl(8) writes it: `net.ipv4.conf.eth0/1.forwarding`.
    pub dotted: SmolStr,
}

/// Text that names no key.
#[derive(Debug, thiserror::Error)]
#[error("'{text}' is no key: {reason}")]
pub struct Error {
    text: String,
    reason: String,
}

/// The keys that are asked for, some by patterns.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    named: BTreeSet<Key>,
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    /// The folder below /proc/sys that all matches lie in; empty for /proc/sys itself.
    folder: String,
    matcher: GlobMatcher,
}

/// Keys found in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The keys, in the order of their paths.
    pub keys: BTreeSet<Key>,
    /// There were too many: some are missing.
    pub is_cut: bool,
}

impl Key {
    /// A key as sysctl(8) takes it: the first separator tells whether dots separate, and slashes
    /// stand for dots, or the other way around. `/proc/sys/` may stand before it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let path = path(text);
        let is_name = |name: &str| !matches!(name, "" | "." | "..");
        if !path.split('/').all(is_name) {
            return Err(error(text, "a name in it is empty, or leads elsewhere"));
        }
        Ok(Self::at(&path))
    }

    /// That of a path below /proc/sys.
    fn at(path: &str) -> Self {
        let names = || path.split('/').map(str::as_bytes);
        Self {
            dotted: decode::dotted(names()),
            path: path.into(),
        }
    }

    /// Whether each network namespace has its own, or none.
    pub fn is_of_netns(&self) -> bool {
        self.path.split('/').next() == Some(OF_NETNS)
    }
}

impl Keys {
    /// Keys and patterns as the command line has them. In patterns `*` also stands for
    /// separators, as in those of `--key`.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, Error> {
        let mut keys = Self::default();
        for text in texts {
            let text = text.as_ref();
            if text.contains(['*', '?', '[', '{']) {
                keys.patterns.push(Pattern::parse(text)?);
            } else {
                keys.named.insert(Key::parse(text)?);
            }
        }
        Ok(keys)
    }

    /// Those that are named in full.
    pub fn named(&self) -> impl Iterator<Item = &Key> {
        self.named.iter()
    }

    /// The dotted name, or the pattern, where there is but one.
    pub fn only(&self) -> Option<&str> {
        match (self.named.len(), self.patterns.as_slice()) {
            (1, []) => self.named.first().map(|key| &*key.dotted),
            (0, [pattern]) => Some(pattern.matcher.glob().glob()),
            _ => None,
        }
    }

    /// Whether some are given as patterns.
    pub fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// Whether a key is meant, by its dotted name.
    pub fn matches(&self, dotted: &str) -> bool {
        let Ok(key) = Key::parse(dotted) else {
            return false;
        };
        self.named.contains(&key) || self.patterns.iter().any(|pattern| pattern.matches(&key))
    }

    /// Those that network namespaces have for themselves, as the calling thread's namespace shows
    /// them below `root`. Named ones are among them whether they are there or not.
    pub(super) fn of_netns(&self, root: &Path) -> Found {
        self.find(root, true)
    }

    /// All others.
    pub(super) fn of_node(&self, root: &Path) -> Found {
        self.find(root, false)
    }

    fn find(&self, root: &Path, of_netns: bool) -> Found {
        let named = self
            .named
            .iter()
            .filter(|key| key.is_of_netns() == of_netns);
        let mut found = Found {
            keys: named.cloned().collect(),
            is_cut: false,
        };
        for pattern in &self.patterns {
            pattern.find(root, of_netns, &mut found);
        }
        found
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, Error> {
        let pattern = text.strip_prefix("/proc/sys/").unwrap_or(text);
        let glob: Glob = GlobBuilder::new(pattern)
            .backslash_escape(true)
            .build()
            .map_err(|reason| error(text, &reason.kind().to_string()))?;
        Ok(Self {
            folder: folder(pattern),
            matcher: glob.compile_matcher(),
        })
    }

    fn find(&self, root: &Path, of_netns: bool, found: &mut Found) {
        let mut folders = VecDeque::from([self.folder.clone()]);
        let mut visited = 0;
        while let Some(folder) = folders.pop_front() {
            let Ok(entries) = fs::read_dir(root.join(&folder)) else {
                continue;
            };
            for entry in entries.flatten() {
                visited += 1;
                if visited > VISITED_MAX || found.keys.len() >= FOUND_MAX {
                    found.is_cut = true;
                    return;
                }
                let name = entry.file_name();
                let Some(path) = name.to_str().map(|name| joined(&folder, name)) else {
                    continue;
                };
                let key = Key::at(&path);
                if key.is_of_netns() != of_netns {
                    continue;
                }
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push_back(path);
                } else if self.matches(&key) {
                    found.keys.insert(key);
                }
            }
        }
    }

    fn matches(&self, key: &Key) -> bool {
        self.matcher.is_match(&*key.dotted) || self.matcher.is_match(&*key.path)
    }
}

/// The folder that whatever a pattern matches lies in: what stands before the last separator
/// before its first special character. Both spellings are tried by [`Pattern::matches`].
fn folder(pattern: &str) -> String {
    let plain = pattern
        .split(['*', '?', '[', '{', '\\'])
        .next()
        .unwrap_or_default();
    match plain.find(['.', '/']).map(|at| &plain[at..=at]) {
        Some(separator) => {
            let end = plain.rfind(separator).unwrap_or_default();
            path(&plain[..end])
        }
        None => String::new(),
    }
}

/// The path below /proc/sys that a key stands for.
fn path(text: &str) -> String {
    let text = text.strip_prefix("/proc/sys/").unwrap_or(text);
    if text
        .find(['.', '/'])
        .is_none_or(|at| text[at..].starts_with('/'))
    {
        return text.to_owned();
    }
    let swapped = |char| match char {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    text.chars().map(swapped).collect()
}

fn joined(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

fn error(text: &str, reason: &str) -> Error {
    Error {
        text: text.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
