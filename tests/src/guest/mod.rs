//! The first process of a guest: sets the machine up, carries out the host's plan, powers off.

mod command;
mod port;
mod processes;
mod setup;

use std::{
    fs, panic,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::sys::reboot::{RebootMode, reboot};

use crate::{
    cases,
    protocol::{Action, Frame, Outcome, PLAN_PATH, Plan, Report},
};
use port::Port;
use processes::Ended;

/// What `/init` does. It comes back only when the machine could not be powered off.
///
/// # Errors
/// When the power cannot be turned off.
pub fn init() -> Result<()> {
    let mut port = None;
    if let Err(error) = carry_out(&mut port) {
        let reason = format!("{error:#}");
        eprintln!("guest: {reason}");
        if let Some(port) = &port {
            // The console has the reason as well, should the port be what is broken.
            let _ = port.send(&Frame::Report(Report::Broken { reason }));
        }
    }
    drop(port);
    reboot(RebootMode::RB_POWER_OFF).context("powering off")?;
    Ok(())
}

fn carry_out(slot: &mut Option<Port>) -> Result<()> {
    setup::mount_all()?;
    let port = slot.insert(Port::open()?).clone();
    setup::prepare()?;
    let plan = read_plan()?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?
        .trim_end()
        .to_owned();
    port.send(&Frame::Report(Report::Ready { release }))?;
    match plan.action {
        Action::PowerOff => {}
        Action::Cases(names) => {
            for name in names {
                run_case_apart(&port, &name)?;
            }
        }
        Action::Command(command) => {
            let status = command::run(&port, &command)?;
            port.send(&Frame::Report(Report::CommandEnded { status }))?;
        }
    }
    port.send(&Frame::Report(Report::Done))?;
    Ok(())
}

/// Runs a case in a process of its own and reports what became of it, so that neither a crash nor
/// anything it leaves running reaches the next case.
fn run_case_apart(port: &Port, name: &str) -> Result<()> {
    let case = cases::find(name).with_context(|| format!("there is no case {name}"))?;
    port.send(&Frame::Report(Report::CaseStarted {
        name: name.to_owned(),
    }))?;
    let started = Instant::now();
    let mut child = Command::new("/init")
        .args(["case", name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting the case's process")?;
    let output = command::forward_output(port, &mut child);
    let ended = processes::wait_for(child.id(), Some(case.deadline))?;
    processes::kill_the_rest();
    output.finish(Duration::from_secs(2));
    let outcome = match ended {
        Some(Ended::Exited(0)) => Outcome::Passed,
        Some(Ended::Exited(status)) => Outcome::Failed(format!("ended with status {status}")),
        Some(Ended::Signalled(signal)) => Outcome::Failed(format!("was ended by {signal}")),
        None => Outcome::Failed(format!(
            "passed its deadline of {} s",
            case.deadline.as_secs()
        )),
    };
    let seconds = started.elapsed().as_secs_f64();
    port.send(&Frame::Report(Report::CaseEnded {
        name: name.to_owned(),
        outcome,
        seconds,
    }))
}

/// Runs one case in this process.
///
/// # Errors
/// When there is no such case, or with what the case fails with.
pub fn run_case(name: &str) -> Result<()> {
    let Some(case) = cases::find(name) else {
        bail!("there is no case {name}")
    };
    // The last line a case leaves is what the host gives as the reason: one that says it all.
    panic::set_hook(Box::new(|panic| {
        eprintln!("{}", panic.to_string().replace(":\n", ": "));
    }));
    (case.run)(&cases::Context {
        kernel: read_plan()?.kernel,
    })
}

fn read_plan() -> Result<Plan> {
    let text = fs::read(PLAN_PATH).with_context(|| format!("reading {PLAN_PATH}"))?;
    serde_json::from_slice(&text).with_context(|| format!("{PLAN_PATH} is no plan"))
}
