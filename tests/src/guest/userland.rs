//! From the initramfs into a Debian user land: its disk is mounted, our programs are put into it,
//! and its systemd becomes the first process. systemd starts this program again, as a service.
//!
//! The disk's image is the host's; what is written to it here is gone with the guest.

use std::{
    convert::Infallible,
    env,
    ffi::CString,
    fs::{self, File},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    kmod::{ModuleInitFlags, finit_module},
    mount::{MsFlags, mount},
    unistd::{chdir, chroot, execv},
};

use crate::{
    protocol::{PLAN_PATH, Userland},
    scenarios::runtime::service,
};

/// The unit that is started in place of the user land's own default, with nothing but what this
/// program needs: no logins, no timers, and the runtimes only when a scenario starts them.
const TARGET: (&str, &str) = (
    "guest.target",
    "[Unit]\n\
     Description=The guest of the tests\n\
     Requires=sysinit.target sockets.target\n\
     Wants=dbus.service guest.service\n\
     AllowIsolate=yes\n",
);

/// This program as a service. When it ends, so does the machine.
const SERVICE: (&str, &str) = (
    "guest.service",
    "[Unit]\n\
     Description=Carries out the host's plan\n\
     After=dbus.service\n\
     SuccessAction=poweroff-immediate\n\
     FailureAction=poweroff-immediate\n\
     [Service]\n\
     Type=exec\n\
     ExecStart=/init serve\n\
     KillMode=process\n\
     LimitMEMLOCK=infinity\n\
     LimitNOFILE=65536\n\
     TasksMax=infinity\n\
     StandardOutput=journal+console\n\
     StandardError=journal+console\n",
);

/// A tracer from the beginning of the boot on, where the kernel's arguments want it: it is attached
/// when systemd-sysctl begins.
const BOOT_TRACE: (&str, &str) = (
    "boot-trace.service",
    "[Unit]\n\
     Description=The tracer, from the beginning\n\
     DefaultDependencies=no\n\
     Before=systemd-sysctl.service\n\
     [Service]\n\
     Type=exec\n\
     ExecStart=/usr/bin/sysctl-trace watch --json -o /run/boot-trace.ndjson\n\
     ExecStartPost=/bin/sh -c 'until grep -q ^attached /run/boot-trace.log; do sleep 0.1; done'\n\
     StandardError=file:/run/boot-trace.log\n\
     KillSignal=SIGINT\n\
     LimitMEMLOCK=infinity\n",
);

/// The unit that a scenario runs as.
const SCENARIO_UNIT: &str = "scenario.service";

const ROOT: &str = "/sysroot";
const DISK: &str = "/dev/vda";
const DISK_PATIENCE: Duration = Duration::from_secs(20);

/// Where programs are in a user land.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Leaves the initramfs. It comes back only with what went wrong.
pub fn enter(userland: &Userland) -> Result<Infallible> {
    for module in &userland.modules {
        load(module)?;
    }
    mount_disk()?;
    move_in().context("putting the programs into the user land")?;
    let context = "leaving the initramfs";
    chdir(ROOT).context(context)?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>).context(context)?;
    chroot(".").context(context)?;
    chdir("/").context(context)?;
    // What the kernel passes on to the first process is for systemd.
    let arguments: Vec<CString> = env::args()
        .skip(1)
        .map(CString::new)
        .collect::<Result<_, _>>()
        .context(context)?;
    let arguments: Vec<CString> = [c"/sbin/init".to_owned()]
        .into_iter()
        .chain(arguments)
        .collect();
    execv(c"/sbin/init", &arguments).context("starting systemd")
}

fn load(module: &str) -> Result<()> {
    let file = File::open(module).with_context(|| format!("opening {module}"))?;
    finit_module(&file, c"", ModuleInitFlags::empty()).with_context(|| format!("loading {module}"))
}

fn mount_disk() -> Result<()> {
    let begun = Instant::now();
    while !Path::new(DISK).exists() {
        if begun.elapsed() > DISK_PATIENCE {
            bail!("the disk {DISK} does not appear");
        }
        thread::sleep(Duration::from_millis(5));
    }
    fs::create_dir_all(ROOT)?;
    let (kind, flags) = (Some("ext4"), MsFlags::MS_NOATIME);
    mount(Some(DISK), ROOT, kind, flags, None::<&str>).context("mounting the user land's disk")
}

/// Our programs and units, where the user land finds them: at the same paths as in the initramfs.
fn move_in() -> Result<()> {
    let root = Path::new(ROOT);
    for path in ["/init", PLAN_PATH] {
        fs::copy(path, root.join(&path[1..])).with_context(|| format!("copying {path}"))?;
    }
    for program in fs::read_dir("/bin")? {
        let program = program?;
        let to = root.join("usr/bin").join(program.file_name());
        if !to.exists() {
            fs::copy(program.path(), &to).with_context(|| format!("copying {}", to.display()))?;
        }
    }
    let units = root.join("etc/systemd/system");
    fs::create_dir_all(&units)?;
    for (name, text) in [TARGET, SERVICE, BOOT_TRACE] {
        fs::write(units.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}

/// The command that runs a scenario as a service of its own: whatever it leaves running ends with
/// it.
pub fn scenario_command(number: u8) -> Command {
    let mut command = Command::new("systemd-run");
    command.args(["--quiet", "--pipe", "--wait", "--collect", "--unit"]);
    command.arg(SCENARIO_UNIT);
    for property in [
        "Delegate=yes",
        "LimitMEMLOCK=infinity",
        "LimitNOFILE=65536",
        "TasksMax=infinity",
        "TimeoutStopSec=10",
    ] {
        command.arg("--property").arg(property);
    }
    command.arg("--setenv").arg(format!("PATH={PATH}"));
    command.args(["--setenv", "LANG=C.UTF-8", "--setenv", "HOME=/root"]);
    command.args(["/init", "scenario"]).arg(number.to_string());
    command.env("PATH", PATH);
    command
}

/// Ends a scenario that goes on for too long, and the services that it started.
pub fn kill_scenario() {
    // It may just have ended by itself, and most of the services do not run.
    for (verb, units) in [
        (&["kill", "--signal=KILL"][..], &[SCENARIO_UNIT][..]),
        (&["stop"], &service::UNITS),
    ] {
        let _ = Command::new("systemctl")
            .args(verb)
            .args(units)
            .env("PATH", PATH)
            .status();
    }
}
