use super::*;
use crate::{event::ValueType, output::samples};

fn assert_like_serde(event: &Event) {
    let mut out = Vec::new();
    Encoder::default().push_event(&mut out, event).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        serde_json::to_string(event).unwrap()
    );
}

#[test]
fn like_serde() {
    let mut encoder = Encoder::default();
    for event in samples::all() {
        assert_like_serde(&event);
        // The same encoder for all of them, twice in a row and not.
        for _ in 0..2 {
            let mut out = Vec::new();
            encoder.push_event(&mut out, &event).unwrap();
            assert_eq!(out, serde_json::to_vec(&event).unwrap());
        }
    }
}

#[test]
fn every_name_of_a_variant() {
    let mut event = samples::lost();
    for kind in [Kind::Event, Kind::Metric] {
        event.event.kind = kind;
        assert_like_serde(&event);
    }
    for category in [Category::Configuration, Category::Host] {
        event.event.category = [category];
        assert_like_serde(&event);
    }
    for type_ in [Type::Creation, Type::Deletion, Type::Change, Type::Info] {
        event.event.type_ = [type_];
        assert_like_serde(&event);
    }
    for action in Action::ALL {
        event.event.action = action;
        assert_like_serde(&event);
    }
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Unknown] {
        event.event.outcome = outcome;
        assert_like_serde(&event);
    }
    let mut event = samples::created();
    for type_ in [
        ValueType::Int,
        ValueType::Uint,
        ValueType::Ulong,
        ValueType::U8,
        ValueType::Bool,
        ValueType::Jiffies,
        ValueType::MsJiffies,
        ValueType::UserhzJiffies,
        ValueType::UlongMsJiffies,
        ValueType::String,
        ValueType::PortPair,
        ValueType::StaticKey,
        ValueType::Bitmap,
        ValueType::Actions,
        ValueType::Packets,
        ValueType::Uuid,
        ValueType::NotDecoded,
    ] {
        event.sysctl.as_mut().unwrap().type_ = type_;
        assert_like_serde(&event);
    }
}

/// Each optional field there and not there, in every combination within its object.
#[test]
fn every_combination_of_absent_fields() {
    for bits in 0..16_u32 {
        let mut event = samples::destroyed();
        let there = |bit: u32| bits & (1 << bit) != 0;
        event.netns = Some(Netns {
            inum: there(0).then_some(4026531840),
            cookie: there(1).then(|| "41".into()),
            user_ns: there(2).then_some(4026531837),
            owner: there(3).then(samples::owner),
        });
        assert_like_serde(&event);
    }
    for bits in 0..128_u32 {
        let mut event = samples::write("1024", "4096", "1024");
        let there = |bit: u32| bits & (1 << bit) != 0;
        let sysctl = event.sysctl.as_mut().unwrap();
        sysctl.requested = there(0).then(|| "a".into());
        sysctl.old = there(1).then(|| "b".into());
        sysctl.new = there(2).then(|| "c".into());
        sysctl.init_netns = there(3).then(|| "d".into());
        sysctl.position = there(4).then_some(0);
        sysctl.size = there(5).then_some(7);
        sysctl.written = there(6).then_some(u64::MAX);
        assert_like_serde(&event);
    }
    let mut event = samples::lost();
    for names in [&["sysctl.old"][..], &["sysctl.old", "process.args"]] {
        event.trace.truncated = names.iter().map(|&name| name.into()).collect();
        assert_like_serde(&event);
    }
}

#[test]
fn every_character_at_every_place() {
    for char in ('\0'..='\u{100}').chain(['日', '\u{10ffff}']) {
        for before in 0..10 {
            for after in [0, 1, 9] {
                let text = format!("{}{char}{}", "x".repeat(before), "y".repeat(after));
                let mut out = Vec::new();
                Json(&mut out).text(&text);
                let got = format!("\"{}\"", String::from_utf8(out).unwrap());
                assert_eq!(got, serde_json::to_string(&text).unwrap(), "{text:?}");
            }
        }
    }
}
