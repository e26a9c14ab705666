//! Golden files: what guests print about each letter of the journey, as it is to be. There is one for
//! all user lands; where the evidence really differs, a user land has its own, `LETTER.SUITE.txt`.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use sysctl_trace_tests::golden::{is_wrapped, unwrapped};

use super::diff::diff;
use crate::{command::tell, paths};

/// With this in the environment, golden files are written as guests found them.
const UPDATE: &str = "UPDATE_GOLDEN";

const FOLDER: &str = "tests/src/scenarios/why/golden";

/// What this run has written: what the next user land has is compared with it.
static WRITTEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// What the guest's pages have other than the golden files; nothing where all is as ever, or was
/// written.
pub fn compare(suite: &str, output: &str) -> Result<Option<String>> {
    let folder = paths::workspace()?.join(FOLDER);
    let is_update = env::var_os(UPDATE).is_some_and(|value| !value.is_empty());
    let mut differing = String::new();
    for (name, page) in unwrapped(output) {
        let path = file(&folder, &name, suite);
        if is_update && is_first(&path) {
            fs::write(&path, &page).with_context(|| format!("writing {}", path.display()))?;
            tell(&format!("written: {}", path.display()));
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if page != expected {
            differing.push_str(&format!("{}:\n{}", path.display(), diff(&expected, &page)));
        }
    }
    Ok((!differing.is_empty()).then_some(differing))
}

/// The user land's own file, or the one for all.
fn file(folder: &Path, name: &str, suite: &str) -> PathBuf {
    let own = folder.join(format!("{name}.{suite}.txt"));
    match own.exists() {
        true => own,
        false => folder.join(format!("{name}.txt")),
    }
}

/// Whether this run has not written the file yet.
fn is_first(path: &Path) -> bool {
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    written.insert(path.to_owned())
}

/// The output without golden files, for people.
pub fn without(output: &str) -> String {
    let lines = output.lines().filter(|line| !is_wrapped(line));
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
#[path = "golden_tests.rs"]
mod tests;
