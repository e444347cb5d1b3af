//! The pacer: when a round of gossip begins on a link, and when a push takes its place.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use tracing::trace;

use super::engine::Engine;
use super::given_up::GivenUp;
use super::links::Links;
use super::neighbour::{LinkStatus, Neighbour};
use super::push::{Channel, Pushed};
use super::syn_ack::syn_ack;
use super::timing::{
    BUSY_ROUND_GAP, BUSY_TURN_GAP, FRUITLESS_ROUNDS_MAX, FULL_DELTA_BYTES, IDLE_ROUND, PUSH_GAP,
    ROUND_GAP, ROUND_TIMEOUT,
};

/// Brings news to `neighbour` for as long as the engine runs, and fetches its news: by a round whenever the last one ended
/// [`IDLE_ROUND`] ago, and at once, when there is news, by a push or else a round. One at a time, pushes `push_gap`
/// apart, and rounds [`ROUND_GAP`] unless the last delta was full. A question of ours is asked by a round. No round begins
/// while one of the neighbour's is under way.
///
/// Under load there are no pushes, rounds are [`BUSY_ROUND_GAP`] apart, the side that connects the link begins them, and
/// they make way for those of other links.
///
/// Rounds that overlapped would carry the same digest, and be answered with the same delta again.
pub async fn pace(neighbour: Arc<Neighbour>, engine: Arc<Engine>, links: Arc<Links>) {
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
    let mut last_end = last_start;
    let mut last_push = last_start;
    let mut pushed = Pushed::default();
    let mut given_up = GivenUp::default();
    loop {
        // The sender lives in the neighbour, which we hold.
        let _ = status.wait_for(|status| status.gossips).await;
        let round_due = last_end + IDLE_ROUND;
        let kicked = timeout_at(round_due, neighbour.kicked()).await.is_ok();
        let is_asked = links.question() > neighbour.answered();
        if kicked && !is_asked && Instant::now() < round_due {
            sleep_until(last_push + push_gap(&neighbour, &mut pushed)).await;
            if links.rounds.busy_until(name).is_none() {
                last_push = Instant::now();
                if push(&neighbour, &engine, &links, &mut pushed, &mut given_up).await {
                    continue;
                }
            }
        }
        due(&neighbour, &links, last_start).await;
        let mut fruitless_rounds = 0;
        loop {
            last_start = Instant::now();
            let progress_before = progress();
            let underway = links.rounds.begin_own(name).await;
            let channel = channel(&neighbour);
            let question = links.question();
            let ended = round(&neighbour, &engine).await;
            drop(underway);
            last_end = Instant::now();
            let ended = ended.unwrap_or_else(|| {
                given_up.note(channel.connection, last_end);
                false
            });
            let is_its_answer = ended && !given_up.may_be_answered(channel.connection, last_end);
            if is_its_answer && question > neighbour.answered() {
                neighbour.note_answered(question);
                links.note_report();
            }
            let is_full = neighbour.take_delta_bytes() >= FULL_DELTA_BYTES;
            if ended && !is_full {
                pushed.note_round(channel);
            } else {
                pushed.forget();
            }
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

/// From one push to the next: whoever waits for the neighbour sends nothing new before it has reported the last push.
fn push_gap(neighbour: &Neighbour, pushed: &mut Pushed) -> Duration {
    if let Some(report) = neighbour.report() {
        pushed.note_report(&report);
    }
    if pushed.has_arrived() {
        PUSH_GAP
    } else {
        ROUND_GAP
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

/// The connection of the neighbour as it is now.
fn channel(neighbour: &Neighbour) -> Channel {
    Channel {
        connection: neighbour.status().borrow().connection,
        dropped: neighbour.counts.messages_dropped.load(Ordering::Relaxed),
    }
}

/// Sends news to the neighbour without asking it; says whether all that there is has gone out. If not, it is up to a
/// round.
async fn push(
    neighbour: &Neighbour,
    engine: &Engine,
    links: &Links,
    pushed: &mut Pushed,
    given_up: &mut GivenUp,
) -> bool {
    let Some(report) = neighbour.report() else {
        return false;
    };
    pushed.note_report(&report);
    let ack = NextAck::of(neighbour);
    let connection = ack.connection;
    let Some(up) = ack.status.borrow().up.clone() else {
        return false;
    };
    if !pushed.may_push(channel(neighbour)) {
        return false;
    }
    let presumed = |incarnation: &_| pushed.presumed(&report, &up, incarnation);
    let Some(comparison) = engine.compare(presumed).await else {
        return false;
    };
    if !comparison.has_news() {
        return true;
    }
    let Some(syn_ack) = syn_ack(&comparison) else {
        return false;
    };
    neighbour.counts.pushes.fetch_add(1, Ordering::Relaxed);
    links.inbox.hand_in(neighbour.gossip_address, syn_ack).await;
    let sent = ack.sent().await;
    trace!(neighbour = %neighbour.config.name, ?sent, "push");
    if sent.is_none() {
        given_up.note(connection, Instant::now());
    }
    let is_all = sent == Some(true) && neighbour.take_delta_bytes() < FULL_DELTA_BYTES;
    if is_all {
        pushed.note_pushed(&comparison);
    } else {
        pushed.forget();
    }
    is_all
}

/// One round; says whether it was answered before the link was lost, or `None` if it was given up.
async fn round(neighbour: &Neighbour, engine: &Engine) -> Option<bool> {
    let ack = NextAck::of(neighbour);
    neighbour.counts.rounds.fetch_add(1, Ordering::Relaxed);
    let started = Instant::now();
    engine.begin_round(&neighbour.config.name).await;
    let ended = ack.sent().await;
    trace!(neighbour = %neighbour.config.name, took_us = started.elapsed().as_micros(), ?ended, "round");
    if ended.is_none() {
        neighbour
            .counts
            .rounds_timed_out
            .fetch_add(1, Ordering::Relaxed);
    }
    ended
}

/// The ACK that is to come next, which ends a round or is a push.
struct NextAck {
    acks: watch::Receiver<u64>,
    status: watch::Receiver<LinkStatus>,
    connection: u64,
}

impl NextAck {
    fn of(neighbour: &Neighbour) -> Self {
        let status = neighbour.status();
        let connection = status.borrow().connection;
        NextAck {
            acks: neighbour.acks(),
            status,
            connection,
        }
    }

    /// Waits until it is on its way, which is true, or the link is lost before; `None` if neither happens within
    /// [`ROUND_TIMEOUT`].
    async fn sent(mut self) -> Option<bool> {
        let connection = self.connection;
        let over = async {
            tokio::select! {
                biased;
                _ = self.acks.changed() => true,
                _ = self.status.wait_for(|status| !status.gossips || status.connection != connection) => false,
            }
        };
        timeout(ROUND_TIMEOUT, over).await.ok()
    }
}
