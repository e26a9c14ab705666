//! `sysctl-trace why`: who set a value, and what proves it.

use std::fmt::Write as _;

use super::{
    args,
    exit::Exit,
    notice,
    plan::{Error, error},
    print,
};
use crate::{
    answer::Answer,
    inquiry::{Inquiry, live, recorded},
    node::key::Keys,
    output::{answer, listing},
    recording::Source,
    target::Target,
};

/// What is asked, and how it is to be told.
#[derive(Debug)]
pub struct Plan<'a> {
    target: Target,
    keys: Keys,
    args: &'a args::Why,
}

impl<'a> Plan<'a> {
    /// Makes sense of the arguments.
    pub fn new(args: &'a args::Why) -> Result<Self, Error> {
        let target = Target::parse(&args.target)
            .map_err(|reason| error("<TARGET>", &args.target, reason))?;
        let keys = Keys::parse([&args.key]).map_err(|reason| error("[KEY]", &args.key, reason))?;
        Ok(Self { target, keys, args })
    }
}

/// Finds out and tells.
pub fn why(plan: &Plan<'_>) -> anyhow::Result<Exit> {
    let inquiry = inquire(plan)?;
    let answers = inquiry.answers();
    for note in &inquiry.notes {
        notice::text(format_args!("note: {note}\n"));
    }
    print::text(&told(plan, &answers)?)?;
    let is_decided = !answers.is_empty() && answers.iter().all(|a| a.verdict.is_decided());
    Ok(if is_decided {
        Exit::Done
    } else {
        Exit::Undecided
    })
}

fn inquire(plan: &Plan<'_>) -> anyhow::Result<Inquiry> {
    let Plan { target, keys, args } = plan;
    Ok(match &args.from {
        Some(name) => recorded::ask(&Source::new(name), target, keys, args.boot.as_deref())?,
        None => live::ask(target, keys, print::recorder(&args.ask)?.as_ref())?,
    })
}

fn told(plan: &Plan<'_>, answers: &[Answer]) -> Result<String, serde_json::Error> {
    if plan.args.json {
        let mut out = String::new();
        for answer in answers {
            // Writing to a String can't fail.
            let _ = writeln!(out, "{}", serde_json::to_string(answer)?);
        }
        return Ok(out);
    }
    let look = print::look(plan.args.color);
    Ok(match answers {
        [] => "no such key was seen\n".to_owned(),
        [answer] => answer::text(answer, look),
        several => listing::keys(several, look),
    })
}
