//! Two threads that write the same key at the same time.

use std::{sync::Barrier, thread};

use anyhow::{Context as _, Result, anyhow};
use nix::sched::CloneFlags;

use super::{
    actor,
    buffer::Buffer,
    create,
    exactness::Run,
    file::KeyFile,
    keys::Key,
    log::{Race, Record, Window, Write},
    process::in_child,
    sys,
};

/// Writes of each thread.
const EACH: u64 = 30;

/// Races for a plain number, and for a key whose function the kernel may start again.
pub fn all(run: &Run<'_>) -> Result<()> {
    in_child("a race", || {
        create::by_unshare(run, CloneFlags::CLONE_NEWNET)?;
        // No two writes have the same value, so that each can be told by it.
        race(run, 1, "net/core/somaxconn", |thread, number| {
            1000 * (thread + 1) + number
        })?;
        race(run, 2, "net/ipv4/ip_forward", |thread, number| {
            (thread + number) % 2
        })
    })
}

fn race(run: &Run<'_>, id: u32, path: &str, value: fn(u64, u64) -> u64) -> Result<()> {
    let key = Key::known(path);
    let file = KeyFile::open(&key)?;
    let text = || file.text()?.context("a key that can be read");
    let first = text()?;
    let start = Barrier::new(2);
    let writes = thread::scope(|scope| {
        let threads = [0, 1].map(|thread| {
            let (key, start) = (&key, &start);
            scope.spawn(move || one_side(key, start, |number| value(thread, number)))
        });
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .map_err(|_| anyhow!("a racing thread panicked"))?
            })
            .collect::<Result<Vec<Vec<Write>>>>()
    })?;
    let last = text()?;
    for mut write in writes.into_iter().flatten() {
        write.race = Some(id);
        run.log.add(&Record::Write(Box::new(write)))?;
    }
    run.log.add(&Record::Race(Race { id, first, last }))
}

fn one_side(key: &Key, start: &Barrier, value: impl Fn(u64) -> u64) -> Result<Vec<Write>> {
    let file = KeyFile::open(key)?;
    let actor = actor::current()?;
    let buffers: Vec<Buffer> = (0..EACH)
        .map(|number| Buffer::ready(value(number).to_string().as_bytes()))
        .collect();
    let mut answers = Vec::with_capacity(buffers.len());
    start.wait();
    for buffer in &buffers {
        let from_ns = sys::boottime_ns()?;
        let answer = file.raw_pwrite(buffer, 0);
        answers.push((
            Window {
                from_ns,
                to_ns: sys::boottime_ns()?,
            },
            answer,
        ));
    }
    let written = buffers.iter().zip(answers);
    Ok(written
        .map(|(buffer, (window, answer))| {
            file.record(
                actor.clone(),
                window,
                "pwrite in a race".into(),
                0,
                buffer,
                answer,
            )
        })
        .collect())
}
