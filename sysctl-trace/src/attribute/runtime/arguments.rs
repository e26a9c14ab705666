//! Argument vectors of runtimes: the id and the bundle, before any cgroup or state exists. Pure.
//!
//! A process chooses its own arguments: they are worth what the process is.

use smol_str::SmolStr;

use crate::attribute::cgroup::is_free_text;

/// What a process of a runtime was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The program, by the last part of its first argument.
    pub runtime: SmolStr,
    /// The container's id.
    pub id: SmolStr,
    /// The bundle: an absolute path.
    pub bundle: Option<String>,
    /// containerd's namespace, from its shim.
    pub namespace: Option<String>,
    /// The container's name, from conmon.
    pub name: Option<String>,
}

/// Options of an OCI runtime that a value follows.
const WITH_VALUE: [&str; 17] = [
    "root",
    "log",
    "log-format",
    "log-level",
    "criu",
    "rootless",
    "cgroup-manager",
    "bundle",
    "b",
    "console-socket",
    "pid-file",
    "preserve-fds",
    "config",
    "f",
    "cgroup",
    "process",
    "p",
];

/// Reads `runc|crun|youki [OPTIONS] create|run [OPTIONS] ID`, `containerd-shim… -namespace NS -id ID`
/// and `conmon -c ID -n NAME -b BUNDLE`.
pub fn invocation(args: &[String]) -> Option<Invocation> {
    let (program, args) = args.split_first()?;
    let program = program.rsplit('/').next()?;
    let mut found = match program {
        "conmon" | "conmonrs" => Invocation {
            id: value(args, &["-c", "--cid"])?.into(),
            name: value(args, &["-n", "--name"]).map(Into::into),
            bundle: value(args, &["-b", "--bundle"]).map(Into::into),
            ..Invocation::default()
        },
        shim if shim.starts_with("containerd-shim") => Invocation {
            id: value(args, &["-id", "--id"])?.into(),
            namespace: value(args, &["-namespace", "--namespace"]).map(Into::into),
            bundle: value(args, &["-bundle", "--bundle"]).map(Into::into),
            ..Invocation::default()
        },
        "runc" | "crun" | "youki" => engine(args)?,
        _ => return None,
    };
    found.runtime = program.into();
    found.bundle = found.bundle.filter(|bundle| bundle.starts_with('/'));
    is_free_text(&found.id).then_some(found)
}

/// The value of an option: in the argument behind it, or behind a `=`.
fn value<'a>(args: &'a [String], names: &[&str]) -> Option<&'a str> {
    let at = |arg: &str| names.contains(&arg);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if at(arg) {
            return args.next().map(String::as_str);
        }
        match arg.split_once('=') {
            Some((name, value)) if at(name) => return Some(value),
            Some(_) | None => {}
        }
    }
    None
}

fn engine(args: &[String]) -> Option<Invocation> {
    let mut found = Invocation::default();
    let mut is_for_container = false;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(option) = arg.strip_prefix('-') else {
            if is_for_container {
                found.id = arg.into();
                return Some(found);
            }
            is_for_container = matches!(arg.as_str(), "create" | "run");
            if !is_for_container {
                return None;
            }
            continue;
        };
        let option = option.strip_prefix('-').unwrap_or(option);
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None if WITH_VALUE.contains(&option) => (option, args.next().map(String::as_str)),
            None => (option, None),
        };
        if matches!(name, "bundle" | "b") {
            found.bundle = value.map(Into::into);
        }
    }
    None
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
