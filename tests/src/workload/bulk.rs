//! Random writes of every kind, until there are enough.

use anyhow::Result;
use nix::sched::CloneFlags;

use super::{
    create,
    exactness::Run,
    file::{KeyFile, Method},
    keys::{KEYS, Known, Place},
    process::in_child,
    uring::Ring,
};

/// How many writes each process makes.
const EACH: u64 = 30;

/// Writes until the log holds this many, in processes that are in turn in a network namespace of
/// their own and in the node's.
pub fn until(run: &mut Run<'_>, writes: u64) -> Result<()> {
    let mut number = 0;
    loop {
        let done = run.log.totals().writes;
        if done >= writes {
            return Ok(());
        }
        let count = EACH.min(writes - done);
        let own_netns = number % 2 == 0;
        // Each process has numbers of its own, or all would write the same.
        let mut random = run.random.fork();
        let run = &*run;
        in_child("random writes", || {
            if own_netns {
                create::by_unshare(run, CloneFlags::CLONE_NEWNET)?;
            }
            let keys: Vec<&Known> = KEYS
                .iter()
                .filter(|known| (known.place == Place::EachNetns) == own_netns)
                .collect();
            let mut ring = Ring::new()?;
            for _ in 0..count {
                let known = keys[random.usize(..keys.len())];
                let mut text = known.values.pick(&mut random).into_bytes();
                if random.bool() {
                    text.push(b'\n');
                }
                let cuts = vec![random.usize(..=text.len())];
                let file = KeyFile::open(&known.key())?;
                let method = match random.u8(..10) {
                    0 | 1 => Method::Write,
                    2 => Method::Pwrite(0),
                    3 => Method::Pwrite(random.u64(1..=8)),
                    4 => Method::Writev(cuts),
                    5 => Method::Pwritev(cuts, 0),
                    6 => Method::Splice,
                    7 => Method::SplicePages(cuts),
                    _ => Method::Ring(&mut ring, 0),
                };
                file.write_text(run.log, &text, method)?;
            }
            Ok(())
        })?;
        number += 1;
    }
}
