use super::*;
use crate::{
    cli::{args::Color, fake::Fake, plan::Output},
    filter::Filter,
    output::{samples, sink::Sink, text::Charset},
};

fn session(path: &str) -> Session<Fake> {
    let source = Fake {
        batches: [samples::all()].into(),
        ..Fake::default()
    };
    let output = Output {
        json: true,
        file: None,
        color: Color::Never,
        quiet: true,
    };
    let sink = Sink::file(path.as_ref()).unwrap();
    let filter = Filter::default();
    Session::new(source, sink, filter, &output, Charset::Unicode, false).unwrap()
}

fn shell(script: &str) -> Child {
    Command::new("sh").args(["-c", script]).spawn().unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn ends(script: &str, path: &str) -> (Exit, Result<(), Error>) {
    block_on(async {
        let mut signals = Signals::new().unwrap();
        let mut session = session(path);
        let mut child = shell(script);
        let (end, so_far) = until_end(&mut session, &mut child, &mut signals).await;
        let End::Status(status) = end.unwrap() else {
            panic!("no signal was sent");
        };
        (Exit::of_command(status), so_far)
    })
}

#[test]
fn the_status_is_passed_through() {
    let (exit, so_far) = ends("exit 42", "/dev/null");
    assert_eq!(exit, Exit::Command(42));
    assert!(so_far.is_ok());
    let (exit, _) = ends("kill -9 $$", "/dev/null");
    assert_eq!(exit, Exit::Signal(9));
}

#[test]
fn a_failing_trace_does_not_end_the_command() {
    let (exit, so_far) = ends("sleep 0.2; exit 7", "/dev/full");
    assert_eq!(exit, Exit::Command(7));
    assert!(so_far.is_err());
}

#[test]
fn a_command_that_cannot_be_started() {
    let not_started = |program: &str| {
        block_on(async { not_started(&Command::new(program).spawn().unwrap_err()) })
    };
    assert_eq!(not_started("no-such-command-anywhere"), Exit::NotFound);
    assert_eq!(not_started("/no/such/command"), Exit::NotFound);
    assert_eq!(not_started("/"), Exit::NotExecutable);
    assert_eq!(not_started("/dev/null"), Exit::NotExecutable);
}
