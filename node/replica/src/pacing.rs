//! The pacer of one neighbour: when it is pushed news, and when a round of gossip begins.
//!
//! A round begins whenever the last one ended [`IDLE_ROUND`] ago, and at once, when there is news, unless a push takes
//! its place. One at a time, pushes a push gap apart, and rounds [`ROUND_GAP`] unless the last delta was full. A question
//! of ours is asked by a round.
//!
//! Under load there are no pushes, rounds are [`BUSY_ROUND_GAP`] apart, the side that connects the link begins them, and
//! they make way for those of other links (`crate::rounds`).

use std::time::{Duration, Instant};

use crate::given_up::GivenUp;
use crate::incarnation::Incarnation;
use crate::push::{Channel, Comparison, Pushed};
use crate::report::AppliedReport;
use crate::timing::{
    BUSY_ROUND_GAP, BUSY_TURN_GAP, FRUITLESS_ROUNDS_MAX, FULL_DELTA_BYTES, IDLE_ROUND, PUSH_GAP,
    ROUND_GAP,
};

#[cfg(test)]
mod tests;

/// What the pacer sees of its link.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkView<'a> {
    /// The neighbour's last report, if it has reported.
    pub report: Option<&'a AppliedReport>,
    /// Until when the link is busy, if it is.
    pub busy_until: Option<Instant>,
    /// When the neighbour last began a round.
    pub theirs_last_began: Option<Instant>,
    /// Rises when either side has merged something.
    pub progress: u64,
}

/// What the pacer does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Waits for news, until then at most; then says [`Pacing::note_woken`].
    Rest {
        /// The time.
        until: Instant,
    },
    /// Waits until then.
    Sleep {
        /// The time.
        until: Instant,
    },
    /// Pushes; then says [`Pacing::note_push`] or [`Pacing::note_no_news`].
    Push,
    /// Begins a round; then says [`Pacing::note_round`].
    Round,
}

/// How a round went.
#[derive(Clone, Copy, Debug)]
pub struct RoundEnd {
    /// It was answered before the link was lost; `None` if it was given up.
    pub answered: Option<bool>,
    /// What it went over.
    pub channel: Channel,
    /// The size of the larger delta of both ways.
    pub delta_bytes: usize,
    /// Rises when either side has merged something.
    pub progress: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Rest,
    Push,
    Round,
    /// The last round's delta was full: another one follows.
    RoundAgain,
}

/// See the module.
#[derive(Debug)]
pub struct Pacing {
    /// Whether this server is the one of the two that connects.
    dials: bool,
    turn: Turn,
    last_start: Instant,
    last_end: Instant,
    last_push: Instant,
    pushed: Pushed,
    given_up: GivenUp,
    /// Rounds in a row whose deltas were full and brought nothing.
    fruitless_rounds: u32,
    progress_before: u64,
}

impl Pacing {
    /// Nothing was sent to the neighbour yet.
    pub fn new(dials: bool, now: Instant) -> Self {
        Pacing {
            dials,
            turn: Turn::Rest,
            last_start: now,
            last_end: now,
            last_push: now,
            pushed: Pushed::default(),
            given_up: GivenUp::default(),
            fruitless_rounds: 0,
            progress_before: 0,
        }
    }

    /// What to do now.
    pub fn next(&mut self, now: Instant, link: LinkView<'_>) -> Step {
        if self.turn == Turn::Push {
            let until = self.last_push + self.push_gap(link.report);
            if now < until {
                return Step::Sleep { until };
            }
            self.turn = Turn::Round;
            if link.busy_until.is_none() {
                self.last_push = now;
                return Step::Push;
            }
        }
        match self.turn {
            Turn::Rest | Turn::Push => Step::Rest {
                until: self.last_end + IDLE_ROUND,
            },
            Turn::Round => match self.round_waits_until(now, link) {
                Some(until) => Step::Sleep { until },
                None => {
                    self.fruitless_rounds = 0;
                    self.begin_round(now, link)
                }
            },
            Turn::RoundAgain => self.begin_round(now, link),
        }
    }

