use std::sync::Arc;

use super::*;
use crate::{
    event::{Action, Event, NetnsId},
    ledger::{Ledger, Limits},
    node::key::Keys,
    output::samples,
    rendered::Rendered,
    time::Epoch,
    verdict::Confidence,
};

const WEB: NetnsId = NetnsId {
    inum: 4026532281,
    cookie: 41,
};

/// Events of a namespace that was seen being made.
struct Tale {
    events: Vec<Event>,
}

impl Tale {
    fn new() -> Self {
        let mut tale = Self { events: Vec::new() };
        tale.tell(Action::TraceStart, samples::started());
        tale.tell(Action::NetnsCreate, samples::created());
        tale
    }

    fn tell(&mut self, action: Action, mut event: Event) {
        let number = self.events.len() as u64 + 1;
        event.event.action = action;
        event.event.sequence = number;
        event.event.boottime_ns = number * 1_000_000_000;
        event.event.duration = (action == Action::SysctlWrite).then_some(1000);
        event.timestamp = Epoch(0).moment(event.event.boottime_ns);
        if let Some(process) = &event.process {
            event.component = Some(Arc::new(Rendered::new(crate::event::Component {
                name: process.name.clone().into(),
                stage: None,
                confidence: crate::event::Sureness::Observed,
                evidence: Vec::new(),
            })));
        }
        self.events.push(event);
    }

    fn write(mut self, by: &str, key: &str, old: &str, new: &str) -> Self {
        let mut event = samples::write(new, old, new);
        event.process = Some(Arc::new(Rendered::new(samples::process(300, by))));
        let sysctl = event.sysctl.as_mut().unwrap();
        sysctl.key = key.into();
        sysctl.path = crate::event::dotted(key);
        if !key.starts_with("net.") {
            event.netns = None;
        }
        self.tell(Action::SysctlWrite, event);
        self
    }

    fn table(mut self, action: Action, folder: &str, values: &[(&str, &str)]) -> Self {
        let mut event = samples::registered();
        let table = event.table.as_mut().unwrap();
        table.path = folder.into();
        table.unread.clear();
        table.values = values
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        if action == Action::SysctlUnregister {
            table.unread = std::mem::take(&mut table.values).into_keys().collect();
        }
        self.tell(action, event);
        self
    }

    fn answer(mut self, key: &str) -> Answer {
        let last = self.events.len() as u64 + 1;
        self.tell(Action::TraceEnd, samples::ended(last));
        let mut ledger = Ledger::new(Limits::default());
        for event in &self.events {
            ledger.take(event);
        }
        let place = if key.starts_with("net.") {
            Place::Netns(WEB)
        } else {
            Place::Node
        };
        let keys = Keys::parse([key]).unwrap();
        let mut answers = recorded::in_ledger(&ledger, place, &keys).answers();
        answers.pop().unwrap()
    }
}

#[test]
fn a_write_that_reaches_every_device_is_the_cause() {
    const DEVICE: &str = "net.ipv6.conf.d0.disable_ipv6";
    const ALL: &str = "net.ipv6.conf.all.disable_ipv6";
    let answer = Tale::new()
        .write("sysctl", DEVICE, "0", "1")
        .write("tee", ALL, "1", "0")
        .write("tee", ALL, "0", "1")
        .answer(DEVICE);
    let verdict = &answer.verdict;
    assert_eq!(verdict.word, "tee", "{verdict:#?}");
    assert_eq!(verdict.confidence, Confidence::Observed, "{verdict:#?}");
    let said = format!("wrote {ALL}, which sets every device");
    assert!(verdict.sentence.contains(&said), "{}", verdict.sentence);
}

#[test]
fn a_write_that_reaches_a_key_and_changes_nothing_is_not_the_cause() {
    const DEVICE: &str = "net.ipv6.conf.d0.disable_ipv6";
    const ALL: &str = "net.ipv6.conf.all.disable_ipv6";
    let answer = Tale::new()
        .write("sysctl", DEVICE, "0", "1")
        .write("tee", ALL, "0", "1")
        .answer(DEVICE);
    assert_eq!(answer.verdict.word, "sysctl", "{:#?}", answer.verdict);
}

