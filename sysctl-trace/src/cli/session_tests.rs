use std::{io::Read as _, path::Path, pin::pin};

use globset::Glob;
use serde_json::Value;

use super::*;
use crate::{
    cli::{args, fake::Fake},
    event::Lost,
    filter::{Globs, Sign},
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
        session.finish(Ok(())).await.unwrap();
        assert_eq!(session.exit(Exit::Done), Exit::Done);
    });
    let batch = [
        "netns-create",
        "sysctl-write",
        "sysctl-write",
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
        session.finish(Ok(())).await.unwrap();
    });
    let actions: Vec<String> = sequence_and_actions(&path)
        .into_iter()
        .map(|(_, action)| action)
        .collect();
    let want = ["sysctl-write", "events-lost", "sysctl-write", "events-lost"];
    assert_eq!(actions, want);
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
        session.finish(Ok(())).await.unwrap();
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
        session.finish(Err(error)).await.unwrap();
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
        let error = session.finish(Err(error)).await.unwrap_err();
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
        let error = session.finish(Ok(())).await.unwrap_err();
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
        let source = source(&[&[samples::created()]]);
        let (filter, output) = (Filter::default(), output(false));
        let mut session =
            Session::new(source, sink, filter, &output, Charset::Unicode, false).unwrap();
        session.step().await.unwrap();
        let header = std::fs::read_to_string(&path).unwrap();
        assert!(header.starts_with("TIME (UTC)"), "{header}");
        session.finish(Ok(())).await.unwrap();
    });
    let text = std::fs::read_to_string(&path).unwrap();
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
        session.finish(Ok(())).await.unwrap();
    });
    let pids: Vec<Value> = lines(&path)
        .iter()
        .map(|line| line["process"]["pid"].clone())
        .collect();
    assert_eq!(pids, [101]);
}
