//! A kernel's section of docs/keys.md.

use std::fmt::Write as _;

use super::Places;
use crate::keys_page::head;

/// Writes it anew.
pub fn section(kernel: &str, places: &Places) -> String {
    let mut text = format!(
        "{}| namespaces | keys | files that can be read | decoded and equal | not decoded |\n\
         |---|---|---|---|---|\n",
        head(kernel)
    );
    for (name, place) in places.named() {
        let found = &place.found;
        let readable = found.readable();
        let part = found.equal as f64 * 100.0 / readable as f64;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {name} | {} | {readable} | {} ({part:.1} %) | {} |",
            found.shown,
            found.equal,
            readable - found.equal,
        );
    }
    let [(_, node), (_, new)] = places.named();
    for (title, node, new) in [
        (
            "Not decoded",
            &node.found.not_decoded,
            &new.found.not_decoded,
        ),
        (
            "Files that can't be read",
            &node.found.unreadable,
            &new.found.unreadable,
        ),
        (
            "Decoded, and compared while the kernel changes them",
            &node.found.moving,
            &new.found.moving,
        ),
    ] {
        let mut both = node.clone();
        for (reason, keys) in new {
            both.entry(reason.clone()).or_default().extend(keys.clone());
        }
        if !both.is_empty() {
            let _ = writeln!(text, "\n{title}:\n");
        }
        for (reason, keys) in &both {
            let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
            let _ = writeln!(text, "* {reason}: {}", keys.join(", "));
        }
    }
    text
}
