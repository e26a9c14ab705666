//! `sysctl-trace doctor`: what this kernel and these privileges allow, and how to mend the rest.
//!
//! Facts come from [`Support`], [`rules`] make checks of them, and what is here tells them.

mod keys;
mod rules;

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use serde::Serialize;

use self::rules::{Check, Status, checks};
use super::{args, exit::Exit};
use crate::kernel::support::Support;

/// Looks, and tells. Ends with status 1 where a check fails.
pub fn doctor(args: &args::Doctor) -> anyhow::Result<Exit> {
    if args.keys {
        return keys::keys(args);
    }
    let support = Support::find(args.btf.as_ref(), args.attach.modes());
    let checks = checks(&support);
    let worst = checks
        .iter()
        .map(|check| check.status)
        .max()
        .unwrap_or(Status::Ok);
    let told = if args.json {
        json(worst, &checks)
    } else {
        table(worst, &checks)
    };
    match told {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).context("cannot write to standard output");
        }
        _ => {}
    }
    Ok(match worst {
        Status::Ok | Status::Warn => Exit::Done,
        Status::Fail => Exit::Failed,
    })
}

#[derive(Serialize)]
struct Report<'a> {
    verdict: Status,
    checks: &'a [Check],
}

fn json(verdict: Status, checks: &[Check]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &Report { verdict, checks })?;
    writeln!(out)
}

/// Columns of the names.
const NAME_WIDTH: usize = 20;

fn table(worst: Status, checks: &[Check]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    for Check {
        name,
        status,
        found,
        fix,
    } in checks
    {
        let (word, style) = (status.word(), status.style());
        // What is found may have lines of its own: each way to attach, tried.
        let found = indented(found);
        writeln!(
            out,
            "{style}{word:<4}{style:#}  {name:<NAME_WIDTH$}  {found}"
        )?;
        if let Some(fix) = fix {
            writeln!(out, "{:6}{:NAME_WIDTH$}  fix: {}", "", "", indented(fix))?;
        }
    }
    let conclusion = match worst {
        Status::Ok => "sysctl-trace can trace here.",
        Status::Warn => "sysctl-trace can trace here, with the limits above.",
        Status::Fail => "sysctl-trace cannot trace here.",
    };
    writeln!(out, "\n{conclusion}")
}

fn indented(text: &str) -> String {
    text.replace('\n', &format!("\n{:width$}", "", width = NAME_WIDTH + 8))
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Ok => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Fail => AnsiColor::Red.on_default().bold(),
        }
    }
}
