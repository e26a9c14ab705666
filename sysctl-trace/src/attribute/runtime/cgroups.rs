//! Whether the cgroup that a runtime wrote down is the one seen. Pure.

/// Compares `linux.cgroupsPath` of an OCI specification with the container's own cgroup, as a path
/// from the root of the hierarchy. Absent where the specification leaves open where it lies.
pub fn agrees(specified: &str, cgroup: &str) -> Option<bool> {
    if specified.is_empty() {
        return None;
    }
    if specified.starts_with('/') {
        return Some(specified.trim_end_matches('/') == cgroup);
    }
    if let Some(path) = of_systemd(specified)
        && path == cgroup
    {
        return Some(true);
    }
    // A relative path begins at the cgroup of the runtime's process.
    let Some(above) = cgroup
        .strip_suffix(specified)
        .and_then(|above| above.strip_suffix('/'))
    else {
        return Some(false);
    };
    is_of_system(above).then_some(true)
}

/// `slice:prefix:name` as a path: `a-b.slice:docker:ID` lies at `/a.slice/a-b.slice/docker-ID.scope`.
fn of_systemd(specified: &str) -> Option<String> {
    let mut parts = specified.split(':');
    let (slice, prefix, name) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || specified.contains('/') {
        return None;
    }
    let slice = if slice.is_empty() {
        "system.slice"
    } else {
        slice
    };
    let mut path = String::new();
    if slice != "-.slice" {
        let stem = slice.strip_suffix(".slice")?;
        let ends = stem.match_indices('-').map(|(at, _)| at);
        for end in ends.chain([stem.len()]) {
            path.push('/');
            path.push_str(stem.get(..end)?);
            path.push_str(".slice");
        }
    }
    path.push('/');
    if name.ends_with(".slice") {
        path.push_str(name);
        return Some(path);
    }
    if !prefix.is_empty() {
        path.push_str(prefix);
        path.push('-');
    }
    path.push_str(name);
    path.push_str(".scope");
    Some(path)
}

/// Whether only root can make folders there: nothing but units, and none of a user.
fn is_of_system(path: &str) -> bool {
    path.split('/').filter(|name| !name.is_empty()).all(|name| {
        let is_unit = [".slice", ".service", ".scope"]
            .iter()
            .any(|suffix| name.ends_with(suffix));
        is_unit && name != "user.slice" && !name.starts_with("user@")
    })
}

/// A folder of the cgroup filesystem as a path from the root of its hierarchy. Version 1 has one
/// folder for each hierarchy below the mount, version 2 none.
pub fn from_mount(folder: &str, is_v2: bool) -> Option<&str> {
    let path = folder.strip_prefix("/sys/fs/cgroup")?;
    let path = path.strip_prefix("/unified").unwrap_or(path);
    if is_v2 {
        return path.starts_with('/').then_some(path);
    }
    let (_, rest) = path.strip_prefix('/')?.split_once('/')?;
    path.get(path.len() - rest.len() - 1..)
}

#[cfg(test)]
#[path = "cgroups_tests.rs"]
mod tests;
