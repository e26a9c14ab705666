use std::{
    io::Write as _,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::{
    event::Event,
    ledger::{Ledger, Namespace},
    recording::{
        Input, Recording, Target, survey,
        tests::{
            Deed, KEY, NODE, OF_NODE, ask, deed, event, everything, file, is_named, since, source,
            spelled, spelling, stream, text,
        },
    },
};

/// Not even an emulated processor needs as long for a gigabyte.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What becomes of a stream on its way.
#[derive(Clone, Debug)]
enum Damage {
    /// A byte is another one.
    Flip(Index, u8),
    /// Some bytes are missing.
    Gap(Index, usize),
    /// A line is taken out.
    Drop(Index),
    /// It stands twice, the second time elsewhere.
    Repeat(Index, Index),
    /// Two lines change places.
    Swap(Index, Index),
    /// The end comes first, as of parts put together the wrong way.
    Rotate(Index),
    Reverse,
    CutEnd(Index),
    CutBegin(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        (at(), 1..40usize).prop_map(|(at, len)| Damage::Gap(at, len)),
        at().prop_map(Damage::Drop),
        (at(), at()).prop_map(|(from, to)| Damage::Repeat(from, to)),
        (at(), at()).prop_map(|(one, other)| Damage::Swap(one, other)),
        at().prop_map(Damage::Rotate),
        Just(Damage::Reverse),
        at().prop_map(Damage::CutEnd),
        at().prop_map(Damage::CutBegin),
    ]
}

/// A stream is never empty here.
fn damaged(mut text: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let len = text.len();
    match damage {
        Damage::Flip(at, byte) => text[at.index(len)] = *byte,
        Damage::Gap(at, gap) => {
            let at = at.index(len);
            drop(text.drain(at..(at + gap).min(len)));
        }
        Damage::CutEnd(at) => text.truncate(at.index(len)),
        Damage::CutBegin(at) => drop(text.drain(..at.index(len))),
        Damage::Drop(_)
        | Damage::Repeat(..)
        | Damage::Swap(..)
        | Damage::Rotate(_)
        | Damage::Reverse => {
            let is_newline = |byte: &u8| *byte == b'\n';
            let mut lines: Vec<&[u8]> = text.split_inclusive(is_newline).collect();
            with_other_lines(&mut lines, damage);
            text = lines.concat();
        }
    }
    if text.is_empty() {
        text.push(b'\n');
    }
    text
}

fn with_other_lines(lines: &mut Vec<&[u8]>, damage: &Damage) {
    let len = lines.len();
    match damage {
        Damage::Drop(at) => drop(lines.remove(at.index(len))),
        Damage::Repeat(from, to) => lines.insert(to.index(len), lines[from.index(len)]),
        Damage::Swap(one, other) => lines.swap(one.index(len), other.index(len)),
        Damage::Rotate(at) => lines.rotate_left(at.index(len)),
        Damage::Reverse => lines.reverse(),
        Damage::Flip(..) | Damage::Gap(..) | Damage::CutEnd(_) | Damage::CutBegin(_) => {}
    }
}

fn ask_pipe(text: &[u8], question: &Question<'_>) -> Result<Account, Error> {
    let (reader, mut writer) = io::pipe().unwrap();
    let recording = Recording {
        source: Source::Stdin,
        input: Input::Stream(File::from(OwnedFd::from(reader))),
    };
    std::thread::scope(|scope| {
        // A reader who has seen enough may go before the end.
        scope.spawn(move || drop(writer.write_all(text)));
        recording.ask(question)
    })
}

/// What answers about these places rest on. Of the node a pipe keeps more, which no answer asks for.
fn basis(ledger: &Ledger, places: &BTreeSet<Place>) -> impl PartialEq + std::fmt::Debug {
    let places: Vec<Place> = places.iter().copied().collect();
    let own = ledger.node().map(Place::Netns);
    let node: Vec<_> = own
        .into_iter()
        .chain([Place::Node])
        .filter_map(|place| ledger.namespace(place))
        .map(|Namespace { keys, tables, .. }| (keys.clone(), tables.clone()))
        .filter(|(keys, tables)| !keys.is_empty() || !tables.is_empty())
        .collect();
    let mut excerpt = serde_json::to_value(ledger.excerpt(&places)).unwrap();
    // A file does not tell of namespaces that are not meant what they lack.
    let inums: Vec<String> = places
        .iter()
        .chain([&Place::Netns(NODE)])
        .map(|place| survey::inum(place).to_string())
        .chain([u32::MAX.to_string(), "0".to_owned()])
        .collect();
    for session in excerpt["window"]["sessions"].as_array_mut().unwrap() {
        let lacking = session["without_cookie"].as_object_mut().unwrap();
        lacking.retain(|inum, _| inums.contains(inum));
    }
    (excerpt, node)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever became of it on its way.
    #[test]
    fn a_file_and_a_pipe_say_the_same(
        deeds in vec((deed(), spelling()), 1..40),
        damages in vec(damage(), 0..4),
        target in 0..5usize,
    ) {
        let mut text = String::new();
        for ((deed, spelling), number) in deeds.iter().zip(1..) {
            if let Some(line) = spelled(&event(deed, number), spelling) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        // So that there is an event at all.
        text.push_str(&self::text(&event(&Deed::Start, deeds.len() as u64 + 1)));
        let text = damages.iter().fold(text.into_bytes(), damaged);
        let name = format!("web-{}.one", 41 + target);
        let names = |event: &Event| is_named(event, &name);
        let question = Question {
            // The fifth is nobody's.
            target: Some(Target { names: &names, needle: Some(&name) }),
            ..OF_NODE
        };
        let file = ask(&text, &question);
        let pipe = ask_pipe(&text, &question);
        match (file, pipe) {
            (Ok(file), Ok(pipe)) => {
                prop_assert_eq!(&file.tally, &pipe.tally);
                prop_assert_eq!(&file.places, &pipe.places);
                prop_assert_eq!(
                    basis(&file.ledger, &file.places),
                    basis(&pipe.ledger, &pipe.places)
                );
            }
            (file, pipe) => prop_assert_eq!(
                std::mem::discriminant(&file.unwrap_err()),
                std::mem::discriminant(&pipe.unwrap_err())
            ),
        }
    }
}

#[test]
fn a_pipe_says_the_same() {
    let deeds = [
        Deed::Start,
        Deed::Create(0),
        Deed::Write(0, KEY),
        Deed::Write(0, "net.ipv4.tcp_rmem"),
        Deed::Bind(0),
        Deed::Lose,
    ];
    let text = stream(&deeds).join("\n") + "\n{\"@times";
    let names = |event: &Event| is_named(event, "web-41.one");
    let question = Question {
        target: Some(Target {
            names: &names,
            needle: Some("web-41.one"),
        }),
        ..OF_NODE
    };
    let file = ask(&text, &question).unwrap();
    let pipe = ask_pipe(text.as_bytes(), &question).unwrap();
    assert_eq!(pipe.places, file.places);
    assert_eq!(pipe.tally, file.tally);
    assert_eq!(everything(&pipe.ledger), everything(&file.ledger));
}

#[test]
fn a_byte_order_mark_costs_no_line() {
    let lines = stream(&[Deed::Start, Deed::WriteNode(false, KEY)]).join("\n");
    let text = format!("\u{feff}{lines}\n");
    let file = ask(&text, &OF_NODE).unwrap();
    assert_eq!(file.tally.events, 2);
    assert_eq!(file.tally.not_understood, 0);
    let pipe = ask_pipe(text.as_bytes(), &OF_NODE).unwrap();
    assert_eq!(pipe.tally, file.tally);
}

/// Keys of the node that end and begin anew; their lines do not have the key's name in full.
#[test]
fn keys_of_the_node_that_come_and_go_count_by_both_ways() {
    let lines = stream(&[
        Deed::Start,
        Deed::WriteNode(false, KEY),
        Deed::Unregister(None),
        Deed::Register(None),
        Deed::Register(Some(0)),
    ]);
    let text = lines.join("\n");
    for account in [
        ask(&text, &OF_NODE).unwrap(),
        ask_pipe(text.as_bytes(), &OF_NODE).unwrap(),
    ] {
        let node = account.ledger.namespace(Place::Netns(NODE)).unwrap();
        let [table] = &node.tables[..] else {
            panic!("{:?}", node.tables);
        };
        assert!(table.ended.is_some() && table.began.is_some(), "{table:?}");
    }
}

/// A line of another namespace, or of another key, that lacks what tells so.
#[test]
fn what_a_line_lacks_counts_by_both_ways() {
    let lines = stream(&[
        Deed::Start,
        Deed::WriteNode(false, KEY),
        Deed::Create(0),
        Deed::Write(0, "net.ipv4.tcp_rmem"),
        Deed::WriteNode(false, "net.ipv4.tcp_rmem"),
        Deed::Destroy(0),
    ]);
    let is_flawed = |lines: &[String]| {
        let text = lines.join("\n");
        [ask(&text, &OF_NODE), ask_pipe(text.as_bytes(), &OF_NODE)].map(|account| {
            let account = account.unwrap();
            assert_eq!(account.tally.events, 6);
            let flaw = account
                .ledger
                .window()
                .flaw(&since(10_000_000_000, 30_000_000_000));
            flaw.is_some()
        })
    };
    assert_eq!(is_flawed(&lines), [false, false]);
    let number = ("\"inum\":4", "\"inun\":4");
    let cookie = ("\"cookie\":\"1", "\"cookix\":\"1");
    let netns = ("\"netns\":{\"inum", "\"netnz\":{\"inum");
    let sysctl = ("\"sysctl\":{", "\"sysctk\":{");
    for (line, changes) in [
        (2, vec![number]),
        (3, vec![number, sysctl]),
        (3, vec![netns, sysctl]),
        (4, vec![cookie]),
        (5, vec![number]),
    ] {
        let mut lacking = lines.clone();
        for (from, to) in &changes {
            assert!(lacking[line].contains(from), "{}", lacking[line]);
            lacking[line] = lacking[line].replace(from, to);
        }
        assert_eq!(is_flawed(&lacking), [true, true], "{line}, {changes:?}");
    }
}

#[test]
fn a_line_that_is_too_long_is_refused_as_one() {
    let lines = stream(&[
        Deed::Start,
        Deed::WriteNode(false, KEY),
        Deed::Create(0),
        Deed::Destroy(0),
    ]);
    let (before, behind) = (lines[..2].join("\n"), lines[2..].join("\n"));
    // Blanks behind an event count for the length of its line as all else does.
    for (begin, fill) in [("", "\0"), (&*lines[0], " ")] {
        for (len, is_open) in [
            (LINE_MAX - 2, false),
            (LINE_MAX - 1, false),
            (LINE_MAX, false),
            (LINE_MAX + 1, false),
            (LINE_MAX - 1, true),
            (LINE_MAX, true),
            (3 * LINE_MAX + 7, false),
            (3 * LINE_MAX + 7, true),
        ] {
            let long = begin.to_owned() + &fill.repeat(len - begin.len());
            let text = match is_open {
                true => format!("{before}\n{behind}\n{long}"),
                false => format!("{before}\n{long}\n{behind}\n"),
            };
            let file = ask(&text, &OF_NODE).unwrap();
            let is_event = !begin.is_empty() && len < LINE_MAX;
            assert_eq!(file.tally.lines, 5, "{len}");
            assert_eq!(file.tally.events, 4 + u64::from(is_event), "{len}");
            let refused = file.tally.not_understood + u64::from(file.tally.is_cut);
            assert_eq!(refused, u64::from(!is_event), "{len}");
            let pipe = ask_pipe(text.as_bytes(), &OF_NODE).unwrap();
            assert_eq!(pipe.tally, file.tally, "{len}");
            assert_eq!(
                basis(&pipe.ledger, &pipe.places),
                basis(&file.ledger, &file.places),
                "{len}"
            );
        }
    }
}

#[test]
fn a_large_hole_takes_seconds() {
    let lines = stream(&[Deed::Start, Deed::WriteNode(false, KEY), Deed::Create(0)]);
    let file = file((lines.join("\n") + "\n").as_bytes());
    file.as_file().set_len(1 << 30).unwrap();
    let begun = Instant::now();
    let account = source(&file).open().unwrap().ask(&OF_NODE).unwrap();
    assert!(begun.elapsed() < TIME_MAX, "{:?}", begun.elapsed());
    assert_eq!((account.tally.events, account.tally.lines), (3, 4));
    assert_eq!(account.tally.not_understood, 1);
}
