//! 21: files of settings that sysctl(8) was given, and services of the node that write: systemd-sysctl as
//! udev starts it for a new device, and systemd-networkd. Both have mounts of their own; how sure the
//! answer is of their executables is not asked.

use std::{
    fs,
    io::{self, PipeReader, Write as _},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::{
    KEY, Kept, all,
    claims::{Claim, Claims},
};
use crate::scenarios::{
    Context, command,
    expect::{Expect, Which},
    runtime::{Folder, Setting, service::Service},
};

const HOP_LIMIT: &str = "net.ipv6.conf.d1.hop_limit";
const USE_TEMPADDR: &str = "net.ipv6.conf.d0.use_tempaddr";

/// What a pipe takes that nobody reads, in bytes.
const PIPE_SIZE: usize = 65_536;

const PATIENCE: Duration = Duration::from_secs(60);

/// A device that is removed on drop.
struct Device(&'static str);

impl Device {
    fn add(name: &'static str) -> Result<Self> {
        command::run("ip", &["link", "add", name, "type", "dummy"])?;
        Ok(Self(name))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        command::undo("ip", &["link", "delete", self.0]);
    }
}

/// sysctl(8), which has set a key and can't end: nobody takes what it prints.
struct Waiting {
    child: Child,
    output: PipeReader,
}

impl Waiting {
    /// Starts it with a file, and waits until it has set the key.
    fn start(file: &str, value: &str) -> Result<Self> {
        let (output, mut writer) = io::pipe().context("making a pipe")?;
        writer
            .write_all(&[b' '; PIPE_SIZE])
            .context("filling a pipe")?;
        let child = Command::new("sysctl")
            .args(["-p", file])
            .stdin(Stdio::null())
            .stdout(writer)
            .spawn()
            .context("starting sysctl")?;
        let waiting = Self { child, output };
        wait_for(KEY, value)?;
        Ok(waiting)
    }

    /// Lets it end.
    fn finish(mut self) -> Result<()> {
        io::copy(&mut self.output, &mut io::sink()).context("what sysctl prints")?;
        let status = self.child.wait()?;
        ensure!(status.success(), "sysctl: {status}");
        Ok(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a key has this value.
fn wait_for(key: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/{}", key.replace('.', "/"));
    let begun = Instant::now();
    loop {
        let found = fs::read_to_string(&path).unwrap_or_default();
        if found.trim() == value {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "{key} stays {:?}", found.trim());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let parts = [
        by_udev().context("systemd-sysctl under udev"),
        by_networkd().context("systemd-networkd"),
        files().context("sysctl -p FILE"),
    ];
    all(parts)
}

fn files() -> Result<()> {
    let _value = Kept::set(KEY, "2048")?;
    let folder = Folder::make("/tmp/scenario-files")?;
    let file = folder.path().join("x").to_string_lossy().into_owned();
    fs::write(&file, format!("{KEY} = 1500\n"))?;
    let text = format!("# of the scenario\n{KEY} = 1600\n");
    let setting = "/etc/sysctl.d/99-scenario.conf";
    let _setting = Setting::write(setting, &text)?;

    let mut claims = Claims::watching()?;
    // It has not ended when it is looked at, so what it was given is known.
    let waiting = Waiting::start(&file, "1500")?;
    claims.ask_once(&Claim::about(
        "node",
        &[
            "is 1500 on the node: sysctl(8)[<pid>] wrote it, as /tmp/scenario-files/x:1 asks",
            "observed:",
            "specification set it",
        ],
        &[],
    ))?;
    waiting.finish()?;

    // It has ended when it is looked at, so what it was given can't be known.
    claims.signal(Signal::SIGSTOP)?;
    command::run("sysctl", &["-q", "-p", setting])?;
    claims.signal(Signal::SIGCONT)?;
    claims.ask(Claim::about(
        "node",
        &["is 1600 on the node: sysctl(8)[<pid>]"],
        &["specification eliminated", "that is not why"],
    ))?;
    claims.end().map(drop)
}

/// udev starts systemd-sysctl below itself, in a cgroup of its own.
fn by_udev() -> Result<()> {
    let text = format!("{HOP_LIMIT} = 77\n");
    let _setting = Setting::write("/etc/sysctl.d/98-scenario.conf", &text)?;
    let _service = Service::start(&["systemd-udevd.service"])?;
    let mut claims = Claims::watching()?;
    let _device = Device::add("d1")?;
    wait_for(HOP_LIMIT, "77")?;
    claims.ask(Claim {
        key: HOP_LIMIT,
        ..Claim::about(
            "node",
            &[
                "is 77 on the node: systemd-sysctl[<pid>] wrote it",
                "observed:",
            ],
            &["in container", "specification eliminated"],
        )
    })?;
    let trace = claims.end()?;
    trace.expect(&Expect {
        process: Some("systemd-sysctl"),
        component: Some("systemd-sysctl"),
        container: Some(None),
        ..Expect::of(Which::Wrote {
            netns: None,
            key: HOP_LIMIT,
            new: "77",
        })
    })?;
    Ok(())
}

/// It has mounts of its own.
fn by_networkd() -> Result<()> {
    let text = "[Match]\nName=d0\n\
                [Network]\nIPv6PrivacyExtensions=yes\nLinkLocalAddressing=ipv6\n\
                ConfigureWithoutCarrier=yes\nIPv6AcceptRA=no\n";
    let _setting = Setting::write("/etc/systemd/network/10-scenario.network", text)?;
    let _service = Service::start(&["systemd-udevd.service", "systemd-networkd.service"])?;
    let mut claims = Claims::watching()?;
    let _device = Device::add("d0")?;
    wait_for(USE_TEMPADDR, "2")?;
    claims.ask(Claim {
        key: USE_TEMPADDR,
        ..Claim::about(
            "node",
            &[
                "is 2 on the node: systemd-networkd[<pid>] wrote it",
                "observed:",
            ],
            &["in container"],
        )
    })?;
    let trace = claims.end()?;
    trace.expect(&Expect {
        component: Some("systemd-networkd"),
        container: Some(None),
        ..Expect::of(Which::Wrote {
            netns: None,
            key: USE_TEMPADDR,
            new: "2",
        })
    })?;
    Ok(())
}
