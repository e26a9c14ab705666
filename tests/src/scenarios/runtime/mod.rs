//! Real runtimes to be used by scenarios: guards that undo on drop what they did.

pub mod bundle;
pub mod containerd;
pub mod cri;
pub mod crio;
pub mod docker;
pub mod image;
pub mod machine;
pub mod podman;
pub mod service;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// A folder that is removed with all that is in it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the folder and its parents.
    pub fn make(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("when removing {}: {error}", self.0.display());
        }
    }
}

/// A file of settings, which is put back as it was.
#[derive(Debug)]
pub struct Setting {
    path: PathBuf,
    before: Option<Vec<u8>>,
}

impl Setting {
    /// Writes the file, and the folder it is in.
    pub fn write(path: impl Into<PathBuf>, text: &str) -> Result<Self> {
        let path = path.into();
        let context = || format!("writing {}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(context)?;
        }
        let before = fs::read(&path).ok();
        fs::write(&path, text).with_context(context)?;
        Ok(Self { path, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let undone = match &self.before {
            Some(before) => fs::write(&self.path, before),
            None => fs::remove_file(&self.path),
        };
        if let Err(error) = undone {
            eprintln!("when putting {} back: {error}", self.path.display());
        }
    }
}
