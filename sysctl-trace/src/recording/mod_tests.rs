use std::io::Write as _;

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{
    line::Line,
    parts::Part,
    read::{Item, Keeper},
    *,
};
use crate::{
    event::NetnsId,
    ledger::{Excerpt, Final, Passed},
    output::samples,
};

pub(super) const KEY: &str = "net.core.somaxconn";
pub(super) const NODE: NetnsId = NetnsId {
    inum: 4026531840,
    cookie: 1,
};

/// A namespace of the tests; the last two have the same number.
fn netns(which: usize) -> NetnsId {
    [
        (4026532281, 41),
        (4026532282, 42),
        (4026532283, 43),
        (4026532283, 44),
    ]
    .map(|(inum, cookie)| NetnsId { inum, cookie })[which]
}

#[derive(Clone, Debug)]
pub(super) enum Deed {
    Start,
    Create(usize),
    Write(usize, &'static str),
    /// To a key of the node's own namespace, or of the whole node.
    WriteNode(bool, &'static str),
    Drift(usize),
    Enter(usize),
    Bind(usize),
    Destroy(usize),
    /// Keys come to be, or end, in a namespace or in the node's own.
    Register(Option<usize>),
    Unregister(Option<usize>),
    Lose,
    End,
}

/// How a line is written down.
#[derive(Clone, Debug)]
pub(super) enum Spelling {
    /// As this tool does.
    Own,
    /// With its fields in the order of their names.
    Sorted,
    /// With blanks.
    Wide,
    /// With letters as their numbers, and a blank.
    Escaped,
    /// With fields of others.
    Added,
    /// Not at all; its number is missing.
    Missing,
    /// As half a line.
    Broken,
    /// With an action that nobody knows.
    Newer,
}

pub(super) fn deed() -> impl Strategy<Value = Deed> {
    let which = || 0..4usize;
    let key = prop::sample::select(vec![KEY, "net.ipv4.tcp_rmem"]);
    prop_oneof![
        1 => Just(Deed::Start),
        3 => which().prop_map(Deed::Create),
        6 => (which(), key.clone()).prop_map(|(which, key)| Deed::Write(which, key)),
        3 => (any::<bool>(), key).prop_map(|(whole, key)| Deed::WriteNode(whole, key)),
        1 => which().prop_map(Deed::Drift),
        2 => which().prop_map(Deed::Enter),
        3 => which().prop_map(Deed::Bind),
        2 => which().prop_map(Deed::Destroy),
        1 => prop::option::of(which()).prop_map(Deed::Register),
        1 => prop::option::of(which()).prop_map(Deed::Unregister),
        1 => Just(Deed::Lose),
        1 => Just(Deed::End),
    ]
}

pub(super) fn spelling() -> impl Strategy<Value = Spelling> {
    prop_oneof![
        12 => Just(Spelling::Own),
        2 => Just(Spelling::Sorted),
        2 => Just(Spelling::Wide),
        2 => Just(Spelling::Escaped),
        2 => Just(Spelling::Added),
        1 => Just(Spelling::Missing),
        1 => Just(Spelling::Broken),
        1 => Just(Spelling::Newer),
    ]
}

pub(super) fn event(deed: &Deed, number: u64) -> Event {
    let (mut event, id) = match deed {
        Deed::Start => (samples::started(), Some(NODE)),
        Deed::Create(which) => (samples::created(), Some(netns(*which))),
        Deed::Write(which, key) => (write(key, number), Some(netns(*which))),
        Deed::WriteNode(true, key) => (write(key, number), None),
        Deed::WriteNode(false, key) => (write(key, number), Some(NODE)),
        Deed::Drift(which) => (samples::drifted(), Some(netns(*which))),
        Deed::Enter(which) => (samples::entered(), Some(netns(*which))),
        Deed::Bind(which) => (samples::bound(), Some(netns(*which))),
        Deed::Destroy(which) => (samples::destroyed(), Some(netns(*which))),
        Deed::Register(which) => (table(true), Some(which.map_or(NODE, netns))),
        Deed::Unregister(which) => (table(false), Some(which.map_or(NODE, netns))),
        Deed::Lose => (samples::lost(), None),
        Deed::End => (samples::ended(number), None),
    };
    let owner = event.netns.take().and_then(|netns| netns.owner);
    event.netns = id.map(|id| crate::event::Netns {
        inum: Some(id.inum),
        cookie: Some(id.cookie.to_string().into()),
        user_ns: None,
        owner: owner.map(|owner| named(&owner, id)),
    });
    at(event, number)
}

fn at(mut event: Event, number: u64) -> Event {
    event.event.sequence = number;
    event.event.boottime_ns = number * 5_000_000_000;
    event.timestamp = crate::time::Moment::new(i128::from(number) * 5_000_000_000);
    event
}

fn write(key: &str, number: u64) -> Event {
    let mut event = samples::write(&number.to_string(), "1", &number.to_string());
    let sysctl = event.sysctl.as_mut().unwrap();
    sysctl.key = key.into();
    sysctl.path = key.replace('.', "/").into();
    event
}

/// The keys beside KEY come to be, or end.
fn table(is_new: bool) -> Event {
    let mut event = samples::registered();
    let table = event.table.as_mut().unwrap();
    table.path = "net/core".into();
    let (_, name) = KEY.rsplit_once('.').unwrap();
    table.values = [(name.into(), "128".into())].into();
    if !is_new {
        table.unread = std::mem::take(&mut table.values).into_keys().collect();
        event.event.action = crate::event::Action::SysctlUnregister;
        event.event.type_ = [crate::event::Type::Deletion];
    }
    event
}

/// The owner's container is called after its namespace.
fn named(
    owner: &crate::event::Owner,
    id: NetnsId,
) -> std::sync::Arc<crate::rendered::Rendered<crate::event::Owner>> {
    let mut owner = owner.clone();
    if let Some(container) = &mut owner.container {
        container.name = Some(format!("web-{}.one", id.cookie));
    }
    std::sync::Arc::new(crate::rendered::Rendered::new(owner))
}

pub(super) fn text(event: &Event) -> String {
    let mut line = Vec::new();
    let mut encoder = crate::output::json::Json::default();
    encoder.push_event(&mut line, event).unwrap();
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

pub(super) fn spelled(event: &Event, spelling: &Spelling) -> Option<String> {
    let own = text(event);
    let mut value: Value = serde_json::from_str(&own).unwrap();
    Some(match spelling {
        Spelling::Own => own,
        Spelling::Sorted => value.to_string(),
        // No text of the samples has these within.
        Spelling::Wide => own.replace("\":", "\" : ").replace(",\"", " ,\t\""),
        Spelling::Escaped => escaped(&own),
        Spelling::Added => {
            let added = r#","added":{"inum":7,"netns":5,"text":"\"inum\":4026532281"},"error":"#;
            match own.contains(",\"error\":") {
                true => own.replacen(",\"error\":", added, 1),
                false => own.replacen(",\"trace\":", r#","added":{"inum":7},"trace":"#, 1),
            }
        }
        Spelling::Missing => return None,
        Spelling::Broken => own[..own.len() / 2].to_owned(),
        Spelling::Newer => {
            value["event"]["action"] = json!("netns-rename");
            value["schema"]["version"] = json!("1.9");
            value.to_string()
        }
    })
}

/// Letters and digits of all texts, names of fields included, as numbers.
fn escaped(line: &str) -> String {
    let mut is_text = false;
    let mut out = String::new();
    for char in line.chars() {
        is_text ^= char == '"';
        match char.is_ascii_alphanumeric() && is_text {
            true => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            false => out.push(char),
        }
    }
    out
}

pub(super) fn file(text: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_ref()).unwrap();
    file
}

pub(super) fn source(file: &NamedTempFile) -> Source {
    Source::File(file.path().to_owned())
}

fn is_key(sysctl: &Sysctl) -> bool {
    sysctl.key == KEY
}

pub(super) const KEYS: Keys<'static> = Keys {
    are_meant: &is_key,
    needle: Some(KEY),
    besides: None,
};

/// By the container's name, which only its owner tells.
pub(super) fn is_named(event: &Event, name: &str) -> Option<Place> {
    let owner = event.netns.as_ref()?.owner.as_ref()?;
    let container = owner.container.as_ref()?;
    (container.name.as_deref() == Some(name)).then(|| Place::of(event))
}

/// Without a sieve, blocks or threads.
fn plainly(text: &str, question: &Question<'_>) -> (Ledger, BTreeSet<Place>) {
    let is_event = |line: &&str| !line.trim().is_empty();
    let lines: Vec<Line> = text
        .lines()
        .filter(is_event)
        .map(|line| line::parse(line.as_bytes()))
        .collect();
    let events = || {
        lines.iter().filter_map(|line| match line {
            Line::Event(event) => Some(&**event),
            Line::Unknown { .. } => None,
        })
    };
    let meant: BTreeSet<Place> = match &question.target {
        Some(target) => events().filter_map(|event| (target.names)(event)).collect(),
        None => BTreeSet::new(),
    };
    let starts = events().filter(|event| event.event.action == crate::event::Action::TraceStart);
    let node = starts.map(Place::of).chain([Place::Node]).collect();
    let is_unknown = question.target.is_some() && meant.is_empty();
    let wanted = Wanted::new(meant.clone(), node, is_unknown.then_some(0));
    let mut keeper = Keeper::new();
    for line in lines {
        keeper.take(match line {
            Line::Event(event) => match wanted.part(&event, question.keys) {
                Part::Nothing => Item::Passed(passed(&event)),
                part @ (Part::Whole | Part::Owner | Part::Flaw) => Item::Event(event, part),
            },
            Line::Unknown { outline, .. } => Item::Unknown(outline.map(|(_, passed)| passed)),
        });
    }
    (keeper.finish(), meant)
}

fn passed(event: &Event) -> Passed {
    Passed {
        session: (**event.trace.session).as_str().into(),
        first_sequence: event.event.sequence,
        first_ns: event.event.ended_ns(),
        last_sequence: event.event.sequence,
        has_cookie: Place::of(event).has_cookie(),
        until: crate::ledger::At {
            boottime_ns: event.event.ended_ns(),
            timestamp: event.timestamp,
            sequence: event.event.sequence,
        },
    }
}

pub(super) fn everything(ledger: &Ledger) -> Excerpt {
    let mut places: Vec<Place> = ledger.namespaces().map(|known| known.place).collect();
    places.sort_unstable();
    ledger.excerpt(&places)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_sieve_changes_nothing(
        deeds in vec((deed(), spelling()), 1..60),
        bytes in prop::sample::select(vec![700u64, 5_000, 1 << 20]),
        target in 0..5usize,
    ) {
        let mut text = String::new();
        for (number, (deed, spelling)) in deeds.iter().enumerate() {
            let event = event(deed, number as u64 + 1);
            if let Some(line) = spelled(&event, spelling) {
                text.push_str(&line);
                text.push_str(if number % 7 == 0 { "\r\n\n" } else { "\n" });
            }
        }
        // So that there is an event at all.
        text.push_str(&self::text(&event(&Deed::Start, deeds.len() as u64 + 1)));
        let file = file(&text);
        let name = format!("web-{}.one", 41 + target);
        let names = |event: &Event| is_named(event, &name);
        let question = Question {
            // The fifth is nobody's.
            target: Some(Target { names: &names, needle: Some(&name) }),
            keys: KEYS,
            boot: None,
        };
        let whole = 0..text.len() as u64;
        let blocks = Blocks { whole, bytes };
        let account = ask_file(&source(&file), file.as_file(), &blocks, &question).unwrap();
        let (ledger, places) = plainly(&text, &question);
        prop_assert_eq!(&account.places, &places);
        prop_assert_eq!(everything(&account.ledger), everything(&ledger));
        prop_assert_eq!(account.tally.lines, text.lines().count() as u64);
    }
}

pub(super) fn ask(text: impl AsRef<[u8]>, question: &Question<'_>) -> Result<Account, Error> {
    let file = file(text);
    source(&file).open()?.ask(question)
}

pub(super) const OF_NODE: Question<'static> = Question {
    target: None,
    keys: KEYS,
    boot: None,
};

pub(super) fn stream(deeds: &[Deed]) -> Vec<String> {
    let events = deeds.iter().zip(1..);
    events
        .map(|(deed, number)| text(&event(deed, number)))
        .collect()
}

#[test]
fn the_name_may_come_after_the_writes() {
    let mut deeds = vec![
        Deed::Start,
        Deed::Create(0),
        Deed::Write(0, KEY),
        Deed::Create(1),
        Deed::Write(1, KEY),
    ];
    deeds.extend([Deed::Bind(1), Deed::Bind(0)]);
    let names = |event: &Event| is_named(event, "web-41.one");
    let question = Question {
        target: Some(Target {
            names: &names,
            needle: Some("web-41.one"),
        }),
        ..OF_NODE
    };
    let account = ask(stream(&deeds).join("\n"), &question).unwrap();
    let place = Place::Netns(netns(0));
    assert_eq!(account.places, BTreeSet::from([place]));
    let namespace = account.ledger.namespace(place).unwrap();
    assert!(namespace.created.is_some());
    assert!(matches!(
        namespace.keys[KEY].last(),
        Some(Final::Changed(_))
    ));
    // The other one takes no room.
    assert_eq!(account.ledger.namespace(Place::Netns(netns(1))), None);
    assert_eq!(account.ledger.node(), Some(NODE));
    assert_eq!(account.ledger.window().gaps(), []);
    let until = account.ledger.window().until().unwrap();
    assert_eq!(until.sequence, 7);
}

#[test]
fn owners_are_there_where_nobody_has_that_name() {
    let lines = stream(&[
        Deed::Start,
        Deed::Create(0),
        Deed::Write(0, KEY),
        Deed::Bind(0),
    ]);
    let names = |event: &Event| is_named(event, "web-9");
    let question = Question {
        target: Some(Target {
            names: &names,
            needle: Some("web-9"),
        }),
        ..OF_NODE
    };
    let account = ask(lines.join("\n"), &question).unwrap();
    assert_eq!(account.places, BTreeSet::new());
    let known = account.ledger.namespace(Place::Netns(netns(0))).unwrap();
    let container = known.owner.as_ref().unwrap().container.as_ref().unwrap();
    assert_eq!(container.name.as_deref(), Some("web-41.one"));
}

#[test]
fn a_cut_last_line_is_no_flaw() {
    let lines = stream(&[Deed::Start, Deed::WriteNode(false, KEY), Deed::Destroy(0)]);
    let text = lines.join("\n");
    let account = ask(&text[..text.len() - 10], &OF_NODE).unwrap();
    assert!(account.tally.is_cut);
    assert_eq!(account.tally.events, 2);
    assert_eq!(account.tally.not_understood, 0);
    assert_eq!(account.ledger.window().gaps(), []);
}

pub(super) fn since(from_ns: u64, to_ns: u64) -> crate::ledger::Since<'static> {
    crate::ledger::Since {
        key: KEY,
        place: Place::Netns(NODE),
        from_ns,
        to_ns: Some(to_ns),
        hidden: crate::ledger::Hidden::Change,
    }
}

