//! The pacer's task of one neighbour: waits as [`Pacing`] says, pushes and begins rounds.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::trace;

use super::now;
use herd_gossip::engine::Engine;
use herd_gossip::links::Links;
use herd_gossip::neighbour::{LinkStatus, Neighbour};
use herd_replica::pacing::{LinkView, Pacing, RoundEnd, Step};
use herd_replica::push::Channel;
use herd_replica::timing::ROUND_TIMEOUT;

/// Brings news to `neighbour` for as long as the engine runs, and fetches its news. No round begins while one of the
/// neighbour's is under way: rounds that overlapped would carry the same digest, and be answered with the same delta
/// again.
pub(crate) async fn pace(neighbour: Arc<Neighbour>, engine: Arc<Engine>, links: Arc<Links>) {
    let mut task = PacerTask {
        pacing: Pacing::new(neighbour.config.dials, now()),
        neighbour,
        engine,
        links,
    };
    let mut status = task.neighbour.status();
    loop {
        match task.next() {
            Step::Rest { until } => {
                // The sender lives in the neighbour, which we hold.
                let _ = status.wait_for(|status| status.gossips).await;
                let by_news = timeout_at(until.into(), task.neighbour.kicked())
                    .await
                    .is_ok();
                let is_asked = task.links.question() > task.neighbour.answered();
                task.pacing.note_woken(by_news, is_asked, now());
            }
            Step::Sleep { until } => sleep_until(until.into()).await,
            Step::Push => task.push().await,
            Step::Round => task.round().await,
        }
    }
}

struct PacerTask {
    pacing: Pacing,
    neighbour: Arc<Neighbour>,
    engine: Arc<Engine>,
    links: Arc<Links>,
}

impl PacerTask {
    fn next(&mut self) -> Step {
        let name = &self.neighbour.config.name;
        let report = self.neighbour.report();
        let view = LinkView {
            report: report.as_deref(),
            busy_until: self.links.rounds.busy_until(name).map(Instant::into_std),
            theirs_last_began: (self.links.rounds.theirs_last_began(name)).map(Instant::into_std),
            progress: self.progress(),
        };
        self.pacing.next(now(), view)
    }

    /// Rises when either side has merged something.
    fn progress(&self) -> u64 {
        let own = self.links.applied_progress();
        self.neighbour.progress().wrapping_add(own)
    }

    /// The connection of the neighbour as it is now.
    fn channel(&self) -> Channel {
        let dropped = &self.neighbour.counts.messages_dropped;
        Channel {
            connection: self.neighbour.status().borrow().connection,
            dropped: dropped.load(Ordering::Relaxed),
        }
    }

    /// Sends news to the neighbour without asking it.
    async fn push(&mut self) {
        let neighbour = &self.neighbour;
        let ack = NextAck::of(neighbour);
        let connection = ack.connection;
        let up = ack.status.borrow().up.clone();
        let (Some(report), Some(up)) = (neighbour.report(), up) else {
            return;
        };
        let channel = self.channel();
        if !self.pacing.may_push(&report, channel) {
            return;
        }
        let presumed = |incarnation: &_| self.pacing.presumed(&report, &up, incarnation);
        let Some(comparison) = self.engine.compare(presumed).await else {
            return;
        };
        if !comparison.has_news() {
            self.pacing.note_no_news();
            return;
        }
        if !self.links.push(neighbour, &comparison).await {
            return;
        }
        let sent = ack.sent().await;
        trace!(neighbour = %neighbour.config.name, ?sent, "push");
        // What a round before left is this one's too, unless it was sent whole.
        let delta_bytes = match sent {
            Some(true) => neighbour.take_delta_bytes(),
            _ => 0,
        };
        self.pacing
            .note_push(sent, delta_bytes, &comparison, connection, now());
    }

    /// One round, once no other is in its way.
    async fn round(&mut self) {
        let neighbour = &self.neighbour;
        let underway = self.links.rounds.begin_own(&neighbour.config.name).await;
        let (channel, question) = (self.channel(), self.links.question());
        let ack = NextAck::of(neighbour);
        let counts = &neighbour.counts;
        counts.rounds.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        self.engine.begin_round(&neighbour.config.name).await;
        let answered = ack.sent().await;
        drop(underway);
        let took_us = started.elapsed().as_micros() as u64;
        trace!(neighbour = %neighbour.config.name, took_us, ?answered, "round");
        if answered.is_none() {
            counts.rounds_timed_out.fetch_add(1, Ordering::Relaxed);
        }
        let end = RoundEnd {
            answered,
            channel,
            delta_bytes: neighbour.take_delta_bytes(),
            progress: self.progress(),
        };
        let is_answered = self.pacing.note_round(end, now());
        if is_answered && question > neighbour.answered() {
            neighbour.note_answered(question);
            self.links.note_report();
        }
    }
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
