use super::*;
use crate::{
    cli::{args::Color, fake::Fake, plan::Output},
    filter::Filter,
    output::{samples, sink::Sink, text::Charset},
};

fn session(batches: usize) -> Session<Fake> {
    let source = Fake {
        batches: vec![samples::all(); batches].into(),
        ..Fake::default()
    };
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
        let end = expire(Some(Duration::from_secs(3600)));
        until(&mut session, end).await.unwrap();
    });
}

#[test]
fn the_count_ends_it() {
    block_on(async {
        let mut session = session(2);
        session.left = Some(3);
        until(&mut session, expire(None)).await.unwrap();
        assert!(session.is_full());
    });
}

#[test]
fn busy_sources_do_not_delay_the_end() {
    block_on(async {
        let mut session = session(1000);
        session.left = Some(1000);
        until(&mut session, std::future::ready(())).await.unwrap();
        assert_eq!(session.left, Some(1000));
    });
}
