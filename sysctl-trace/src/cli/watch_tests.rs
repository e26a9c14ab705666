use super::*;
use crate::{
    cli::{args::Color, fake::Fake, plan::Output},
    filter::Filter,
    ledger::Place,
    output::{samples, sink::Sink, text::Charset},
    recorder::{
        client,
        protocol::{Request, Response},
    },
};

fn session(batches: usize) -> Session<Fake> {
    session_of(Fake {
        batches: vec![samples::all(); batches].into(),
        ..Fake::default()
    })
}

fn session_of(source: Fake) -> Session<Fake> {
    let sink = Sink::file("/dev/null".as_ref()).unwrap();
    let output = Output {
        json: true,
        file: None,
        color: Color::Never,
        quiet: true,
    };
    let filter = Filter::default();
    Session::new(source, sink, filter, &output, Charset::Unicode, false).unwrap()
}

fn recorder(server: Option<Server>) -> Recorder {
    Recorder {
        server,
        desk: Desk::new(PATIENCE),
        live: None,
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future);
}

#[test]
fn time_ends_it() {
    block_on(async {
        let mut session = session(2);
        let end = async {
            expire(Some(Duration::from_secs(3600))).await;
            EndReason::Limit
        };
        let ended = until(&mut session, recorder(None), end).await;
        assert_eq!(ended.unwrap(), EndReason::Limit);
    });
}

#[test]
fn the_count_ends_it() {
    block_on(async {
        let mut session = session(2);
        session.left = Some(3);
        let end = std::future::pending();
        let ended = until(&mut session, recorder(None), end).await;
        assert_eq!(ended.unwrap(), EndReason::Limit);
        assert!(session.is_full());
    });
}

#[test]
fn busy_sources_do_not_delay_the_end() {
    block_on(async {
        let mut session = session(1000);
        session.left = Some(1000);
        let end = std::future::ready(EndReason::Signal);
        let ended = until(&mut session, recorder(None), end).await;
        assert_eq!(ended.unwrap(), EndReason::Signal);
        assert_eq!(session.left, Some(1000));
    });
}

#[test]
fn who_asks_is_told_what_came_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.sock");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let id = samples::created().netns.unwrap().id();
    runtime.block_on(async {
        // The moment of the question is known to be whole only after some looks.
        let mut session = session_of(Fake {
            batches: [vec![samples::created()]].into(),
            whole_until_ns: [0, 0, 0, u64::MAX].into(),
            ..Fake::default()
        });
        let server = Server::listen(&path).unwrap();
        let asker = std::thread::spawn(move || {
            let request = Request::Excerpt(vec![Place::Netns(id)]);
            client::ask(&path, &request, Duration::from_secs(20))
        });
        let end = async {
            while !asker.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            EndReason::Signal
        };
        until(&mut session, recorder(Some(server)), end)
            .await
            .unwrap();
        let Response::Excerpt(excerpt) = asker.join().unwrap().unwrap() else {
            panic!("another answer");
        };
        assert_eq!(excerpt.window.until().unwrap().boottime_ns, u64::MAX);
        let [namespace] = &excerpt.namespaces[..] else {
            panic!("{excerpt:?}");
        };
        assert_eq!(
            namespace.keys["net.core.somaxconn"].value().unwrap(),
            "4096"
        );
    });
}
