//! What went by, in a few lines at the end.

use std::{collections::HashMap, fmt::Write as _};

use crate::{
    event::{Action, Event, Lost, NetnsId, Outcome},
    output::{
        story,
        text::{Charset, push},
        who,
    },
};

/// How many new namespaces are told one by one.
const NAMESPACES: usize = 1000;

/// Counts events as they are shown.
#[derive(Debug)]
pub struct Summary {
    charset: Charset,
    counts: [Count; Action::ALL.len()],
    filtered: u64,
    namespaces: Vec<Namespace>,
    /// Where in `namespaces` those stand that can still be told more about.
    places: HashMap<NetnsId, usize>,
    more_namespaces: u64,
}

/// A namespace that was made.
#[derive(Debug)]
struct Namespace {
    /// Its value, and who made it.
    made: String,
    /// For which container, once that is known.
    container: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: u64,
    failed: u64,
}

impl Summary {
    /// Nothing went by yet.
    pub fn new(charset: Charset) -> Self {
        Self {
            charset,
            counts: [Count::default(); Action::ALL.len()],
            filtered: 0,
            namespaces: Vec::new(),
            places: HashMap::new(),
            more_namespaces: 0,
        }
    }

    /// An event was shown.
    pub fn add(&mut self, event: &Event) {
        let action = event.event.action;
        let count = &mut self.counts[place(action)];
        count.all += 1;
        if event.event.outcome == Outcome::Failure {
            count.failed += 1;
        }
        if action == Action::NetnsCreate {
            if self.namespaces.len() < NAMESPACES {
                if let Some(netns) = &event.netns {
                    self.places.insert(netns.id(), self.namespaces.len());
                }
                self.namespaces.push(Namespace {
                    made: namespace(event, self.charset),
                    container: None,
                });
            } else {
                self.more_namespaces += 1;
            }
        }
        self.add_owner(event);
    }

    /// Whose a namespace is may become known after it was made.
    fn add_owner(&mut self, event: &Event) {
        let Some(netns) = &event.netns else { return };
        let Some(place) = self.places.get(&netns.id()) else {
            return;
        };
        if let Some(owner) = &netns.owner
            && let Some(container) = &owner.container
            && let Some(namespace) = self.namespaces.get_mut(*place)
            && namespace.container.is_none()
        {
            let mut text = String::new();
            who::push_name(&mut text, container, owner.k8s.as_ref(), self.charset);
            if let Some(runtime) = &container.runtime {
                text.push_str(" (");
                push(&mut text, runtime, self.charset);
                text.push(')');
            }
            namespace.container = Some(text);
        }
        if event.event.action == Action::NetnsDestroy {
            self.places.remove(&netns.id());
        }
    }

    /// An event was left out by a filter.
    pub fn add_filtered(&mut self) {
        self.filtered += 1;
    }

    /// The lines: new namespaces, events by action, loss.
    pub fn text(&self, lost: &Lost) -> String {
        let mut out = String::new();
        for Namespace { made, container } in &self.namespaces {
            out.push_str(made);
            if let Some(container) = container {
                out.push_str(", for ");
                out.push_str(container);
            }
            out.push('\n');
        }
        // Writing to a String can't fail.
        if self.more_namespaces > 0 {
            let _ = writeln!(out, "and {} more new namespaces", self.more_namespaces);
        }
        out.push_str(&self.counts(lost));
        out
    }

    /// The lines on events by action, and on loss.
    pub fn counts(&self, lost: &Lost) -> String {
        let mut out = String::new();
        let shown: u64 = Action::ALL
            .iter()
            .filter(|action| !is_about_trace(**action))
            .map(|action| self.counts[place(*action)].all)
            .sum();
        let _ = write!(out, "{shown} event{}", if shown == 1 { "" } else { "s" });
        let mut separator = ": ";
        for action in Action::ALL {
            let Count { all, failed } = self.counts[place(action)];
            if all == 0 || is_about_trace(action) {
                continue;
            }
            let _ = write!(out, "{separator}{all} {}", action.name());
            if failed > 0 {
                let _ = write!(out, " ({failed} refused)");
            }
            separator = ", ";
        }
        if self.filtered > 0 {
            let _ = write!(out, "; {} more did not pass the filters", self.filtered);
        }
        out.push('\n');
        out.push_str(&Self::loss(lost));
        out
    }

    /// The line about loss alone.
    pub fn loss(lost: &Lost) -> String {
        let mut out = String::new();
        story::push_lost(&mut out, lost);
        out.push('\n');
        out
    }
}

/// Whether such an event tells of the trace and not of the node.
const fn is_about_trace(action: Action) -> bool {
    matches!(
        action,
        Action::EventsLost | Action::TraceStart | Action::TraceEnd
    )
}

/// Index of an action in [`Action::ALL`].
const fn place(action: Action) -> usize {
    match action {
        Action::NetnsCreate => 0,
        Action::NetnsDestroy => 1,
        Action::SysctlWrite => 2,
        Action::NetnsEnter => 3,
        Action::NetnsBind => 4,
        Action::EventsLost => 5,
        Action::TraceStart => 6,
        Action::SysctlDrift => 7,
        Action::SysctlRegister => 8,
        Action::SysctlUnregister => 9,
        Action::TraceEnd => 10,
    }
}

/// `netns 4026532281: somaxconn 4096 (node 2048), made by runc:[1:CHILD][312] (runc child)`
fn namespace(event: &Event, charset: Charset) -> String {
    let mut out = String::from("netns ");
    // Writing to a String can't fail.
    match event.netns.as_ref().and_then(|netns| netns.inum) {
        Some(inum) => {
            let _ = write!(out, "{inum}: ");
        }
        None => out.push_str("without a number: "),
    }
    let verb = match event.event.outcome {
        Outcome::Failure => ", asked for by ",
        Outcome::Success | Outcome::Unknown => {
            if let Some(sysctl) = &event.sysctl {
                push(&mut out, last_component(&sysctl.path), charset);
                out.push(' ');
            }
            ", made by "
        }
    };
    let before = out.len();
    story::push_story(&mut out, event, charset);
    if out.len() == before {
        out.push_str("value not known");
    }
    if let Some(process) = &event.process {
        out.push_str(verb);
        push(&mut out, &process.name, charset);
        let _ = write!(out, "[{}]", process.pid);
        if event.component.is_some() {
            out.push_str(" (");
            who::push_component(&mut out, event, charset);
            out.push(')');
        }
    }
    out
}

fn last_component(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
