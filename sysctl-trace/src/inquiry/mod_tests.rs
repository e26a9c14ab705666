use std::sync::Arc;

use super::*;
use crate::{
    event::{Action, Event, NetnsId, NodeKeys},
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

    /// The kernel says of its keys that these are shared, and of these that they are one.
    fn keys(mut self, shared: &[&str], aliases: &[&str]) -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
        let aliases = (!aliases.is_empty()).then(|| names(aliases));
        self.events[0].trace.keys = Some(Box::new(NodeKeys {
            shared: names(shared),
            aliases: aliases.into_iter().collect(),
        }));
        self
    }

    /// What comes next is about the node's own network namespace.
    fn on_node(mut self, tell: impl FnOnce(Self) -> Self) -> Self {
        let node = self.events[0].netns.clone();
        let before = self.events.len();
        self = tell(self);
        for event in &mut self.events[before..] {
            event.netns.clone_from(&node);
        }
        self
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
        Self::answer_of(&self.events, key)
    }

    fn answer_of(events: &[Event], key: &str) -> Answer {
        let mut ledger = Ledger::new(Limits::default());
        for event in events {
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

const RMEM_MAX: &str = "net.core.rmem_max";

#[test]
fn a_key_of_the_whole_node_has_the_nodes_history() {
    let told = Tale::new().keys(&[RMEM_MAX], &[]).on_node(|tale| {
        let key = RMEM_MAX;
        tale.write("sysctl", key, "212992", "300000")
    });
    let answer = told.answer(RMEM_MAX);
    let verdict = &answer.verdict;
    assert_eq!(verdict.word, "sysctl", "{verdict:#?}");
    assert_eq!(verdict.confidence, Confidence::Observed, "{verdict:#?}");
    let said = "net.core.rmem_max is 300000 for the whole node, netns 4026532281 too: sysctl[300]";
    assert!(verdict.sentence.starts_with(said), "{}", verdict.sentence);
    let mut facts = verdict.evidence.iter().map(|fact| &fact.text);
    assert!(facts.any(|fact| fact == "net.core.rmem_max is one for the whole node, by the kernel's word"));
}

#[test]
fn a_key_that_may_be_the_whole_nodes_is_not_called_the_namespaces() {
    let told = || Tale::new().on_node(|tale| tale.write("sysctl", RMEM_MAX, "212992", "300000"));
    let verdict = told().answer(RMEM_MAX).verdict;
    assert_eq!(verdict.confidence, Confidence::Unknown, "{verdict:#?}");
    assert!(
        verdict
            .sentence
            .ends_with("or one for the whole node, is not known."),
        "{}",
        verdict.sentence
    );
    // The kernel says that it is not.
    let own = told().keys(&[], &[]).answer(RMEM_MAX).verdict;
    assert_eq!(own.word, "kernel", "{own:#?}");
    assert_eq!(own.confidence, Confidence::Inferred, "{own:#?}");
    // It was written there.
    let written = told().write("sysctl", RMEM_MAX, "1", "2").answer(RMEM_MAX);
    assert_eq!(written.verdict.confidence, Confidence::Observed);
    // Each has this one, by the kernel's source.
    let known = Tale::new().answer("net.ipv4.tcp_syncookies").verdict;
    assert_eq!(known.word, "kernel", "{known:#?}");
}

#[test]
fn a_key_that_a_module_brought_may_be_the_whole_nodes() {
    const KEY: &str = "net.mpls.ip_ttl_propagate";
    let keys = [("ip_ttl_propagate", "1")];
    let loaded = || {
        let load = |tale: Tale| tale.table(Action::SysctlRegister, "net/mpls", &keys);
        load(Tale::new().keys(&[], &[]).on_node(load))
    };
    let verdict = loaded().answer(KEY).verdict;
    assert_eq!(verdict.word, "kernel", "{verdict:#?}");
    assert_eq!(verdict.confidence, Confidence::Observed, "{verdict:#?}");
    let changed = loaded().on_node(|tale| tale.write("sysctl", KEY, "1", "0"));
    let verdict = changed.answer(KEY).verdict;
    assert_eq!(verdict.confidence, Confidence::Unknown, "{verdict:#?}");
}

#[test]
fn an_alias_is_known_by_the_kernels_word() {
    let told = |tale: Tale| {
        tale.write("sysctl", "net.ipv4.one", "0", "1")
            .write("tee", "net.ipv4.other", "1", "0")
            .answer("net.ipv4.one")
    };
    let aliases = ["net.ipv4.one", "net.ipv4.other"];
    let verdict = told(Tale::new().keys(&[], &aliases)).verdict;
    assert_eq!(verdict.word, "tee", "{verdict:#?}");
    assert!(verdict.sentence.contains("which is another name of it"));
    assert_eq!(told(Tale::new().keys(&[], &[])).verdict.word, "sysctl");
}

#[test]
fn no_field_that_is_gone_makes_an_answer_stronger() {
    let tale = Tale::new()
        .keys(&[RMEM_MAX], &[])
        .on_node(|tale| tale.write("sysctl", RMEM_MAX, "212992", "300000"));
    let whole = Tale::answer_of(&tale.events, RMEM_MAX).verdict;
    let mut events = tale.events;
    for at in 0..events.len() {
        let line = serde_json::to_value(&events[at]).unwrap();
        for path in fields(&line, "") {
            let mut damaged = line.clone();
            let (parent, name) = path.rsplit_once('/').unwrap();
            let parent = damaged.pointer_mut(parent).unwrap();
            parent.as_object_mut().unwrap().remove(name);
            let Ok(damaged) = serde_json::from_value(damaged) else {
                continue;
            };
            let kept = std::mem::replace(&mut events[at], damaged);
            let verdict = Tale::answer_of(&events, RMEM_MAX).verdict;
            events[at] = kept;
            assert!(
                verdict.confidence <= whole.confidence,
                "{path}: {verdict:#?}"
            );
            let is_same = verdict.word == whole.word;
            assert!(
                is_same || verdict.confidence == Confidence::Unknown,
                "{path}: {verdict:#?}"
            );
        }
    }
}

/// The paths of all fields of an object.
fn fields(value: &serde_json::Value, path: &str) -> Vec<String> {
    let object = value.as_object().into_iter().flatten();
    object
        .flat_map(|(name, value)| {
            let path = format!("{path}/{name}");
            let inner = fields(value, &path);
            [vec![path], inner].concat()
        })
        .collect()
}
