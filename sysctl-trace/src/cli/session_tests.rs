use std::{io::Read as _, path::Path, pin::pin};

use globset::Glob;
use serde_json::Value;

use super::*;
use crate::{
    cli::{args, fake::Fake},
    event::Lost,
    filter::{Globs, Sign},
    ledger::Place,
    output::samples,
};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn output(json: bool) -> plan::Output {
    plan::Output {
        json,
        file: None,
        color: args::Color::Auto,
        quiet: true,
    }
}

/// A session that writes JSON to `path`.
fn session(source: Fake, path: &Path, filter: Filter) -> Session<Fake> {
    let sink = Sink::file(path).unwrap();
    let output = output(true);
    Session::new(source, sink, filter, &output, Charset::Unicode, true).unwrap()
}

fn source(batches: &[&[Event]]) -> Fake {
    Fake {
        batches: batches.iter().map(|batch| batch.to_vec()).collect(),
        ..Fake::default()
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn sequence_and_actions(path: &Path) -> Vec<(u64, String)> {
    let of = |line: &Value| {
        (
            line["event"]["sequence"].as_u64().unwrap(),
            line["event"]["action"].as_str().unwrap().to_owned(),
        )
    };
    lines(path).iter().map(of).collect()
}

fn only(patterns: &[&str]) -> Filter {
    let signs: Vec<Sign<Glob>> = patterns
        .iter()
        .map(|pattern| Sign::of(pattern).try_map(Glob::new).unwrap())
        .collect();
    Filter {
        key: Globs::new(&signs).unwrap(),
        ..Filter::default()
    }
}

#[test]
fn what_is_shown_is_numbered_without_holes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    block_on(async {
        let mut source = source(&[&samples::all(), &samples::all()]);
        source.rest = vec![samples::not_decoded(), samples::created()];
        let mut session = session(source, &path, only(&["net.*"]));
        for _ in 0..4 {
            session.step().await.unwrap();
        }
        session.finish(Ok(()), EndReason::Signal).await.unwrap();
        assert_eq!(session.exit(Exit::Done), Exit::Done);
    });
    let batch = [
        "netns-create",
        "sysctl-write",
        "sysctl-write",
        "sysctl-drift",
        "events-lost",
    ];
    let want: Vec<(u64, String)> = (1..)
        .zip([&batch[..], &batch[..], &["netns-create"]].concat())
        .map(|(sequence, action)| (sequence, action.to_owned()))
        .collect();
    assert_eq!(sequence_and_actions(&path), want);
}

#[test]
fn enough_is_enough_but_loss_is_still_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let write = || samples::write("1", "2", "1");
    block_on(async {
        let batch = [write(), samples::lost(), write(), write(), write()];
        let mut source = source(&[&batch]);
        source.rest = vec![write(), samples::lost()];
        let mut session = session(source, &path, Filter::default());
        session.left = Some(2);
        session.step().await.unwrap();
        assert!(session.is_full());
        session.finish(Ok(()), EndReason::Signal).await.unwrap();
    });
    let actions: Vec<String> = sequence_and_actions(&path)
        .into_iter()
        .map(|(_, action)| action)
        .collect();
    let want = ["sysctl-write", "events-lost", "sysctl-write", "events-lost"];
    assert_eq!(actions, want);
}

#[test]
fn the_first_line_tells_the_filters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let given = [("key".to_owned(), vec!["vm.*".to_owned()])];
    block_on(async {
        let batch = [samples::started(), samples::created(), samples::lost()];
        let mut session = session(source(&[&batch]), &path, only(&["vm.*"]));
        session.filters = given.clone().into();
        session.left = Some(1);
        session.step().await.unwrap();
        assert!(!session.is_full(), "the start does not count");
        session.finish(Ok(()), EndReason::Signal).await.unwrap();
    });
    let names = ["trace-start", "events-lost", "trace-end"];
    let want: Vec<(u64, String)> = (1..).zip(names.map(str::to_owned)).collect();
    assert_eq!(sequence_and_actions(&path), want);
    let lines = lines(&path);
    assert_eq!(
        lines[0]["trace"]["filters"],
        serde_json::json!({"key": ["vm.*"]})
    );
    assert!(lines[1]["trace"].get("filters").is_none());
    assert!(lines[2]["trace"].get("filters").is_none());
}

