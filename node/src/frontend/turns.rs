//! In what order connections get the processor: those that ask for little come first.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

/// Turns that a thread gives between two looks at who else wants something. With one alone, when turns were counted
/// over all reads, who pipelines deeply lost a fifth of the throughput.
const TURNS_PER_LOOK: usize = 4;

/// The turns of connections that ask for much: a few at a time, one after the other, and behind everybody else who
/// has something to do. So one command waits for a few such turns, however many connections have sent much at a time;
/// what a read brings up to a turn's commands is executed at once.
pub(super) struct Turns {
    heavy: Arc<Semaphore>,
}

impl Turns {
    /// For connections that so many threads serve.
    pub(super) fn new(threads: usize) -> Self {
        Turns {
            heavy: Arc::new(Semaphore::new(TURNS_PER_LOOK * threads.max(1))),
        }
    }

    /// Waits for a turn, which is over when what this returns is dropped. Nothing is to be waited for in it.
    pub(super) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        let turn = Arc::clone(&self.heavy).acquire_owned().await.ok();
        // Sockets are looked at before this resolves, and whoever can go on goes first. Others of these are not
        // among them: they wait for this turn to end.
        yield_now().await;
        turn
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn who_asks_for_little_waits_for_a_few_turns_however_many_ask_for_much() {
        const MANY: usize = 100;
        const TURNS: usize = 10;
        let turns = Arc::new(Turns::new(1));
        let taken = Arc::new(AtomicUsize::new(0));
        let mut heavy = JoinSet::new();
        for _ in 0..MANY {
            let (turns, taken) = (turns.clone(), taken.clone());
            heavy.spawn(async move {
                for _ in 0..TURNS {
                    let _turn = turns.next().await;
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut taken_before = 0;
        while taken_before < MANY * TURNS {
            yield_now().await;
            let taken_now = taken.load(Ordering::Relaxed);
            let turns = taken_now - taken_before;
            assert!(turns <= TURNS_PER_LOOK, "{turns}");
            taken_before = taken_now;
        }
        while let Some(ended) = heavy.join_next().await {
            ended.unwrap();
        }
    }
}
