//! Programs that the kernel starts by itself, and the settings that name them.

use std::{fs::File, io::Read as _};

use crate::event::Process;

/// Files of the settings, and the names that they go by.
const SETTINGS: [(&str, &str); 4] = [
    ("/proc/sys/kernel/core_pattern", "kernel.core_pattern"),
    ("/proc/sys/kernel/modprobe", "kernel.modprobe"),
    ("/proc/sys/kernel/hotplug", "kernel.hotplug"),
    ("/sys/kernel/uevent_helper", "/sys/kernel/uevent_helper"),
];

/// Longest setting that is read.
const SETTING_MAX: u64 = 512;

/// What is said of the setting that names a program now.
pub(super) fn setting(process: &Process) -> Option<String> {
    SETTINGS.iter().find_map(|(file, name)| {
        let mut value = String::new();
        let file = File::open(file).ok()?;
        file.take(SETTING_MAX).read_to_string(&mut value).ok()?;
        let value = value.trim_end_matches('\n');
        is_named(process, value).then(|| format!("{name} names it: {value}"))
    })
}

/// Whether a setting has the kernel start this process, a script by its arguments.
fn is_named(process: &Process, setting: &str) -> bool {
    // A core pattern without a bar is the name of a file.
    let command = setting.strip_prefix('|').unwrap_or(setting);
    let Some(program) = command
        .split(' ')
        .next()
        .filter(|path| path.starts_with('/'))
    else {
        return false;
    };
    let by_path = process.executable.as_deref().map(|path| path == program);
    let by_name = || program.rsplit('/').next() == process.executable_name.as_deref();
    let is_script = || {
        let args = process.args.iter().flatten();
        args.take(3).any(|arg| arg == program)
    };
    by_path == Some(true) || by_name() || is_script()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples;

    #[test]
    fn a_setting_names_its_program() {
        let mut process = samples::process(7, "prog");
        process.executable_name = Some("prog".into());
        process.executable = Some("/opt/prog".into());
        process.args = None;
        for (setting, expected) in [
            ("|/opt/prog %p", true),
            ("/opt/prog", true),
            ("|/opt/other %p", false),
            ("core", false),
            ("|", false),
            ("", false),
        ] {
            assert_eq!(is_named(&process, setting), expected, "{setting}");
        }
        process.args = Some(vec!["/bin/sh".into(), "/opt/dump.sh".into()]);
        assert!(is_named(&process, "|/opt/dump.sh %p"));
    }
}
