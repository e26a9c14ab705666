use std::{
    fs,
    io::{Read as _, Seek as _},
    os::fd::OwnedFd,
    time::Duration,
};

use super::*;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn pipe() -> (File, File) {
    let (reader, writer) = io::pipe().unwrap();
    (
        File::from(OwnedFd::from(reader)),
        File::from(OwnedFd::from(writer)),
    )
}

#[test]
fn a_file_keeps_its_content_until_the_trace_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.json");
    fs::write(&path, "what was there before\n").unwrap();
    block_on(async {
        let mut sink = Sink::file(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "what was there before\n"
        );
        sink.begin().unwrap();
        assert!(!sink.is_pending());
        sink.buffer().extend_from_slice(b"one\ntwo\n");
        assert!(sink.is_pending());
        sink.flush().await.unwrap();
        assert!(!sink.is_pending());
        sink.buffer().extend_from_slice(b"three\n");
        sink.flush().await.unwrap();
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
}

#[test]
fn an_unwritable_path_is_named() {
    let error = block_on(async { Sink::file(Path::new("/proc/no/such/file")).unwrap_err() });
    assert_eq!(
        error.to_string(),
        "cannot open /proc/no/such/file for writing"
    );
    let error = block_on(async { Sink::file(Path::new("/")).unwrap_err() });
    assert_eq!(error.to_string(), "cannot open / for writing");
}

#[test]
fn a_full_device_is_an_error() {
    block_on(async {
        let mut sink = Sink::file(Path::new("/dev/full")).unwrap();
        sink.begin().unwrap();
        sink.buffer().extend_from_slice(b"one\n");
        let error = sink.flush().await.unwrap_err();
        let Error::Write { name, source, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(name, "/dev/full");
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        assert!(!sink.is_pending());
    });
}

/// The limit of a file's size stands in for a full disk: both take the first part of a write and
/// refuse the rest. It holds for a whole process, so a child of its own has it.
#[test]
fn a_full_disk_leaves_whole_lines() {
    const CHILD: &str = "SYSCTL_TRACE_TEST_FULL_DISK";
    let Some(path) = std::env::var_os(CHILD) else {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        let test = std::env::current_exe().unwrap();
        // The child's own messages go to a pipe: a file that they went to would be under the limit too.
        let output = std::process::Command::new(test)
            .args([
                "--exact",
                "output::sink::tests::a_full_disk_leaves_whole_lines",
            ])
            .env(CHILD, &path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "12345\n12345\n12345\n");
        return;
    };
    rustix::process::setrlimit(
        rustix::process::Resource::Fsize,
        rustix::process::Rlimit {
            current: Some(20),
            maximum: Some(20),
        },
    )
    .unwrap();
    block_on(async {
        // The signal that comes with this limit must not end us.
        let kind =
            tokio::signal::unix::SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        let _ignored = tokio::signal::unix::signal(kind).unwrap();
        let mut sink = Sink::file(Path::new(&path)).unwrap();
        sink.buffer().extend_from_slice(b"12345\n");
        sink.flush().await.unwrap();
        sink.buffer().extend_from_slice(b"12345\n12345\n12345\n");
        let error = sink.flush().await.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Write {
                    whole: true,
                    missing: 1,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(
            error
                .to_string()
                .ends_with("(lines missing: 1; it ends with the last whole one)")
        );
    });
}

#[test]
fn a_closed_pipe_is_told_apart() {
    let (reader, writer) = pipe();
    block_on(async {
        let mut sink = Sink::new("pipe".into(), writer, false);
        drop(reader);
        sink.buffer().extend_from_slice(b"one\n");
        assert!(matches!(sink.flush().await, Err(Error::Closed { .. })));
    });
}

#[test]
fn a_closing_reader_is_noticed_without_writing() {
    let (reader, writer) = pipe();
    block_on(async {
        let mut sink = Sink::new("pipe".into(), writer, false);
        let early = tokio::time::timeout(Duration::from_millis(20), sink.flush_or_closed()).await;
        assert!(early.is_err(), "{early:?}");
        drop(reader);
        let late = tokio::time::timeout(Duration::from_secs(5), sink.flush_or_closed()).await;
        assert!(matches!(late, Ok(Err(Error::Closed { .. }))), "{late:?}");
    });
}

#[test]
fn a_slow_reader_gets_everything_and_blocks_nobody() {
    let (mut reader, writer) = pipe();
    let sent = b"0123456789\n".repeat(100_000);
    block_on(async {
        let mut sink = Sink::new("pipe".into(), writer, false);
        sink.buffer().extend_from_slice(&sent);
        let stuck = tokio::time::timeout(Duration::from_millis(20), sink.flush()).await;
        assert!(stuck.is_err(), "a pipe can't hold that much");
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        sink.flush().await.unwrap();
        drop(sink);
        assert!(reading.join().unwrap() == sent);
    });
}

#[test]
fn the_given_descriptor_stays_blocking() {
    let (_reader, writer) = pipe();
    block_on(async {
        let ours = writer.try_clone().unwrap();
        let sink = Sink::new("pipe".into(), ours, false);
        assert!(matches!(sink.target, Target::Waiting(_)));
        let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
        assert!(!flags.contains(OFlags::NONBLOCK));
    });
}

#[test]
fn a_shared_regular_file_is_never_cut() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"before\n").unwrap();
    block_on(async {
        let mut sink = Sink::new("standard output".into(), file.try_clone().unwrap(), false);
        sink.begin().unwrap();
        sink.buffer().extend_from_slice(b"after\n");
        sink.flush().await.unwrap();
    });
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "before\nafter\n");
}

#[test]
fn nothing_here_is_a_terminal() {
    block_on(async {
        let null = File::options().write(true).open("/dev/null").unwrap();
        let mut sink = Sink::new("null".into(), null, false);
        assert!(!sink.is_terminal());
        assert_eq!(sink.terminal_width(), None);
        sink.buffer().extend_from_slice(b"x\n");
        sink.flush().await.unwrap();
    });
}
