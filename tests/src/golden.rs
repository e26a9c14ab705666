//! How a guest hands pages to the host, which compares them with golden files: as lines of its output.
//! Pure.

use std::{collections::BTreeMap, fmt::Write as _};

const MARK: &str = "golden ";
const EXTENSION: &str = ".txt|";

/// A page as lines of output.
#[must_use]
pub fn wrapped(name: &str, text: &str) -> String {
    text.lines().fold(String::new(), |mut out, line| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{MARK}{name}{EXTENSION}{line}");
        out
    })
}

/// The pages in the output, by the names of their files without the extension.
#[must_use]
pub fn unwrapped(output: &str) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (name, line) in output.lines().filter_map(parts) {
        let text = files.entry(name.to_owned()).or_default();
        text.push_str(line);
        text.push('\n');
    }
    files
}

/// Whether a line of output belongs to a page.
#[must_use]
pub fn is_wrapped(line: &str) -> bool {
    parts(line).is_some()
}

/// Name and line. A name has nothing in it that leads to another folder.
fn parts(line: &str) -> Option<(&str, &str)> {
    let (name, text) = line.strip_prefix(MARK)?.split_once(EXTENSION)?;
    let is_plain = |c: char| c.is_ascii_lowercase() || c == '.';
    (!name.starts_with('.') && name.chars().all(is_plain)).then_some((name, text))
}

#[cfg(test)]
#[path = "golden_tests.rs"]
mod tests;
