//! What went by, in a few lines at the end.

use std::fmt::Write as _;

use crate::{
    event::{Action, Event, Lost, Outcome},
    output::{
        story,
        text::{Charset, push},
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
    namespaces: Vec<String>,
    more_namespaces: u64,
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
                let line = namespace(event, self.charset);
                self.namespaces.push(line);
            } else {
                self.more_namespaces += 1;
            }
        }
    }

    /// An event was left out by a filter.
    pub fn add_filtered(&mut self) {
        self.filtered += 1;
    }

    /// The lines: new namespaces, events by action, loss.
    pub fn text(&self, lost: &Lost) -> String {
        let mut out = String::new();
        for line in &self.namespaces {
            out.push_str(line);
            out.push('\n');
        }
        // Writing to a String can't fail.
        if self.more_namespaces > 0 {
            let _ = writeln!(out, "and {} more new namespaces", self.more_namespaces);
        }
        let shown: u64 = Action::ALL
            .iter()
            .filter(|action| **action != Action::EventsLost)
            .map(|action| self.counts[place(*action)].all)
            .sum();
        let _ = write!(out, "{shown} event{}", if shown == 1 { "" } else { "s" });
        let mut separator = ": ";
        for action in Action::ALL {
            let Count { all, failed } = self.counts[place(action)];
            if all == 0 || action == Action::EventsLost {
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

/// Index of an action in [`Action::ALL`].
const fn place(action: Action) -> usize {
    match action {
        Action::NetnsCreate => 0,
        Action::NetnsDestroy => 1,
        Action::SysctlWrite => 2,
        Action::EventsLost => 3,
    }
}

/// `netns 4026532281: somaxconn 4096 (node 2048), made by unshare[312]`
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
    }
    out
}

fn last_component(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
