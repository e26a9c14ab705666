//! Debian packages of any suite, by a private apt root for each.
//!
//! apt resolves, downloads and verifies; it needs no privileges for that, and the system's own
//! sources and packages stay out of it. Packages are unpacked, never installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{
    command::{self, tell},
    paths,
};

const ARCHIVE: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The file of a root with apt's settings.
const CONFIG: &str = "apt.conf";

/// The file of a root with the part of them that is about downloads.
const DOWNLOADS: &str = "downloads.conf";

/// An index older than this is asked for again.
const INDEX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Set once an index could not be had: the others are not worth a wait then.
static OFFLINE: AtomicBool = AtomicBool::new(false);

/// A package in one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Package {
    fn spec(&self) -> String {
        format!("{}={}", self.name, self.version)
    }
}

/// The packages of one Debian suite.
#[derive(Debug)]
pub struct Suite {
    name: String,
    root: PathBuf,
}

impl Suite {
    /// Opens the suite's private root, and brings its index up to date when that is due.
    ///
    /// Without network an older index will do.
    pub fn open(name: &str) -> Result<Self> {
        let root = paths::cache()?.join("apt").join(name);
        for folder in ["lists/partial", "cache/archives/partial"] {
            paths::make_folder(&root.join(folder))?;
        }
        let suite = Self {
            name: name.to_owned(),
            root: root.clone(),
        };
        let downloads = downloads()?;
        for (file, text) in [
            ("sources.list", format!("{}\n", suite.source())),
            ("status", String::new()),
            (DOWNLOADS, downloads.clone()),
            (CONFIG, config(&root, &downloads)),
        ] {
            let path = root.join(file);
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        }
        suite.refresh()?;
        Ok(suite)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its packages come from, as a line of sources.list.
    pub fn source(&self) -> String {
        let name = &self.name;
        format!("deb [arch=amd64 signed-by={KEYRING}] {ARCHIVE} {name} main")
    }

    /// A file with apt's settings for downloads, for another program that runs apt.
    pub fn downloads(&self) -> PathBuf {
        self.root.join(DOWNLOADS)
    }

    fn refresh(&self) -> Result<()> {
        let stamp = self.root.join("refreshed");
        let age = fs::metadata(&stamp)
            .and_then(|data| data.modified())
            .ok()
            .and_then(|time| SystemTime::now().duration_since(time).ok());
        let usable = age.is_some();
        if age.is_some_and(|age| age < INDEX_AGE) {
            return Ok(());
        }
        if OFFLINE.load(Ordering::Relaxed) && usable {
            return Ok(());
        }
        tell(&format!(
            "fetching the package index of Debian {}",
            self.name
        ));
        let mut apt = self.apt("apt-get");
        apt.arg("update").stdout(Stdio::null());
        match command::run_as("apt-get update", &mut apt) {
            Ok(()) => fs::write(&stamp, "").context("noting the index's age"),
            Err(error) if usable => {
                OFFLINE.store(true, Ordering::Relaxed);
                tell(&format!("going on with an older package index: {error:#}"));
                Ok(())
            }
            Err(error) => Err(error).with_context(|| {
                format!("the package index of Debian {} cannot be had", self.name)
            }),
        }
    }

    /// The newest version of the package.
    pub fn newest(&self, name: &str) -> Result<Package> {
        self.newest_where(name, |_| true)
    }

    /// The newest version of the package among those that the filter lets pass.
    pub fn newest_where(&self, name: &str, wanted: impl Fn(&str) -> bool) -> Result<Package> {
        // One line a version, newest first: `name | version | source`.
        let text = self.ask(&["madison", name])?;
        let version = text
            .lines()
            .filter_map(|line| line.split('|').nth(1))
            .map(str::trim)
            .find(|version| wanted(version));
        match version {
            Some(version) => Ok(Package {
                name: name.to_owned(),
                version: version.to_owned(),
            }),
            None => bail!("Debian {} has no such version of {name}", self.name),
        }
    }

    /// What the package depends on in exactly one version, itself first, and so on.
    pub fn exact_closure(&self, package: Package) -> Result<Vec<Package>> {
        let mut closure = vec![package];
        let mut next = 0;
        while let Some(package) = closure.get(next) {
            let text = self.ask(&["show", &package.spec()])?;
            for found in exact_dependencies(&text) {
                if !closure.contains(&found) {
                    closure.push(found);
                }
            }
            next += 1;
        }
        Ok(closure)
    }

    /// The package and everything it needs, in the versions that apt would install where nothing is
    /// installed yet.
    pub fn full_closure(&self, package: &str) -> Result<Vec<Package>> {
        let name = format!("apt-get --simulate install {package}");
        let text = command::output_as(
            &name,
            self.apt("apt-get").args([
                "--simulate",
                "--no-install-recommends",
                "-oDebug::NoLocking=true",
                "install",
                package,
            ]),
        )?;
        Ok(to_install(&text))
    }

    /// Downloads the packages and unpacks them all into the folder, which must not exist yet and
    /// appears complete or not at all.
    pub fn unpack(&self, packages: &[Package], folder: &Path) -> Result<()> {
        let parent = folder.parent().context("a folder without parent")?;
        paths::make_folder(parent)?;
        let work = tempfile::tempdir_in(parent).context("making a folder for the download")?;
        let (debs, tree) = (work.path().join("debs"), work.path().join("tree"));
        paths::make_folder(&debs)?;
        paths::make_folder(&tree)?;

        let names: Vec<String> = packages.iter().map(Package::spec).collect();
        tell(&format!(
            "downloading from Debian {}: {}",
            self.name,
            names.join(", ")
        ));
        let mut apt = self.apt("apt-get");
        apt.arg("download").args(&names).current_dir(&debs);
        // On a terminal apt shows its progress; else its result is what counts.
        apt.stdout(if command::on_terminal() {
            Stdio::inherit()
        } else {
            Stdio::null()
        });
        command::run_as("apt-get download", &mut apt)?;

        for entry in fs::read_dir(&debs).context("reading the download's folder")? {
            let deb = entry.context("reading the download's folder")?.path();
            command::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&tree))?;
        }
        fs::rename(&tree, folder).with_context(|| format!("putting {} in place", folder.display()))
    }

    fn ask(&self, args: &[&str]) -> Result<String> {
        let name = format!("apt-cache {}", args.join(" "));
        command::output_as(&name, self.apt("apt-cache").args(args))
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.root.join(CONFIG))
            .env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null());
        command
    }
}

