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
        // Kicked or idle: a round is due either way. What the neighbour has for us kicks nobody here.
        let idle = if links.rounds.is_busy(name) && neighbour.config.dials {
            BUSY_ROUND_GAP
        } else {
            IDLE_ROUND
        };
        let _ = timeout(idle, neighbour.kicked()).await;
        turn(&neighbour, &links, last_start).await;
        let mut fruitless_rounds = 0;
        loop {
            last_start = Instant::now();
            let progress_before = progress();
            let underway = links.rounds.own(name);
            let ended = round(&neighbour, &engine).await?;
            drop(underway);
            let is_full = neighbour.take_delta_bytes() >= FULL_DELTA_BYTES;
            // If it is, the neighbour sees that too in the next round that it begins.
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

/// Resolves when the next round may begin.
async fn turn(neighbour: &Neighbour, links: &Links, last_start: Instant) {
    let name = &neighbour.config.name;
    sleep_until(last_start + ROUND_GAP).await;
    if links.rounds.is_busy(name) {
        sleep_until(last_start + BUSY_ROUND_GAP).await;
        if !neighbour.config.dials {
            let latest = Instant::now() + BUSY_TURN_GAP;
            while let Some(theirs) = links.rounds.theirs_last_began(name)
                && Instant::now() < (theirs + BUSY_TURN_GAP).min(latest)
            {
                sleep_until((theirs + BUSY_TURN_GAP).min(latest)).await;
            }
        }
        links.rounds.others_are_over(name).await;
    }
    links.rounds.theirs_is_over(name).await;
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