/// The last line of a trace of these batches, with `left` events wanted, that goes as `so_far` says.
fn end_of(mut source: Fake, left: Option<u64>, so_far: Result<(), Error>) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    source.whole_until_ns = [500_000_000].into();
    source.lost.ring_full = 12;
    block_on(async {
        let mut session = session(source, &path, Filter::default());
        session.left = left;
        session.step().await.unwrap();
        let is_error = so_far.is_err();
        let ended = session.finish(so_far, EndReason::Limit).await;
        assert_eq!(ended.is_err(), is_error);
    });
    let lines = lines(&path);
    let last = lines.last().unwrap();
    let of_end = |line: &&Value| line["event"]["action"] == "trace-end";
    assert_eq!(lines.iter().filter(of_end).count(), 1);
    assert_eq!(last["event"]["action"], "trace-end");
    assert_eq!(last["event"]["sequence"], lines.len());
    assert_eq!(last["trace"]["end"]["events"], lines.len());
    assert_eq!(last["trace"]["end"]["lost"]["ring_full"], 12);
    assert!(last.get("netns").is_none());
    last.clone()
}

fn at(boottime_ns: u64) -> Event {
    let mut event = samples::write("1", "2", "1");
    event.event.boottime_ns = boottime_ns;
    event.event.duration = Some(1000);
    event
}

#[test]
fn the_last_line_tells_up_to_when_all_is_there() {
    let start = samples::started;
    // Everything was drained.
    let end = end_of(source(&[&[start(), at(150_000_000)]]), None, Ok(()));
    assert_eq!(end["trace"]["end"]["reason"], "limit");
    assert_eq!(end["event"]["boottime_ns"], 500_000_000);
    // The second and the third write are not shown.
    let batch = [start(), at(150_000_000), at(300_000_000), at(200_000_000)];
    let end = end_of(source(&[&batch]), Some(1), Ok(()));
    assert_eq!(end["event"]["boottime_ns"], 200_000_999);
    // What was not read may have been at any time after the last line.
    let failed = serde_json::from_str::<u32>("x").unwrap_err();
    let end = end_of(
        source(&[&[start(), at(150_000_000)]]),
        None,
        Err(failed.into()),
    );
    assert_eq!(end["trace"]["end"]["reason"], "error");
    assert_eq!(end["event"]["boottime_ns"], 150_001_000);
}

#[test]
fn a_command_that_did_not_start_leaves_a_whole_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    block_on(async {
        let source = Fake {
            rest: vec![samples::started()],
            ..Fake::default()
        };
        let mut session = session(source, &path, Filter::default());
        session.abandon().await.unwrap();
    });
    let want = [(1, "trace-start".to_owned()), (2, "trace-end".to_owned())];
    assert_eq!(sequence_and_actions(&path), want);
    assert_eq!(lines(&path)[1]["trace"]["end"]["reason"], "error");
}

#[test]
fn nothing_is_kept_that_nobody_can_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    block_on(async {
        let batch = [samples::started(), samples::created()];
        let mut session = session(source(&[&batch]), &path, only(&["net.*"]));
        session.keeps_ledger = false;
        session.finish(Ok(()), EndReason::Signal).await.unwrap();
        assert_eq!(session.ledger().namespaces().count(), 0);
    });
    // The stream is the same.
    let lines = std::fs::read_to_string(&path).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
}

