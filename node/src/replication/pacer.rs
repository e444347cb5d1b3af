//! The pacer: when a round of gossip begins on a link.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep_until, timeout};

use tracing::trace;

use super::engine::{Engine, EngineError};
use super::links::Links;
use super::neighbour::Neighbour;
use super::timing::{
    BUSY_ROUND_GAP, BUSY_TURN_GAP, FRUITLESS_ROUNDS_MAX, FULL_DELTA_BYTES, IDLE_ROUND, ROUND_GAP,
    ROUND_TIMEOUT,
};

/// Begins rounds with `neighbour` for as long as the engine runs: at once when there is news, at
/// least every [`IDLE_ROUND`] when there is none, one at a time, [`ROUND_GAP`] apart unless the last
/// delta was full. None begins while one of the neighbour's is under way.
///
/// Under load they are [`BUSY_ROUND_GAP`] apart, the side that connects the link begins them, and they make
/// way for those of other links.
///
/// Rounds that overlapped would carry the same digest, and be answered with the same delta again.
///
/// # Errors
/// When the engine has ended; it never returns otherwise.
pub async fn pace(
    neighbour: Arc<Neighbour>,
    engine: Arc<Engine>,
    links: Arc<Links>,
) -> Result<(), EngineError> {
    let name = &neighbour.config.name;
    let applied = links.applied();
    // Rises when either side has merged something.
    let progress = || {
        neighbour
            .progress()
            .wrapping_add(applied.borrow().progress())
    };
    let mut status = neighbour.status();
    let mut last_start = Instant::now();
    loop {
        // The sender lives in the neighbour, which we hold.
        let _ = status.wait_for(|status| status.gossips).await;
        // Kicked or idle: a round is due either way.
        let _ = timeout(IDLE_ROUND, neighbour.kicked()).await;
        due(&neighbour, &links, last_start).await;
        let mut fruitless_rounds = 0;
        loop {
            last_start = Instant::now();
            let progress_before = progress();
            let underway = links.rounds.begin_own(name).await;
            let ended = round(&neighbour, &engine).await?;
            drop(underway);
            let is_full = neighbour.take_delta_bytes() >= FULL_DELTA_BYTES;
            // If it is, it kicked the pacer of the side that connected the link.
            if !ended || !is_full || !neighbour.config.dials {
                break;
            }
            // A peer that sends the same full delta for ever must not keep both sides busy.
            fruitless_rounds = if progress() == progress_before {
                fruitless_rounds + 1
            } else {
                0
            };
            if fruitless_rounds > FRUITLESS_ROUNDS_MAX {
                break;
            }
        }
    }
}

/// Resolves when the next round is due.
async fn due(neighbour: &Neighbour, links: &Links, last_start: Instant) {
    let name = &neighbour.config.name;
    sleep_until(last_start + ROUND_GAP).await;
    if links.rounds.busy_until(name).is_some() {
        sleep_until(last_start + BUSY_ROUND_GAP).await;
    }
    if neighbour.config.dials {
        return;
    }
    // The other side begins them. As long as it does, what we have crosses with its rounds.
    while let Some(busy_until) = links.rounds.busy_until(name)
        && let Some(theirs) = links.rounds.theirs_last_began(name)
        && let until = busy_until.min(theirs + BUSY_TURN_GAP)
        && Instant::now() < until
    {
        sleep_until(until).await;
    }
}

/// One round; says whether it ended in time.
async fn round(neighbour: &Neighbour, engine: &Engine) -> Result<bool, EngineError> {
    let mut rounds_over = neighbour.rounds_over();
    let mut status = neighbour.status();
    let connection = status.borrow().connection;
    neighbour.counts.rounds.fetch_add(1, Ordering::Relaxed);
    let started = Instant::now();
    neighbour.grant_syn();
    engine.begin_round(&neighbour.config.name)?;
    let over = timeout(ROUND_TIMEOUT, async {
        tokio::select! {
            _ = rounds_over.changed() => true,
            _ = status.wait_for(|status| !status.gossips || status.connection != connection) => false,
        }
    });
    let over = over.await;
    trace!(neighbour = %neighbour.config.name, took_us = started.elapsed().as_micros(), ended = ?over, "round");
    match over {
        Ok(ended) => Ok(ended),
        Err(_) => {
            neighbour
                .counts
                .rounds_timed_out
                .fetch_add(1, Ordering::Relaxed);
            Ok(false)
        }
    }
}
