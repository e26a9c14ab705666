//! 12: two hundred containers in a row that end at once, two at a time.

use std::{collections::BTreeSet, thread};

use anyhow::{Context as _, Result, ensure};

use super::{Context, runtime::bundle::Bundle, watch::while_watching};
use crate::trace::Action;

const KEY: &str = "net.core.somaxconn";
const CONTAINERS: usize = 200;
const AT_A_TIME: usize = 2;

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let bundle = Bundle::make(&["/bin/true"], &[(KEY, "1024")])?;
    let ((), trace) = while_watching(|| {
        let bundle = &bundle;
        thread::scope(|scope| {
            let runners: Vec<_> = (0..AT_A_TIME)
                .map(|lane| scope.spawn(move || run_lane(bundle, lane)))
                .collect();
            runners
                .into_iter()
                .try_for_each(|runner| runner.join().ok().context("a thread that panicked")?)
        })
    })?;
    let wanted: BTreeSet<String> = (0..CONTAINERS).map(id).collect();
    for (action, what) in [
        (Action::NetnsCreate, "namespaces"),
        (Action::SysctlWrite, "writes"),
    ] {
        let mut found = BTreeSet::new();
        for event in trace.events.iter().filter(|e| e.event.action == action) {
            let owner = event.netns.as_ref().and_then(|netns| netns.owner.as_ref());
            let owner = owner.and_then(|owner| owner.container.as_ref());
            let actor = event.container.as_ref();
            let ids = (actor.map(|c| &c.id), owner.map(|c| &c.id));
            let (Some(actor), Some(owner)) = ids else {
                anyhow::bail!("nobody's: {event:?}");
            };
            ensure!(actor == owner, "of {actor}, by {owner}: {event:?}");
            let component = event.component.as_ref().map(|component| &*component.name);
            ensure!(component == Some("runc"), "by {component:?}: {event:?}");
            found.insert(actor.clone());
        }
        ensure!(
            found == wanted,
            "{what} of {} containers instead of {CONTAINERS}",
            found.len()
        );
    }
    Ok(())
}

fn run_lane(bundle: &Bundle, lane: usize) -> Result<()> {
    for number in (lane..CONTAINERS).step_by(AT_A_TIME) {
        bundle.run("runc", &id(number))?;
    }
    Ok(())
}

fn id(number: usize) -> String {
    format!("brief-{number}")
}