#[test]
fn the_ledger_learns_from_what_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    block_on(async {
        let write = samples::write("1024", "4096", "1024");
        let batch = [samples::started(), samples::created(), write];
        let mut session = session(source(&[&batch]), &path, only(&["vm.*"]));
        session.filters = [("key".to_owned(), vec!["vm.*".to_owned()])].into();
        session.left = Some(0);
        session.finish(Ok(()), EndReason::Signal).await.unwrap();
        let ledger = session.ledger();
        let place = Place::Netns(samples::created().netns.unwrap().id());
        let history = &ledger.namespace(place).unwrap().keys["net.core.somaxconn"];
        assert_eq!(history.value().unwrap(), "1024");
        // What the stream leaves out is not missing here.
        assert!(ledger.window().filters().is_empty());
        let since = crate::ledger::Since {
            key: "net.core.somaxconn",
            place,
            from_ns: ledger.window().begun().unwrap().boottime_ns,
            to_ns: None,
            hidden: crate::ledger::Hidden::Change,
        };
        assert_eq!(ledger.window().flaw(&since), None);
    });
    assert_eq!(lines(&path).len(), 2);
}

#[test]
fn catching_up_waits_for_no_reader() {
    let (reader, writer) = std::io::pipe().unwrap();
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
    block_on(async {
        let batch = vec![samples::created(); 200];
        let mut source = source(&[&batch[..]; 100]);
        source.whole_until_ns = [1, 2, 123_456_790, 123_456_791].into();
        let mut session = session(source, Path::new(&path), Filter::default());
        for whole in [2, 123_456_790] {
            assert_eq!(session.catch_up().unwrap(), whole);
        }
        let until = |session: &Session<Fake>| session.ledger().window().until().unwrap();
        assert_eq!(until(&session).boottime_ns, 123_456_790);
        assert_eq!(until(&session).sequence, 400);
        // As long as there is room for the lines.
        for _ in 0..98 {
            session.catch_up().unwrap();
        }
        assert!(session.sequence > 400);
        assert!(session.sequence < 20_000, "{}", session.sequence);
    });
    drop((reader, writer));
}

#[test]
fn visits_of_our_own_are_not_told_and_drift_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let visit = |pid, name: &str| {
        let process = samples::process(pid, name);
        Event {
            process: Some(std::sync::Arc::new(crate::rendered::Rendered::new(process))),
            ..samples::entered()
        }
    };
    let netns = samples::created().netns.unwrap().id();
    block_on(async {
        let batch = [
            samples::started(),
            samples::bound(),
            visit(77, NAME),
            visit(78, NAME),
            visit(77, "nginx"),
        ];
        let mut session = session(source(&[&batch]), &path, Filter::default());
        session.reader = Some(77);
        session.step().await.unwrap();
        assert_eq!(session.take_bound(), [(netns, 296)]);
        assert_eq!(session.take_bound(), []);
        let drifted = Drifted {
            netns,
            key: crate::node::key::Key::parse("net.core.somaxconn").unwrap(),
            expected: "1024".into(),
            found: "4096".into(),
            boottime_ns: 200_000_000,
        };
        session.tell(&drifted).unwrap();
        let namespace = session.ledger().namespace(Place::Netns(netns)).unwrap();
        let value = namespace.keys["net.core.somaxconn"].value();
        assert_eq!(value.unwrap(), "4096");
        session.finish(Ok(()), EndReason::Signal).await.unwrap();
    });
    let names = [
        "trace-start",
        "netns-bind",
        "netns-enter",
        "netns-enter",
        "sysctl-drift",
        "trace-end",
    ];
    let want: Vec<(u64, String)> = (1..).zip(names.map(str::to_owned)).collect();
    assert_eq!(sequence_and_actions(&path), want);
    let drift = &lines(&path)[4];
    // Its owner is the one that was told before.
    let owner = serde_json::to_value(samples::owner()).unwrap();
    assert_eq!(drift["netns"]["owner"], owner);
}

#[test]
fn loss_counts_only_if_all_else_went_well() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let source = Fake {
            lost: Lost {
                ring_full: 1,
                ..Lost::default()
            },
            ..Fake::default()
        };
        let path = folder.path().join("trace");
        let mut session = session(source, &path, Filter::default());
        assert_eq!(session.exit(Exit::Done), Exit::Lost);
        assert_eq!(session.exit(Exit::Command(0)), Exit::Lost);
        assert_eq!(session.exit(Exit::Command(3)), Exit::Command(3));
        session.strict = false;
        assert_eq!(session.exit(Exit::Done), Exit::Done);
    });
}