#[test]
fn what_the_other_of_a_pair_resets_is_no_riddle() {
    let answer = Tale::new()
        .write("sysctl", "vm.dirty_ratio", "20", "30")
        .write("tee", "vm.dirty_bytes", "0", "104857600")
        .answer("vm.dirty_ratio");
    assert_eq!(answer.verdict.word, "tee", "{:#?}", answer.verdict);
    assert_eq!(answer.sysctl.value.as_deref(), Some("0"));
}

#[test]
fn keys_of_a_device_that_was_made_anew_begin_anew() {
    const KEY: &str = "net.ipv4.conf.d0.rp_filter";
    const FOLDER: &str = "net/ipv4/conf/d0";
    let keys = [("rp_filter", "0"), ("forwarding", "0")];
    let answer = Tale::new()
        .table(Action::SysctlRegister, FOLDER, &keys)
        .write("sysctl", KEY, "0", "1")
        .table(Action::SysctlUnregister, FOLDER, &keys)
        .table(Action::SysctlRegister, FOLDER, &keys)
        .answer(KEY);
    let verdict = &answer.verdict;
    assert_eq!(verdict.word, "kernel", "{verdict:#?}");
    assert_eq!(answer.sysctl.value.as_deref(), Some("0"));
    assert!(
        verdict
            .sentence
            .contains("as ip[330] made net/ipv4/conf/d0"),
        "{}",
        verdict.sentence
    );
    assert!(!verdict.sentence.contains("made the namespace"));
}

#[test]
fn a_write_after_the_device_was_made_stands() {
    const KEY: &str = "net.ipv4.conf.d0.rp_filter";
    let keys = [("rp_filter", "0"), ("forwarding", "0")];
    let answer = Tale::new()
        .table(Action::SysctlRegister, "net/ipv4/conf/d0", &keys)
        .write("sysctl", KEY, "0", "1")
        .answer(KEY);
    assert_eq!(answer.verdict.word, "sysctl", "{:#?}", answer.verdict);
    assert_eq!(answer.verdict.confidence, Confidence::Observed);
}

#[test]
fn what_a_new_device_begins_with_is_copied_from_the_default() {
    const KEY: &str = "net.ipv6.conf.d0.hop_limit";
    const DEFAULT: &str = "net.ipv6.conf.default.hop_limit";
    let keys = [("hop_limit", "77"), ("forwarding", "0")];
    let register = |tale: Tale| tale.table(Action::SysctlRegister, "net/ipv6/conf/d0", &keys);
    let answer = register(Tale::new().write("sysctl", DEFAULT, "64", "77")).answer(KEY);
    let verdict = &answer.verdict;
    assert_eq!(verdict.confidence, Confidence::Observed, "{verdict:#?}");
    assert!(
        verdict
            .sentence
            .ends_with("made net/ipv6/conf/d0: copied from net.ipv6.conf.default.hop_limit, which sysctl[300] had set."),
        "{}",
        verdict.sentence
    );
    let told = verdict.evidence.iter();
    let mut told = told.filter(|fact| fact.text.contains(DEFAULT));
    let set = told.next().unwrap();
    assert!(set.text.contains("was set to 77 by sysctl[300]"), "{set:?}");
    assert!(
        told.next()
            .unwrap()
            .text
            .contains("which net.ipv6.conf.default.hop_limit had")
    );

    // It was written later: what it had before is known.
    let later = register(Tale::new())
        .write("sysctl", DEFAULT, "77", "78")
        .answer(KEY);
    let sentence = &later.verdict.sentence;
    assert!(
        sentence.ends_with("copied from net.ipv6.conf.default.hop_limit."),
        "{sentence}"
    );
    // It had another value: this device's is not copied.
    let other = register(Tale::new().write("sysctl", DEFAULT, "64", "78")).answer(KEY);
    assert!(
        !other.verdict.sentence.contains("copied"),
        "{}",
        other.verdict.sentence
    );
    // Nothing is known of it.
    let unknown = register(Tale::new()).answer(KEY);
    assert!(unknown.verdict.sentence.ends_with("made net/ipv6/conf/d0."));
    let kernel = unknown.verdict.suspects.last().unwrap();
    assert_eq!(kernel.why, "gave it 77 as net/ipv6/conf/d0 came to be");
}
