use std::{borrow::Cow, collections::BTreeSet};

use proptest::{collection::vec, prelude::*};
use schemars::JsonSchema;
use sysctl_trace_ebpf::settings::ValueKind;

use super::{
    members::{
        BINDINGS, CATEGORIES, CONFIDENCES, ENRICHMENTS, KINDS, OUTCOMES, SOURCES, STAGES,
        SURENESSES, TYPES, VALUE_TYPES,
    },
    *,
};
use crate::{
    decode, event,
    ledger::is_usable,
    output::{json::Json, samples},
    recording::line::{self, Line},
};

fn text(event: &Event) -> String {
    let mut line = Vec::new();
    Json::default().push_event(&mut line, event).unwrap();
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

fn checked(line: &[u8]) -> Option<Checked<'_>> {
    Checker::default().check(line)
}

fn events() -> Vec<Event> {
    let mut events = samples::all();
    events.extend([samples::entered(), samples::bound(), samples::drifted()]);
    events.push(samples::write("a\t\"ü\"", "4096", "1024"));
    for (event, sequence) in events.iter_mut().zip(9..) {
        event.event.sequence = sequence;
    }
    events
}

#[test]
fn the_check_says_what_parsing_says() {
    let mut checker = Checker::default();
    for event in &events() {
        let line = text(event);
        let found = checker.check(line.as_bytes());
        match event.event.action {
            // These say more at their end, and are wanted in any case.
            Action::EventsLost
            | Action::TraceStart
            | Action::TraceEnd
            | Action::SysctlRegister
            | Action::SysctlUnregister => {}
            Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::NetnsEnter
            | Action::NetnsBind
            | Action::SysctlWrite
            | Action::SysctlDrift => assert_eq!(found, Some(Checked::of(event)), "{line}"),
        }
    }
}

#[test]
fn every_way_to_hold_a_value_is_known() {
    let mut event = samples::write("1024", "4096", "1024");
    for kind in ValueKind::ALL {
        event.sysctl.as_mut().unwrap().type_ = decode::value_type(kind);
        let line = text(&event);
        assert_eq!(
            checked(line.as_bytes()),
            Some(Checked::of(&event)),
            "{line}"
        );
    }
}

#[test]
fn of_lines_of_others_nothing_is_said() {
    let line = text(&samples::write("1024", "4096", "1024"));
    assert!(checked(line.as_bytes()).is_some());
    for (from, to) in [
        ("{\"@timestamp\":", "{ \"@timestamp\":"),
        ("sysctl-trace", "sysctl-tracer"),
        ("\"version\":\"1.", "\"version\":\"2."),
        ("\"inum\":", "\"inun\":"),
        ("\"new\":\"", "\"new\":\"\\u0041"),
        ("\"new\":\"", "\"new\":\"\u{1}"),
        ("\"pid\":", "\"pid\":0"),
        ("\"pid\":", "\"pid\":9999999"),
        ("]}}", "]}} "),
        ("]}}", "]}}}"),
        ("-22T", "-32T"),
        ("\"change\"", "\"chance\""),
        ("\"process\":", "\"process\":{},\"process\":"),
    ] {
        let other = line.replacen(from, to, 1);
        assert_ne!(other, line, "{from}");
        assert_eq!(checked(other.as_bytes()), None, "{other}");
    }
}

/// A word that is missing in a list costs time: each line that has it is parsed.
#[test]
fn the_lists_have_all_words() {
    fn words<T: JsonSchema>() -> BTreeSet<String> {
        let schema = schemars::schema_for!(T).to_value();
        let described = schema["oneOf"].as_array();
        let each = described.into_iter().flatten().flat_map(|one| {
            let several = one["enum"].as_array().cloned().unwrap_or_default();
            several.into_iter().chain([one["const"].clone()])
        });
        let plain = schema["enum"].as_array().cloned().unwrap_or_default();
        let all = each.chain(plain);
        all.filter_map(|word| word.as_str().map(str::to_owned))
            .collect()
    }
    fn list(words: &[&[u8]]) -> BTreeSet<String> {
        let words = words.iter().map(|word| String::from_utf8_lossy(word));
        words.map(Cow::into_owned).collect()
    }
    assert_eq!(list(KINDS), words::<event::Kind>());
    assert_eq!(list(CATEGORIES), words::<event::Category>());
    assert_eq!(list(TYPES), words::<event::Type>());
    assert_eq!(list(OUTCOMES), words::<event::Outcome>());
    assert_eq!(list(ENRICHMENTS), words::<event::Enrichment>());
    assert_eq!(list(STAGES), words::<event::Stage>());
    assert_eq!(list(SURENESSES), words::<event::Sureness>());
    assert_eq!(list(CONFIDENCES), words::<event::Confidence>());
    assert_eq!(list(BINDINGS), words::<event::Binding>());
    assert_eq!(list(VALUE_TYPES), words::<event::ValueType>());
    assert_eq!(list(SOURCES), words::<event::RequesterSource>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the lines before were: a line that passes would be parsed, and says the same.
    #[test]
    fn what_passes_would_be_parsed(
        changes in vec((0..64usize, any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..40),
    ) {
        let lines: Vec<Vec<u8>> = events().iter().map(|event| text(event).into_bytes()).collect();
        let mut checker = Checker::default();
        for (line, at, byte, change) in changes {
            let whole = &lines[line % lines.len()];
            let mut line = whole.clone();
            let at = at.index(line.len());
            match change {
                // Most often of another kind than what was there.
                0 => line[at] = byte,
                1 => line[at] ^= 1 << (byte % 8),
                2 => drop(line.remove(at)),
                _ => line.insert(at, whole[usize::from(byte) % whole.len()]),
            }
            for line in [whole, &line] {
                if let Some(checked) = checker.check(line) {
                    let Line::Event(event) = line::parse(line) else {
                        panic!("{}", String::from_utf8_lossy(line));
                    };
                    prop_assert_eq!(checked, Checked::of(&event));
                    // What can't count, or may be of another place, is looked at.
                    prop_assert!(is_usable(&event), "{event:?}");
                    prop_assert!(event.netns.as_ref().is_none_or(|netns| netns.inum.is_some()));
                }
            }
        }
    }
}