#[test]
fn a_step_can_be_given_up_at_any_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    block_on(async {
        let source = source(&[&[samples::created()], &[samples::destroyed()]]);
        let mut session = session(source, &path, Filter::default());
        for _ in 0..100 {
            let mut step = pin!(session.step());
            // Polled once, then dropped.
            std::future::poll_fn(|context| {
                let _ = step.as_mut().poll(context);
                std::task::Poll::Ready(())
            })
            .await;
        }
        session.finish(Ok(()), EndReason::Signal).await.unwrap();
    });
    assert_eq!(lines(&path).len(), 2);
}

#[test]
fn a_reader_who_leaves_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    block_on(async {
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
        let source = source(&[&[samples::created()]]);
        let mut session = session(source, Path::new(&path), Filter::default());
        session.step().await.unwrap();
        drop(reader);
        let error = session.step().await.unwrap_err();
        assert!(error.is_closed(), "{error:?}");
        session.finish(Err(error), EndReason::Signal).await.unwrap();
    });
    drop(writer);
}

#[test]
fn a_full_device_is_a_failure() {
    block_on(async {
        let source = source(&[&[samples::created()]]);
        let mut session = session(source, Path::new("/dev/full"), Filter::default());
        session.step().await.unwrap();
        let error = session.step().await.unwrap_err();
        let error = session
            .finish(Err(error), EndReason::Signal)
            .await
            .unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "the trace is not complete: cannot write to /dev/full (lines missing: 1): \
             No space left on device (os error 28)"
        );
    });
}

#[test]
fn a_reader_who_takes_nothing_is_not_waited_for_for_ever() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    block_on(async {
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
        let many = vec![samples::created(); 1000];
        let mut session = session(source(&[&many]), Path::new(&path), Filter::default());
        session.step().await.unwrap();
        tokio::time::pause();
        let error = session.finish(Ok(()), EndReason::Signal).await.unwrap_err();
        assert!(format!("{error:#}").contains("takes no more"), "{error:#}");
    });
    // What it did take is there.
    drop(writer);
    let mut text = Vec::new();
    reader.read_to_end(&mut text).unwrap();
    assert!(!text.is_empty());
}

#[test]
fn a_table_begins_with_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    block_on(async {
        let sink = Sink::file(&path).unwrap();
        let source = source(&[&[samples::started(), samples::created()]]);
        let (filter, output) = (Filter::default(), output(false));
        let mut session =
            Session::new(source, sink, filter, &output, Charset::Unicode, false).unwrap();
        session.step().await.unwrap();
        let header = std::fs::read_to_string(&path).unwrap();
        assert!(header.starts_with("TIME (UTC)"), "{header}");
        session.finish(Ok(()), EndReason::Signal).await.unwrap();
    });
    let text = std::fs::read_to_string(&path).unwrap();
    // The end is no row of it.
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains("4096 (node 2048)"));
}

#[test]
fn a_tree_narrows_and_learns_from_what_filters_hide() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let process = |pid, above: &[u32]| {
        let mut process = samples::process(pid, "x");
        process.ancestors = above
            .iter()
            .map(|pid| samples::ancestor(*pid, "x"))
            .collect();
        Some(std::sync::Arc::new(crate::rendered::Rendered::new(process)))
    };
    let write = |pid, above: &[u32]| Event {
        process: process(pid, above),
        ..samples::write("1", "2", "1")
    };
    // Hidden by the filter, but it tells that 101 and 102 belong to 100.
    let hidden = Event {
        process: process(102, &[101, 100, 1]),
        ..samples::not_decoded()
    };
    block_on(async {
        let batch = [hidden, write(7, &[1]), write(101, &[1])];
        let mut session = session(source(&[&batch]), &path, only(&["net.*"]));
        session.tree = Some(Tree::new(100));
        session.finish(Ok(()), EndReason::Signal).await.unwrap();
    });
    let pids: Vec<Value> = lines(&path)
        .iter()
        .map(|line| line["process"]["pid"].clone())
        .collect();
    assert_eq!(pids, [101]);
}
