//! `sysctl-trace watch`: events as they happen.

use std::time::{Duration, Instant};

use crate::cli::{
    exit::Exit,
    plan::{Plan, Watch},
    privileges,
    session::{Error, Session},
    source::Source,
};

/// Watches until the count, the time, a signal or the reader ends it.
pub async fn watch(mut plan: Plan<Watch>, started: Instant) -> anyhow::Result<Exit> {
    let (mut session, mut signals) = Session::attach(&mut plan, started, "tracing, Ctrl-C ends")?;
    privileges::give_back()?;
    session.left = plan.command.count;
    let end = async {
        tokio::select! {
            _ = signals.next() => {}
            () = expire(plan.command.timeout) => {}
        }
    };
    let so_far = until(&mut session, end).await;
    session.finish(so_far).await?;
    Ok(session.exit(Exit::Done))
}

/// Shows events until `end`, or until there are enough of them.
async fn until<S: Source>(
    session: &mut Session<S>,
    end: impl Future<Output = ()>,
) -> Result<(), Error> {
    tokio::pin!(end);
    while !session.is_full() {
        tokio::select! {
            biased;
            () = &mut end => break,
            step = session.step() => step?,
        }
    }
    Ok(())
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
