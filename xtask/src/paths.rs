//! Where things are: the checkout, and the cache outside it.

use std::{
    env, fs,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Serialize, de::DeserializeOwned};

/// The root of the checkout.
pub fn workspace() -> Result<PathBuf> {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").context("run this through `cargo xtask`")?;
    let root = Path::new(&xtask)
        .parent()
        .context("the xtask folder has no parent")?;
    Ok(root.to_owned())
}

/// The folder for everything that is downloaded or built once, shared by all checkouts.
pub fn cache() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(env::home_dir()?.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set")?;
    let cache = base.join("sysctl-trace");
    make_folder(&cache)?;
    Ok(cache)
}

/// Makes the folder and its parents.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))
}

/// Holds a part of the cache for this process until dropped, so that two runs do not install the
/// same thing at the same time.
pub fn lock_cache(part: &str) -> Result<File> {
    let path = cache()?.join(format!("{part}.lock"));
    let lock = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    if lock.try_lock().is_err() {
        eprintln!("xtask: waiting for another run that is installing {part}");
        lock.lock()
            .with_context(|| format!("locking {}", path.display()))?;
    }
    Ok(lock)
}

/// Writes the value as JSON in one step: a reader sees the old file or the new one.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let context = || format!("writing {}", path.display());
    let folder = path.parent().with_context(context)?;
    make_folder(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(context)?;
    serde_json::to_writer_pretty(&mut file, value).with_context(context)?;
    file.write_all(b"\n").with_context(context)?;
    file.persist(path).with_context(context)?;
    Ok(())
}

/// Reads JSON; `None` when the file is not there or not of that shape.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
