//! Attaches one tool after the other and has everything done with each.

use std::io::Write as _;

use anyhow::{Context as _, Result};

use super::{
    actor::{self, Act},
    meter, place,
    profile::Profile,
    terms::{Answer, Request, Side, Work},
    tool::{self, Tool},
};

/// Measures what is asked for and prints each answer on a line.
///
/// # Errors
/// When anything fails: figures that nobody can explain are worth nothing.
pub fn run(request: &Request) -> Result<()> {
    place::prepare()?;
    for _ in 0..request.rounds {
        for (index, side) in request.sides.iter().enumerate() {
            session(index, side, request).with_context(|| format!("with {side:?}"))?;
        }
    }
    Ok(())
}

fn session(index: usize, side: &Side, request: &Request) -> Result<()> {
    tool::forget();
    // The boot, or the end of the tool before, may still be under way.
    meter::wait_for_idle()?;
    let profile = start_profile(side, request)?;
    let tool = match Tool::start(side)? {
        Some((tool, elapsed_ns)) => {
            end_profile(profile, &tool, index, None)?;
            answer(&Answer::Attached {
                side: index,
                elapsed_ns,
            })?;
            Some(tool)
        }
        None => None,
    };
    let mut writer = None;
    let mut writes = 0;
    for &work in &request.works {
        let profile = start_profile(side, request)?;
        let act = actor::run(work, tool.as_ref().map(Tool::child))?;
        if let Some(tool) = &tool {
            end_profile(profile, tool, index, Some(work))?;
        }
        writes += act.writes_with_children;
        if work == Work::Write {
            writer = Some(act);
        }
        answer(&Answer::Done {
            side: index,
            work,
            cost: act.cost,
        })?;
    }
    let Some(tool) = tool else { return Ok(()) };
    meter::settle(Some(tool.pid()?))?;
    answer(&Answer::Resident {
        side: index,
        memory: tool.memory()?,
    })?;
    let said = tool.end()?;
    let lost = match (side, writer) {
        (Side::Floor, _) => Some(writes.saturating_sub(tool::records(&said)?)),
        (_, Some(Act { pid, writes, .. })) => {
            tool::told(side, pid)?.map(|told| writes.saturating_sub(told))
        }
        (_, None) => None,
    };
    tool::forget();
    answer(&Answer::Ended {
        side: index,
        lost,
        said,
    })
}

fn start_profile(side: &Side, request: &Request) -> Result<Option<Profile>> {
    let wanted = request.profile && *side != Side::Nothing;
    wanted.then(Profile::start).transpose()
}

fn end_profile(
    profile: Option<Profile>,
    tool: &Tool,
    side: usize,
    work: Option<Work>,
) -> Result<()> {
    let Some(profile) = profile else {
        return Ok(());
    };
    let samples = profile.end(tool.child().id())?;
    answer(&Answer::Profile {
        side,
        work,
        samples,
    })
}

fn answer(answer: &Answer) -> Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    std::io::stdout().write_all(&line).context("answering")
}