#[test]
fn a_line_that_is_not_understood_is_a_flaw() {
    let mut lines = stream(&[Deed::Start, Deed::WriteNode(false, KEY), Deed::Create(0)]);
    lines.insert(2, "attached".to_owned());
    let account = ask(lines.join("\n"), &OF_NODE).unwrap();
    assert_eq!(account.tally.not_understood, 1);
    let (line, problem) = account.tally.first_not_understood.unwrap();
    assert_eq!(line, 3);
    assert!(matches!(problem, Problem::NotJson(_)), "{problem:?}");
    let window = account.ledger.window();
    assert_eq!(window.gaps().len(), 1);
    assert_eq!(window.gaps()[0].lines, 1);
    // The write before it may not have been the last.
    let until = window.until().unwrap().boottime_ns;
    assert!(window.flaw(&since(10_000_000_000, until)).is_some());
    // At the end of the recording as well.
    let lines = stream(&[Deed::Start, Deed::WriteNode(false, KEY)]).join("\n") + "\nattached\n";
    let account = ask(&lines, &OF_NODE).unwrap();
    let window = account.ledger.window();
    assert!(window.flaw(&since(5_000_000_000, 10_000_000_000)).is_some());
}

#[test]
fn an_action_of_a_newer_minor_version() {
    let start = event(&Deed::Start, 1);
    let newer = spelled(&event(&Deed::Create(0), 2), &Spelling::Newer).unwrap();
    let last = event(&Deed::Destroy(0), 3);
    let lines = [text(&start), newer, text(&last)].join("\n");
    let account = ask(&lines, &OF_NODE).unwrap();
    assert_eq!(account.tally.not_understood, 1);
    let (_, problem) = account.tally.first_not_understood.unwrap();
    assert!(problem.to_string().contains("netns-rename"), "{problem}");
    // Its number is known, so it is not missing besides.
    let gaps = account.ledger.window().gaps();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].lines, 1);
}

