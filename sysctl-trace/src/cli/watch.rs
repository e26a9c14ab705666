//! `sysctl-trace watch`: events as they happen.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{
    cli::{
        exit::Exit,
        notice,
        plan::{Plan, Reconcile, Watch},
        privileges,
        session::{Error, Session},
        source::Source,
    },
    event::EndReason,
    ledger::Place,
    recorder::{
        desk::Desk,
        live::{Live, Rounds},
        protocol::Request,
        reader::{self, Reader},
        server::{Question, Server},
    },
};

/// How often it is looked whether a question can be answered, or a reading compared.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long a question may wait beyond the time that events may.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who answers questions, and who looks at live values.
#[derive(Debug)]
struct Recorder {
    server: Option<Server>,
    desk: Desk,
    live: Option<(Live, Rounds)>,
}

/// Starts the process that reads live values, where they are to be compared. This process must have
/// one thread only.
pub fn reader(plan: &Plan<Watch>) -> Option<Result<Reader, reader::Error>> {
    let keys = &plan.command.reconcile.as_ref()?.keys;
    let paths: Vec<&str> = keys.iter().map(|key| &*key.path).collect();
    Some(Reader::start(&paths))
}

/// Watches until the count, the time, a signal or the reader ends it.
pub async fn watch(
    mut plan: Plan<Watch>,
    reader: Option<Result<Reader, reader::Error>>,
    started: Instant,
) -> anyhow::Result<Exit> {
    let server = match &plan.command.socket {
        Some(path) => Some(Server::listen(path)?),
        None => None,
    };
    let (mut session, mut signals) = Session::attach(&mut plan, started, "tracing, Ctrl-C ends")?;
    privileges::give_back()?;
    session.left = plan.command.count;
    let live = match (reader, plan.command.reconcile.take()) {
        (Some(reader), Some(reconcile)) => live(reader, reconcile, plan.output.quiet),
        (None, _) | (_, None) => None,
    };
    session.keeps_ledger = server.is_some() || live.is_some();
    session.reader = live.as_ref().and_then(|(live, _)| live.pid());
    let end = async {
        tokio::select! {
            _ = signals.next() => EndReason::Signal,
            () = expire(plan.command.timeout) => EndReason::Limit,
        }
    };
    let recorder = Recorder {
        server,
        desk: Desk::new(plan.tracer.settle + PATIENCE),
        live,
    };
    let (so_far, reason) = match until(&mut session, recorder, end).await {
        Ok(reason) => (Ok(()), reason),
        Err(error) => (Err(error), EndReason::Error),
    };
    session.finish(so_far, reason).await?;
    Ok(session.exit(Exit::Done))
}

impl Recorder {
    fn take<S: Source>(&mut self, question: Question, session: &Session<S>) {
        if let (Request::Excerpt(places), Some((live, _))) = (&question.request, &mut self.live) {
            live.want_all(session.ledger(), Some(places));
        }
        self.desk.take(question, Instant::now());
    }

    fn looked<S: Source>(&mut self, looked: io::Result<Looked>, session: &Session<S>) {
        match (looked, &mut self.live) {
            (Ok(Looked::Round), Some((live, _))) => live.want_all(session.ledger(), None),
            (Ok(Looked::Round | Looked::Values), Some(_) | None) => {}
            (Err(error), _) => {
                // Readings that were under way are of no use any more.
                self.live = None;
                notice::text(format_args!(
                    "live values are not compared any more: {error}\n"
                ));
            }
        }
    }

    fn is_waiting(&self) -> bool {
        let live = self.live.as_ref();
        self.desk.is_waiting() || live.is_some_and(|(live, _)| live.is_waiting())
    }

    /// Does what can be done by now.
    fn work<S: Source>(&mut self, session: &mut Session<S>) -> Result<(), Error> {
        if let Some((live, _)) = &mut self.live {
            for (netns, pid) in session.take_bound() {
                live.want(netns, pid);
            }
        }
        if !self.is_waiting() {
            return Ok(());
        }
        let whole_until_ns = session.catch_up()?;
        if let Some((live, _)) = &mut self.live {
            for drifted in live.compare(session.ledger(), whole_until_ns) {
                session.tell(&drifted)?;
            }
        }
        let live = self.live.as_ref();
        let is_open = |place| match place {
            Place::Netns(id) => live.is_some_and(|(live, _)| live.is_open(id)),
            Place::Node => false,
        };
        let now = Instant::now();
        self.desk
            .answer(session.ledger(), whole_until_ns, now, is_open);
        Ok(())
    }
}

/// Tracing goes on without it.
fn live(
    reader: Result<Reader, reader::Error>,
    reconcile: Reconcile,
    quiet: bool,
) -> Option<(Live, Rounds)> {
    let readings = reader.and_then(|reader| Ok(reader.listen()?));
    match readings {
        Ok(readings) => {
            let rounds = Rounds::new(reconcile.every);
            Some((Live::new(readings, reconcile.keys), rounds))
        }
        Err(error) => {
            if !quiet {
                notice::text(format_args!("live values are not compared: {error}\n"));
            }
            None
        }
    }
}

/// Shows events and answers questions until `end`, or until there are enough events; returns why it
/// ends.
async fn until<S: Source>(
    session: &mut Session<S>,
    mut recorder: Recorder,
    end: impl Future<Output = EndReason>,
) -> Result<EndReason, Error> {
    tokio::pin!(end);
    while !session.is_full() {
        let is_waiting = recorder.is_waiting();
        let Recorder { server, live, .. } = &mut recorder;
        tokio::select! {
            biased;
            reason = &mut end => return Ok(reason),
            question = asked(server.as_mut()) => recorder.take(question, session),
            looked = look(live.as_mut()) => recorder.looked(looked, session),
            () = tokio::time::sleep(LOOK_EVERY), if is_waiting => {}
            step = session.step() => step?,
        }
        recorder.work(session)?;
        // However many events there are: those who ask are served by tasks of their own.
        tokio::task::yield_now().await;
    }
    Ok(EndReason::Limit)
}

/// What there is to do about live values.
#[derive(Debug)]
enum Looked {
    /// All are to be looked at.
    Round,
    /// Some were.
    Values,
}

async fn look(live: Option<&mut (Live, Rounds)>) -> io::Result<Looked> {
    let Some((live, rounds)) = live else {
        return std::future::pending().await;
    };
    tokio::select! {
        () = rounds.next() => Ok(Looked::Round),
        done = live.step() => done.map(|()| Looked::Values),
    }
}

async fn asked(server: Option<&mut Server>) -> Question {
    match server {
        Some(server) => server.next().await,
        None => std::future::pending().await,
    }
}

async fn expire(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
