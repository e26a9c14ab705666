//! Lines stay below 8 KiB, the smallest limit on the way into common log pipelines.
//!
//! What makes a line too long is text of the traced side: arguments, values, a cgroup path. How
//! long it is as JSON is only known here: a byte may take six. Such a line is written anew with
//! those texts cut, and each is named in `trace.truncated`.

use std::{borrow::Cow, sync::Arc};

use smol_str::SmolStr;

use crate::{
    event::{Ancestor, Event, Kubernetes, Owner, Process, Requester, Table},
    output::encode::Encoder,
    rendered::Rendered,
};

/// A line is shorter than this, without its newline.
pub(super) const LINE_BYTES: usize = 8 * 1024 - 1;

/// How many bytes of JSON each text may keep, tried in this order. The last fits whatever the
/// texts are.
const BUDGETS: [usize; 3] = [1024, 512, 128];

/// Appends the JSON of an event with its long texts cut.
pub(super) fn push_shortened(
    encoder: &mut Encoder,
    out: &mut Vec<u8>,
    event: &Event,
) -> Result<(), serde_json::Error> {
    let start = out.len();
    for budget in BUDGETS {
        out.truncate(start);
        encoder.push_event(out, &shortened(event, budget))?;
        if out.len() - start < LINE_BYTES {
            break;
        }
    }
    Ok(())
}

fn shortened(event: &Event, budget: usize) -> Event {
    let mut event = event.clone();
    let mut cuts = Cuts {
        names: &mut event.trace.truncated,
        budget,
    };
    // Without all of them it would say of some that they are none.
    if event.trace.keys.take().is_some() {
        cuts.name("trace.keys");
    }
    if let Some(sysctl) = &mut event.sysctl {
        for (name, text) in [
            ("sysctl.requested", &mut sysctl.requested),
            ("sysctl.old", &mut sysctl.old),
            ("sysctl.new", &mut sysctl.new),
            ("sysctl.init_netns", &mut sysctl.init_netns),
        ] {
            if let Some(text) = text
                && let Some(head) = head(text, budget)
            {
                *text = SmolStr::new(head);
                cuts.name(name);
            }
        }
    }
    if let Some(table) = &mut event.table {
        cuts.table(table);
    }
    if let Some(sysctl) = &mut event.sysctl
        && let Some(requester) = &mut sysctl.requester
    {
        let mut whole = Requester::clone(requester);
        let file = &mut whole.file;
        cuts.text("sysctl.requester.file", file, budget);
        if let Some(head) = head(&whole.value, budget) {
            whole.value = head.to_owned();
            cuts.name("sysctl.requester.value");
        }
        *requester = Arc::new(whole);
    }
    if let Some(k8s) = &mut event.k8s {
        let mut whole = Kubernetes::clone(k8s);
        cuts.labels("k8s.pod.label", &mut whole);
        *k8s = Arc::new(Rendered::new(whole));
    }
    if let Some(netns) = &mut event.netns
        && let Some(owner) = &mut netns.owner
    {
        let mut whole = Owner::clone(owner);
        if let Some(k8s) = &mut whole.k8s {
            cuts.labels("netns.owner.k8s.pod.label", k8s);
        }
        *owner = Arc::new(Rendered::new(whole));
    }
    if let Some(process) = &mut event.process {
        let mut whole = Process::clone(process);
        cuts.process(&mut whole);
        *process = Arc::new(Rendered::new(whole));
    }
    event
}

/// What was cut so far, and how much a text may keep.
struct Cuts<'a> {
    names: &'a mut Vec<Cow<'static, str>>,
    budget: usize,
}

impl Cuts<'_> {
    fn process(&mut self, process: &mut Process) {
        if let Some(args) = &mut process.args
            && let Some(kept) = shortened_args(args, self.budget)
        {
            *args = kept;
            self.name("process.args");
        }
        self.text("process.executable", &mut process.executable, self.budget);
        self.text("process.cgroup", &mut process.cgroup, self.budget);
        // There may be ten of these.
        let budget = self.budget / 4;
        let own = &mut process.executable_name;
        self.text("process.executable_name", own, budget);
        if let Some(Ancestor {
            executable_name, ..
        }) = &mut process.parent
        {
            self.text("process.parent.executable_name", executable_name, budget);
        }
        for ancestor in &mut process.ancestors {
            let theirs = &mut ancestor.executable_name;
            self.text("process.ancestors.executable_name", theirs, budget);
        }
    }

    fn text(&mut self, name: &'static str, text: &mut Option<String>, budget: usize) {
        if let Some(text) = text
            && let Some(head) = head(text, budget)
        {
            *text = head.to_owned();
            self.name(name);
        }
    }

    /// Labels are kept as long as they fit, in their order.
    fn labels(&mut self, name: &'static str, k8s: &mut Kubernetes) {
        let mut left = self.budget;
        let before = k8s.pod.labels.len();
        k8s.pod.labels.retain(|key, value| {
            // Four quotes, a colon and a comma.
            let taken = 6 + key
                .chars()
                .chain(value.chars())
                .map(json_len)
                .sum::<usize>();
            let fits = taken <= left;
            left = if fits { left - taken } else { 0 };
            fits
        });
        if k8s.pod.labels.len() < before {
            self.name(name);
        }
    }

    /// Of keys that come or go as many as fit, in the order of their names.
    fn table(&mut self, table: &mut Table) {
        // A device has some fifty keys, which is all that such a line is for.
        let mut left = 4 * self.budget;
        let before = (table.values.len(), table.unread.len());
        let mut fits = |text: &[&str]| {
            // Quotes, a colon, a comma.
            let taken = 6 + text
                .iter()
                .flat_map(|text| text.chars())
                .map(json_len)
                .sum::<usize>();
            let fits = taken <= left;
            left = if fits { left - taken } else { 0 };
            fits
        };
        table.values.retain(|name, value| fits(&[name, value]));
        table.unread.retain(|name| fits(&[name]));
        if (table.values.len(), table.unread.len()) != before {
            self.name("table");
        }
    }

    fn name(&mut self, name: &'static str) {
        if !self.names.iter().any(|named| named == name) {
            self.names.push(Cow::Borrowed(name));
        }
    }
}

/// The part of `text` whose JSON fits, or nothing where all of it does.
fn head(text: &str, budget: usize) -> Option<&str> {
    let mut taken = 0;
    for (at, char) in text.char_indices() {
        taken += json_len(char);
        if taken > budget {
            return Some(&text[..at]);
        }
    }
    None
}

/// The arguments whose JSON fits, the last of them perhaps cut; nothing where all of them do.
fn shortened_args(args: &[String], budget: usize) -> Option<Vec<String>> {
    let mut left = budget;
    let mut kept = Vec::new();
    for arg in args {
        // Two quotes and a comma.
        let Some(room) = left.checked_sub(3) else {
            return Some(kept);
        };
        if let Some(head) = head(arg, room) {
            kept.push(head.to_owned());
            return Some(kept);
        }
        left = room - arg.chars().map(json_len).sum::<usize>();
        kept.push(arg.clone());
    }
    None
}

/// How many bytes a character takes in JSON.
const fn json_len(char: char) -> usize {
    match char {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\x1f' => 6,
        char => char.len_utf8(),
    }
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