/// apt's settings for downloads: the system's own (there may be a proxy), and ours.
fn downloads() -> Result<String> {
    let system = command::output(Command::new("apt-config").args(["dump", "Acquire"]))?;
    Ok(format!(
        r#"// Written by cargo xtask.
{system}
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
"#
    ))
}

/// apt's settings for a private root. Of the system's own ones only how to download is taken over:
/// its hooks act on the system's packages.
fn config(root: &Path, downloads: &str) -> String {
    let root = root.display();
    format!(
        r#"{downloads}
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::SourceList "{root}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "{root}";
Dir::State::Lists "{root}/lists";
Dir::State::Status "{root}/status";
Dir::Cache "{root}/cache";
APT::Architecture "amd64";
APT::Update::Error-Mode "any";
// As root apt would download as another user, who cannot read the cache.
APT::Sandbox::User "root";
"#
    )
}

/// The dependencies of form `name (= version)` in what `apt-cache show` printed.
fn exact_dependencies(text: &str) -> Vec<Package> {
    text.lines()
        .filter_map(|line| line.strip_prefix("Depends: "))
        .flat_map(|list| list.split(", "))
        .filter_map(|item| {
            let (name, rest) = item.split_once(" (= ")?;
            let version = rest.strip_suffix(')')?;
            Some(Package {
                name: name.to_owned(),
                version: version.to_owned(),
            })
        })
        .collect()
}

/// The packages in what `apt-get --simulate install` printed: lines of the form
/// `Inst name (version suite [architecture])`.
fn to_install(text: &str) -> Vec<Package> {
    text.lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("Inst ")?.split_once(" (")?;
            let (version, _) = rest.split_once(' ')?;
            Some(Package {
                name: name.to_owned(),
                version: version.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
#[path = "apt_tests.rs"]
mod tests;
