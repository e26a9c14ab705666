//! The first process of a guest: sets the machine up, carries out the host's plan, powers off.
//!
//! With a user land it is the first process only until that is mounted; the rest it does as a
//! service of the user land's systemd.

mod command;
mod port;
mod processes;
mod setup;
mod userland;

use std::{
    fs, panic,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::sys::reboot::{RebootMode, reboot};

use crate::{
    cases,
    protocol::{Action, Frame, Outcome, PLAN_PATH, Plan, Report, scenario_title},
    scenarios,
};
use port::Port;
use processes::Ended;

/// What `/init` does. It comes back only when the machine could not be powered off.
///
/// # Errors
/// When the power cannot be turned off.
pub fn init() -> Result<()> {
    to_the_end(begin)
}

/// What `/init serve` does in a user land. It comes back only when the machine could not be powered
/// off.
///
/// # Errors
/// When the power cannot be turned off.
pub fn serve() -> Result<()> {
    to_the_end(|slot| {
        let port = slot.insert(Port::open()?).clone();
        carry_out(&port, &read_plan()?)
    })
}

/// Does the work, reports what went wrong, and powers off.
fn to_the_end(work: fn(&mut Option<Port>) -> Result<()>) -> Result<()> {
    let mut port = None;
    if let Err(error) = work(&mut port) {
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

fn begin(slot: &mut Option<Port>) -> Result<()> {
    setup::mount_basics()?;
    let port = slot.insert(Port::open()?).clone();
    let plan = read_plan()?;
    if let Some(userland) = &plan.userland {
        match userland::enter(userland)? {}
    }
    setup::mount_rest()?;
    setup::prepare()?;
    carry_out(&port, &plan)
}

fn carry_out(port: &Port, plan: &Plan) -> Result<()> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?
        .trim_end()
        .to_owned();
    port.send(&Frame::Report(Report::Ready { release }))?;
    match &plan.action {
        Action::PowerOff => {}
        Action::Cases(names) => {
            for name in names {
                run_case_apart(port, name)?;
            }
        }
        Action::Scenarios(numbers) => {
            for number in numbers {
                run_scenario_apart(port, *number)?;
            }
        }
        Action::Command(command) => {
            let path = plan.userland.as_ref().map_or("/bin", |_| userland::PATH);
            let status = command::run(port, command, path)?;
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
    let mut command = Command::new("/init");
    command.args(["case", name]);
    run_apart(
        port,
        name,
        case.deadline,
        &mut command,
        processes::kill_the_rest,
    )
}

/// The same for a scenario, as a service of its own.
fn run_scenario_apart(port: &Port, number: u8) -> Result<()> {
    let scenario =
        scenarios::find(number).with_context(|| format!("there is no scenario {number}"))?;
    run_apart(
        port,
        &scenario_title(number, scenario.name),
        scenario.deadline,
        &mut userland::scenario_command(number),
        userland::kill_scenario,
    )
}

fn run_apart(
    port: &Port,
    name: &str,
    deadline: Duration,
    command: &mut Command,
    tidy: fn(),
) -> Result<()> {
    port.send(&Frame::Report(Report::CaseStarted {
        name: name.to_owned(),
    }))?;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting the process of {name}"))?;
    let output = command::forward_output(port, &mut child);
    let ended = processes::wait_for(child.id(), Some(deadline))?;
    tidy();
    output.finish(Duration::from_secs(2));
    let outcome = match ended {
        Some(Ended::Exited(0)) => Outcome::Passed,
        Some(Ended::Exited(status)) => Outcome::Failed(format!("ended with status {status}")),
        Some(Ended::Signalled(signal)) => Outcome::Failed(format!("was ended by {signal}")),
        None => Outcome::Failed(format!("passed its deadline of {} s", deadline.as_secs())),
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
    say_panics_in_one_line();
    (case.run)(&cases::Context {
        kernel: read_plan()?.kernel,
    })
}

/// Runs one scenario in this process.
///
/// # Errors
/// When there is no such scenario, or with what it fails with.
pub fn run_scenario(number: &str) -> Result<()> {
    let Some(scenario) = number.parse().ok().and_then(scenarios::find) else {
        bail!("there is no scenario {number}")
    };
    say_panics_in_one_line();
    let plan = read_plan()?;
    let userland = plan.userland.context("scenarios need a user land")?;
    (scenario.run)(&scenarios::Context {
        kernel: plan.kernel,
        suite: userland.suite,
    })
}

/// The last line a case leaves is what the host gives as the reason: one that says it all.
fn say_panics_in_one_line() {
    panic::set_hook(Box::new(|panic| {
        eprintln!("{}", panic.to_string().replace(":\n", ": "));
    }));
}

fn read_plan() -> Result<Plan> {
    let text = fs::read(PLAN_PATH).with_context(|| format!("reading {PLAN_PATH}"))?;
    serde_json::from_slice(&text).with_context(|| format!("{PLAN_PATH} is no plan"))
}
