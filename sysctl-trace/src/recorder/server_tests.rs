use std::{
    io::{Read as _, Write as _},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::*;
use crate::{
    ledger::Place,
    recorder::{client, protocol::Candidates},
};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Answers questions until `done`.
async fn answer_until<T>(server: &mut Server, done: thread::JoinHandle<T>) -> (T, usize) {
    let mut asked = 0;
    while !done.is_finished() {
        tokio::select! {
            question = server.next() => {
                asked += 1;
                question.answer(&Response::Candidates(Candidates::default()));
            }
            () = sleep(Duration::from_millis(2)) => {}
        }
    }
    (done.join().unwrap(), asked)
}

fn ask(path: &Path, request: &Request) -> Result<Response, client::Error> {
    client::ask(path, request, Duration::from_secs(20))
}

#[test]
fn a_question_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/watch.sock");
    block_on(async {
        let mut server = Server::listen(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o755);
        let before = clock::boottime_ns();
        let asker = thread::spawn({
            let path = path.clone();
            move || ask(&path, &Request::Excerpt(vec![Place::Node]))
        });
        let question = server.next().await;
        assert_eq!(question.request, Request::Excerpt(vec![Place::Node]));
        assert!(question.asked_ns > before);
        let response = Response::Candidates(Candidates::default());
        question.answer(&response);
        let (got, _) = answer_until(&mut server, asker).await;
        assert_eq!(got.unwrap(), response);
        drop(server);
        assert!(!path.exists());
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            0,
            "nothing is left"
        );
    });
}

#[test]
fn a_recorder_that_lives_keeps_its_place_and_a_dead_one_loses_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.sock");
    // Nobody closes this one properly.
    drop(net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    block_on(async {
        let server = Server::listen(&path).unwrap();
        let error = Server::listen(&path).unwrap_err();
        assert!(matches!(error, Error::Taken { .. }), "{error}");
        // One that was put in its place is not this one's to remove.
        fs::remove_file(&path).unwrap();
        let other = Server::listen(&path).unwrap();
        drop(server);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());
    });
}

#[test]
fn what_is_no_socket_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.sock");
    fs::write(&path, "precious").unwrap();
    block_on(async {
        let error = Server::listen(&path).unwrap_err();
        assert!(matches!(error, Error::NoSocket { .. }), "{error}");
        let nowhere = folder.path().join("no/such/watch.sock");
        let error = Server::listen(&nowhere).unwrap_err();
        assert!(error.to_string().contains("no/such"), "{error}");
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn nonsense_and_too_much_are_refused_without_bothering_the_recorder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.sock");
    block_on(async {
        let mut server = Server::listen(&path).unwrap();
        let asker = thread::spawn(move || {
            let say = |bytes: &[u8]| {
                let mut stream = net::UnixStream::connect(&path).unwrap();
                // It may be told no before all was written.
                let _ = stream.write_all(bytes);
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let mut answer = String::new();
                let _ = stream.read_to_string(&mut answer);
                answer
            };
            let long = [&vec![b' '; REQUEST_MAX][..], b"\n"].concat();
            let other = br#"{"version":7,"body":"candidates"}"#;
            [
                say(b"hello\n"),
                say(b"no end"),
                say(&long),
                say(&[&other[..], b"\n"].concat()),
                say(b""),
            ]
        });
        let ([hello, no_end, long, other, nothing], asked) = answer_until(&mut server, asker).await;
        assert_eq!(asked, 0);
        for answer in [&hello, &no_end, &long] {
            assert!(
                answer.starts_with(r#"{"version":1,"body":{"refused":"#),
                "{answer}"
            );
        }
        assert!(other.contains("version 7"), "{other}");
        assert!(nothing.is_empty());
    });
}

#[test]
fn who_says_nothing_holds_up_nobody_and_there_are_only_so_many() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.sock");
    block_on(async {
        let mut server = Server::listen(&path).unwrap();
        let asker = thread::spawn(move || {
            let connect = || net::UnixStream::connect(&path).unwrap();
            let mut idle: Vec<net::UnixStream> = (1..CONNECTIONS).map(|_| connect()).collect();
            let first = ask(&path, &Request::Candidates);
            idle.push(connect());
            let second = ask(&path, &Request::Candidates);
            (first, second)
        });
        let ((first, second), _) = answer_until(&mut server, asker).await;
        assert!(first.is_ok(), "{first:?}");
        let second = second.unwrap_err();
        assert!(matches!(second, client::Error::Closed { .. }), "{second}");
    });
}

#[test]
fn a_question_without_an_answer_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.sock");
    block_on(async {
        let mut server = Server::listen(&path).unwrap();
        let asker = thread::spawn({
            let path = path.clone();
            move || ask(&path, &Request::Candidates)
        });
        drop(server.next().await);
        let (got, _) = answer_until(&mut server, asker).await;
        let error = got.unwrap_err();
        assert!(matches!(error, client::Error::Closed { .. }), "{error}");
    });
    let absent = ask(&path, &Request::Candidates).unwrap_err();
    assert!(matches!(absent, client::Error::Absent { .. }), "{absent}");
    drop(net::UnixListener::bind(&path).unwrap());
    let absent = ask(&path, &Request::Candidates).unwrap_err();
    assert!(matches!(absent, client::Error::Absent { .. }), "{absent}");
}

#[test]
fn a_recorder_that_hangs_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.sock");
    let _listener = net::UnixListener::bind(&path).unwrap();
    let patience = Duration::from_millis(50);
    let error = client::ask(&path, &Request::Candidates, patience).unwrap_err();
    assert!(matches!(error, client::Error::Silent { .. }), "{error}");
}

#[test]
fn root_and_the_same_user_may_ask() {
    assert!(may_ask(0, 1000));
    assert!(may_ask(1000, 1000));
    assert!(!may_ask(1001, 1000));
    assert!(!may_ask(1000, 0));
}

#[test]
fn many_may_ask_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.sock");
    let answers = Arc::new(AtomicUsize::new(0));
    block_on(async {
        let mut server = Server::listen(&path).unwrap();
        let asker = thread::spawn({
            let answers = answers.clone();
            move || {
                for _ in 0..CONNECTIONS * 3 {
                    if ask(&path, &Request::Candidates).is_ok() {
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        let ((), asked) = answer_until(&mut server, asker).await;
        assert_eq!(asked, CONNECTIONS * 3);
    });
    assert_eq!(answers.load(Ordering::Relaxed), CONNECTIONS * 3);
}
