//! A machine that systemd-machined has registered. Pure.

use super::Known;

/// What the registry's file tells of a machine with this cgroup.
pub(super) fn known(name: &str, file: &[u8], cgroup: &str) -> Option<Known> {
    let text = str::from_utf8(file).ok()?;
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    if value("NAME")? != name {
        return None;
    }
    // The unit, with its backslashes doubled.
    let unit = value("SCOPE").map(|unit| unit.replace(r"\\", r"\"));
    let path = unit.map(|unit| format!("/machine.slice/{unit}"));
    Some(Known {
        id: name.into(),
        runtime: "systemd-nspawn".into(),
        name: Some(name.to_owned()),
        is_cgroup_same: path.as_deref().map(|path| path == cgroup),
        cgroups_path: path,
        ..Known::default()
    })
}