    fn begin_round(&mut self, now: Instant, link: LinkView<'_>) -> Step {
        self.last_start = now;
        self.progress_before = link.progress;
        Step::Round
    }

    /// There is news for the neighbour, or it is time for a round. `is_asked` says that it has a question of ours to
    /// answer.
    pub fn note_woken(&mut self, by_news: bool, is_asked: bool, now: Instant) {
        let is_push = by_news && !is_asked && now < self.last_end + IDLE_ROUND;
        self.turn = if is_push { Turn::Push } else { Turn::Round };
    }

    /// From one push to the next: whoever waits for the neighbour sends nothing new before it has reported the last push.
    fn push_gap(&mut self, report: Option<&AppliedReport>) -> Duration {
        if let Some(report) = report {
            self.pushed.note_report(report);
        }
        if self.pushed.has_arrived() {
            PUSH_GAP
        } else {
            ROUND_GAP
        }
    }

    /// Until when the next round waits; `None` if it is due.
    fn round_waits_until(&self, now: Instant, link: LinkView<'_>) -> Option<Instant> {
        let gap_until = self.last_start + ROUND_GAP;
        if now < gap_until {
            return Some(gap_until);
        }
        let busy_until = link.busy_until?;
        let gap_until = self.last_start + BUSY_ROUND_GAP;
        if now < gap_until {
            return Some(gap_until);
        }
        if self.dials {
            return None;
        }
        // The other side begins them. As long as it does, what we have crosses with its rounds.
        let turn_until = busy_until.min(link.theirs_last_began? + BUSY_TURN_GAP);
        (now < turn_until).then_some(turn_until)
    }

    /// Whether news may be pushed to a neighbour that has reported this; if not, it is up to a round.
    pub fn may_push(&mut self, report: &AppliedReport, channel: Channel) -> bool {
        self.pushed.note_report(report);
        self.pushed.may_push(channel)
    }

    /// The version of what `incarnation` publishes that the neighbour has; see [`Pushed::presumed`].
    pub fn presumed(
        &self,
        report: &AppliedReport,
        neighbour: &Incarnation,
        incarnation: &Incarnation,
    ) -> Option<u64> {
        self.pushed.presumed(report, neighbour, incarnation)
    }

    /// There was nothing to push: the neighbour has all.
    pub fn note_no_news(&mut self) {
        self.turn = Turn::Rest;
    }

    /// A push is on its way, if `sent` says so; `None` if it was given up. If not all that there is has gone out, it is
    /// up to a round.
    pub fn note_push(
        &mut self,
        sent: Option<bool>,
        delta_bytes: usize,
        comparison: &Comparison,
        connection: u64,
        now: Instant,
    ) {
        if sent.is_none() {
            self.given_up.note(connection, now);
        }
        if sent == Some(true) && delta_bytes < FULL_DELTA_BYTES {
            self.pushed.note_pushed(comparison);
            self.turn = Turn::Rest;
        } else {
            self.pushed.forget();
        }
    }

    /// A round is over. Returns whether the neighbour has answered what it was asked by it.
    pub fn note_round(&mut self, end: RoundEnd, now: Instant) -> bool {
        self.last_end = now;
        let connection = end.channel.connection;
        if end.answered.is_none() {
            self.given_up.note(connection, now);
        }
        let is_answered = end.answered == Some(true);
        let is_full = end.delta_bytes >= FULL_DELTA_BYTES;
        if is_answered && !is_full {
            self.pushed.note_round(end.channel);
        } else {
            self.pushed.forget();
        }
        // A peer that sends the same full delta for ever must not keep both sides busy.
        self.fruitless_rounds = match end.progress == self.progress_before {
            true => self.fruitless_rounds + 1,
            false => 0,
        };
        // If it is full, it woke the pacer of the side that connected the link.
        let goes_on = is_answered && is_full && self.dials;
        self.turn = match goes_on && self.fruitless_rounds <= FRUITLESS_ROUNDS_MAX {
            true => Turn::RoundAgain,
            false => Turn::Rest,
        };
        is_answered && !self.given_up.may_be_answered(connection, now)
    }
}