fn error(text: &str) -> String {
    ask(text, &OF_NODE).unwrap_err().to_string()
}

#[test]
fn what_is_no_recording() {
    assert!(error("").ends_with("has no events: it is empty"));
    assert!(error("\n \n").ends_with("has no events: it is empty"));
    let text = error("\nhello\nworld\n");
    assert!(text.contains("has no events: line 2 is not JSON"), "{text}");
    let text = error("{\"a\":1}\n");
    assert!(
        text.contains("line 1 is not an event of sysctl-trace"),
        "{text}"
    );
    let text = error("{\"a\"");
    assert!(text.contains("its only line is cut"), "{text}");
    let text = error("\x28\u{b5}");
    assert!(text.contains("its only line is cut"), "{text}");
    let folder = Source::new(OsStr::new("/")).open().unwrap_err();
    assert!(folder.to_string().contains("/ is a directory"), "{folder}");
    let missing = Source::new(OsStr::new("/nowhere.json")).open().unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("opening /nowhere.json: No such"),
        "{missing}"
    );
}

#[test]
fn compressed_files_are_told_from_broken_ones() {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"\x28\xb5\x2f\xfd\x04\x00").unwrap();
    let error = source(&file).open().unwrap().ask(&OF_NODE).unwrap_err();
    assert!(error.to_string().contains("`zstd -dc /"), "{error}");
}

