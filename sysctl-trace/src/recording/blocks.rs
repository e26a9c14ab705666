//! Work on the blocks of a file on all processors, its results in the order of the file.

use std::{
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

/// More processors than this would wait for memory.
const THREADS_MAX: usize = 8;

/// Results of one processor that may wait for those before them.
const WAITING_MAX: usize = 2;

enum Part<T, E> {
    Of(T),
    EndOfBlock,
    Failed(E),
}

/// The receiver is gone: somebody failed, and nothing more is wanted.
#[derive(Debug)]
pub(super) struct Unwanted;

/// Takes results; an error where no more are wanted.
pub(super) type Give<'g, T> = &'g mut dyn FnMut(T) -> Result<(), Unwanted>;

/// Does `work` on each block; `take` gets what it gives, in the order of the blocks. A worker has its
/// own `W` from one block to the next.
pub(super) fn in_order<T, E, W>(
    blocks: usize,
    work: impl Fn(&mut W, usize, Give<'_, T>) -> Result<(), E> + Sync,
    mut take: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E>
where
    T: Send,
    E: Send,
    W: Default,
{
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let threads = processors.min(THREADS_MAX).min(blocks);
    let work = &work;
    thread::scope(|scope| {
        let workers: Vec<Receiver<Part<T, E>>> = (0..threads)
            .map(|first| {
                let (sender, receiver) = sync_channel(WAITING_MAX);
                scope.spawn(move || {
                    let mut own = W::default();
                    for block in (first..blocks).step_by(threads) {
                        let mut give = |part| sender.send(Part::Of(part)).map_err(|_| Unwanted);
                        let end = match work(&mut own, block, &mut give) {
                            Ok(()) => Part::EndOfBlock,
                            Err(error) => Part::Failed(error),
                        };
                        if sender.send(end).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for block in 0..blocks {
            // A worker that is gone has told why, or panicked, which the scope passes on.
            while let Ok(part) = workers[block % threads].recv() {
                match part {
                    Part::Of(part) => take(block, part)?,
                    Part::EndOfBlock => break,
                    Part::Failed(error) => return Err(error),
                }
            }
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
