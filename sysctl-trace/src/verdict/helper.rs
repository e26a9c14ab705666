//! Programs that the kernel starts by itself: who set the setting that names one.

use smol_str::SmolStr;

use super::{Seen, decide::component};
use crate::ledger::{Entry, Write};

/// A text that stands in every event about [`KEYS`].
pub const NEEDLE: &str = "kernel.";

/// Settings that name a program for the kernel to start.
const KEYS: [&str; 3] = ["kernel.core_pattern", "kernel.modprobe", "kernel.hotplug"];

/// The component of such a program.
const HELPER: &str = "usermodehelper";

/// Whether a key is such a setting.
pub fn is_setting(key: &str) -> bool {
    KEYS.contains(&key)
}

/// Of a write by such a program: the setting that names it, its value, and the write that had set that
/// last before. Nothing where the setting was not read while the program ran, or was changed since.
pub(super) fn setting<'a>(
    seen: &Seen<'a>,
    write: &Write,
) -> Option<(&'static str, &'a SmolStr, &'a Write)> {
    let helper = component(&write.author).filter(|component| component.name == HELPER)?;
    let node = seen.node?;
    KEYS.into_iter().find_map(|key| {
        let named = helper.evidence.iter().find_map(|fact| {
            let value = fact.strip_prefix(key)?;
            value.strip_prefix(" names it: ")
        })?;
        let history = node.keys.get(key)?;
        let before = history
            .entries
            .iter()
            .rev()
            .filter(|entry| entry.at().boottime_ns <= write.begun_ns);
        for entry in before {
            match entry {
                Entry::Write(refused) if refused.error.is_some() && !refused.is_change() => {}
                Entry::Write(setting) => {
                    let value = setting.left().filter(|value| **value == named)?;
                    return Some((key, value, setting));
                }
                // Nobody was seen to set it.
                Entry::Drift(_) => return None,
            }
        }
        None
    })
}

#[cfg(test)]
#[path = "helper_tests.rs"]
mod tests;