#[test]
fn another_major_version_is_refused() {
    let mut lines = stream(&[Deed::Start, Deed::Create(0), Deed::Create(1)]);
    lines[1] = lines[1].replace("\"version\":\"1.", "\"version\":\"2.");
    let text = error(&lines.join("\n"));
    assert!(text.starts_with("line 2 of /"), "{text}");
    assert!(text.contains("version 2."), "{text}");
}

#[test]
fn several_boots_are_told_apart() {
    let mut lines = stream(&[Deed::Start, Deed::WriteNode(false, KEY), Deed::Start]);
    lines[2] = lines[2].replace("5ec3f0b5-5a0e", "aaaaaaaa-5a0e");
    let text = lines.join("\n");
    let error = ask(&text, &OF_NODE).unwrap_err();
    let Error::SeveralBoots { boots, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!([boots[0].events, boots[1].events], [2, 1]);
    assert!(error.to_string().contains("--boot 5ec3f0b5"), "{error}");
    let of = |boot| Question {
        boot: Some(boot),
        ..OF_NODE
    };
    let account = ask(&text, &of("5ec3")).unwrap();
    assert_eq!(account.ledger.window().until().unwrap().sequence, 2);
    assert!(account.ledger.namespace(Place::Netns(NODE)).is_some());
    let account = ask(&text, &of("aaaaaaaa")).unwrap();
    assert_eq!(account.ledger.window().until().unwrap().sequence, 3);
    assert_eq!(account.ledger.strangers(), 0);
    let error = ask(&text, &of("bbbb")).unwrap_err();
    assert!(
        error.to_string().contains("no events of boot bbbb"),
        "{error}"
    );
}

#[test]
fn lives_of_the_nodes_keys_are_read() {
    let of_node = |mut event: Event| {
        event.netns.as_mut().unwrap().inum = Some(NODE.inum);
        event.netns.as_mut().unwrap().cookie = Some(NODE.cookie.to_string().into());
        event
    };
    let events = [samples::started(), of_node(samples::registered())];
    let lines = events.into_iter().zip(1..);
    let lines: String = lines
        .map(|(event, number)| text(&at(event, number)) + "\n")
        .collect();
    let account = ask(&lines, &OF_NODE).unwrap();
    let node = account.ledger.namespace(Place::Netns(NODE)).unwrap();
    let key = "net.ipv4.conf.eth0/100.rp_filter";
    let known = crate::ledger::reach::as_asked(account.ledger.window(), node, key, None);
    assert!(known.created.is_some(), "{known:?}");
}
