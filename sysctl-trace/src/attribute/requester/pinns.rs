//! What CRI-O's pinns was asked to write, by its arguments. Pure.
//!
//! CRI-O gives pinns the keys of a pod's sandbox: `-s KEY=VALUE`, once for each key, or in older
//! versions once for all, joined by `+`. pinns takes them apart where they stand, so a look at its
//! arguments while it works finds some as they were given, and others as KEY and VALUE on their own,
//! the key with slashes.

use super::{TEXT_MAX, path_of};

/// The options that a key follows.
const OPTIONS: [&str; 2] = ["-s", "--sysctl"];

/// The value that pinns was given for the key with this path below /proc/sys: the last one, as it
/// is the one that stays.
pub(super) fn value(args: &[String], path: &str) -> Option<String> {
    let asked = asked(args).into_iter();
    let mut of_key = asked.filter(|(key, _)| path_of(key) == path);
    let (_, value) = of_key.next_back()?;
    (value.len() <= TEXT_MAX).then_some(value)
}

/// Keys and values, in the order in which they are written.
fn asked(args: &[String]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut args = args.iter().skip(1).map(String::as_str).peekable();
    while let Some(arg) = args.next() {
        let first = if OPTIONS.contains(&arg) {
            args.next()
        } else {
            attached(arg)
        };
        let Some(mut text) = first else { continue };
        loop {
            match text.split_once('=') {
                Some(_) => found.extend(joined(text)),
                None => {
                    let Some(value) = args.next() else { break };
                    found.push((text.to_owned(), value.to_owned()));
                }
            }
            // What was joined to it stands on its own by now.
            match args.next_if(|next| !next.starts_with('-')) {
                Some(next) => text = next,
                None => break,
            }
        }
    }
    found
}

/// `--sysctl=KEY=VALUE`, `-sKEY=VALUE`
fn attached(arg: &str) -> Option<&str> {
    let long = arg.strip_prefix("--sysctl=");
    let short = || arg.strip_prefix("-s").filter(|rest| !rest.is_empty());
    long.or_else(short)
}

/// `KEY=VALUE+KEY=VALUE`. What has no `=` of its own belongs to the value before it.
fn joined(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for part in text.split('+') {
        match (part.split_once('='), found.last_mut()) {
            (Some((key, value)), _) => found.push((key.to_owned(), value.to_owned())),
            (None, Some((_, value))) => {
                value.push('+');
                value.push_str(part);
            }
            (None, None) => {}
        }
    }
    found
}

#[cfg(test)]
#[path = "pinns_tests.rs"]
mod tests;
