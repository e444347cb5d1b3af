//! The pacer: when a round of gossip begins on a link.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep_until, timeout};

use tracing::trace;

use super::engine::{Engine, EngineError};
use super::links::Links;
use super::neighbour::Neighbour;
use super::timing::{
    BUSY_ROUND_GAP, BUSY_TURN_GAP, BUSY_TURN_MAX, FRUITLESS_ROUNDS_MAX, FULL_DELTA_BYTES,
    IDLE_ROUND, LARGE_DELTA_BYTES, ROUND_GAP, ROUND_TIMEOUT,
};

/// Begins rounds with `neighbour` for as long as the engine runs: at once when there is news, at
/// least every [`IDLE_ROUND`] when there is none, one at a time, [`ROUND_GAP`] apart unless the last
/// delta was full. Under load they are [`BUSY_ROUND_GAP`] apart, and one side of the link begins them.
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
    let applied = links.applied();
    // Rises when either side has merged something.
    let progress = || {
        neighbour
            .progress()
            .wrapping_add(applied.borrow().progress())
    };
    let mut status = neighbour.status();
    let mut last_start = Instant::now();
    let mut is_busy = false;
    loop {
        // The sender lives in the neighbour, which we hold.
        let _ = status.wait_for(|status| status.gossips).await;
        // Kicked or idle: a round is due either way.
        let _ = timeout(IDLE_ROUND, neighbour.kicked()).await;
        turn(&neighbour, last_start, is_busy).await;
        let mut fruitless_rounds = 0;
        loop {
            last_start = Instant::now();
            let progress_before = progress();
            let ended = round(&neighbour, &engine).await?;
            let delta_bytes = neighbour.take_delta_bytes();
            is_busy = delta_bytes >= LARGE_DELTA_BYTES;
            if !ended || delta_bytes < FULL_DELTA_BYTES {
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

/// Resolves when the next round may begin.
async fn turn(neighbour: &Neighbour, last_start: Instant, is_busy: bool) {
    if !is_busy {
        sleep_until(last_start + ROUND_GAP).await;
        return;
    }
    sleep_until(last_start + BUSY_ROUND_GAP).await;
    let latest = Instant::now() + BUSY_TURN_MAX;
    while let Some(theirs) = neighbour.their_round()
        && Instant::now() < (theirs + BUSY_TURN_GAP).min(latest)
    {
        sleep_until((theirs + BUSY_TURN_GAP).min(latest)).await;
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
