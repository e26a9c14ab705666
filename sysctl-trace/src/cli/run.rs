//! `sysctl-trace run`: what happens on the node while a command runs.

use std::{io, process::ExitStatus, time::Instant};

use anyhow::Context as _;
use rustix::process::{Pid, kill_process};
use tokio::process::{Child, Command};

use crate::{
    cli::{
        exit::Exit,
        notice,
        plan::{Plan, Run},
        privileges,
        session::{Error, Session},
        signals::{Signal, Signals},
        source::Source,
        tree::Tree,
        verdicts::Verdicts,
    },
    event::EndReason,
};

/// How the command came to its end, as far as this process waits for it.
#[derive(Debug)]
enum End {
    Status(ExitStatus),
    /// This process is to end before the command does.
    Signal(Signal),
}

/// Attaches, runs the command, and ends with its status.
pub async fn run(mut plan: Plan<Run>, started: Instant) -> anyhow::Result<Exit> {
    let (mut session, mut signals) = Session::attach(&mut plan, started, "starting the command")?;
    // Ctrl-C is for the command now, which gets it from the terminal, too.
    let Run {
        program,
        args,
        tree,
        keys,
    } = &plan.command;
    session.verdicts = Some(Verdicts::new(keys.clone()));
    let mut child = match Command::new(program).args(args).spawn() {
        Ok(child) => child,
        Err(error) => {
            let exit = not_started(&error);
            let error = anyhow::Error::new(error);
            notice::error(&error.context(format!("cannot run {}", program.display())));
            if let Err(error) = session.abandon().await
                && !error.is_closed()
            {
                notice::error(&anyhow::Error::new(error));
            }
            return Ok(exit);
        }
    };
    if let (true, Some(pid)) = (tree, child.id()) {
        session.tree = Some(Tree::new(pid));
    }
    Ok(trace(&mut session, &mut child, &mut signals)
        .await
        .unwrap_or_else(|error| {
            notice::error(&error);
            Exit::FailedBesideCommand
        }))
}

async fn trace<S: Source>(
    session: &mut Session<S>,
    child: &mut Child,
    signals: &mut Signals,
) -> anyhow::Result<Exit> {
    // The command has been executed by now, with all that this process was given.
    let given_back = privileges::give_back();
    let (end, so_far) = until_end(session, child, signals).await;
    let reason = match &end {
        Ok(End::Status(_)) => EndReason::CommandEnded,
        Ok(End::Signal(_)) => EndReason::Signal,
        Err(_) => EndReason::Error,
    };
    session.finish(so_far, reason).await?;
    given_back?;
    let exit = match end.context("cannot wait for the command")? {
        End::Status(status) => Exit::of_command(status),
        End::Signal(signal) => Exit::Signal(signal.number()),
    };
    Ok(session.exit(exit))
}

/// Shows events until the command ends. When they can't be shown any more, it still waits.
async fn until_end<S: Source>(
    session: &mut Session<S>,
    child: &mut Child,
    signals: &mut Signals,
) -> (io::Result<End>, Result<(), Error>) {
    let pid = child.id();
    let mut so_far = Ok(());
    let mut asked = false;
    let wait = child.wait();
    tokio::pin!(wait);
    let end = loop {
        tokio::select! {
            biased;
            status = &mut wait => break status.map(End::Status),
            signal = signals.next() => {
                pass_on(signal, pid);
                if asked {
                    break Ok(End::Signal(signal));
                }
                asked = true;
            }
            step = session.step(), if so_far.is_ok() => {
                if let Err(error) = &step
                    && !error.is_closed()
                {
                    notice::stopped(error);
                }
                so_far = step;
            }
        }
    };
    (end, so_far)
}

/// The terminal sends Ctrl-C to the command by itself; SIGTERM was sent to this process alone.
fn pass_on(signal: Signal, pid: Option<u32>) {
    match signal {
        Signal::Interrupt => {}
        Signal::Terminate => {
            let pid = pid.and_then(|pid| Pid::from_raw(pid.cast_signed()));
            if let Some(pid) = pid {
                // It may have ended by itself.
                let _ = kill_process(pid, rustix::process::Signal::TERM);
            }
        }
    }
}

/// The status that a shell gives for a command that can't be started.
fn not_started(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::NotExecutable,
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
