//! Which time the floor follows.
//!
//! A floor that was raised too far cannot fall again, and takes unexpired records with it. So it
//! follows this server's own wall clock only as far as something else bears the clock out:
//!
//! - the middle of the connected neighbours' clocks, so that one wrong clock does not count;
//! - the time **borne out**. It passes with the monotonic clock, which does not jump. It leaps forwards
//!   only to times that clients have reported ([`herd_locations::Locations::time_borne_out`]), since
//!   all servers may have taken their time from one source that is wrong. After a start it goes on from
//!   the stored floor.
//!
//! A clock that is behind is followed as it is: then records leave late, and none is lost.

use std::time::Duration;

use tokio::time::Instant;

/// A wall clock that differs from the monotonic one by more than this since the last look has jumped.
/// Less is how clocks are set right in small steps.
pub const JUMP_MIN: Duration = Duration::from_secs(1);

/// Small steps forwards of the wall clock are followed up to this part of the time since the last look, and up to
/// [`JUMP_MIN`]. So a clock that runs too fast carries the floor along by no more than that.
pub const STEP_SHARE: u32 = 16;

/// How long after a jump of our own clock the neighbours' clocks are not counted: they are known by
/// their difference from ours, which may be from before the jump. A link that is up has told anew by
/// then (`LINK_SILENCE_MAX`).
pub const OFFSETS_SETTLE: Duration = Duration::from_secs(3);

/// How long a server that has started waits for a neighbour's clock before it goes on without one.
pub const FIRST_CLOCKS_WAIT: Duration = Duration::from_secs(60);

/// The wall clock has jumped, by this number of nanoseconds; backwards if negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump(pub i128);

impl Jump {
    /// Whether it went backwards.
    #[must_use]
    pub fn is_backwards(self) -> bool {
        self.0 < 0
    }

    /// How far, in seconds.
    #[must_use]
    pub fn seconds(self) -> i128 {
        self.0 / 1_000_000_000
    }
}

/// The result of a look at the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The time that nothing speaks against, in nanoseconds since the epoch; `None` while neighbours
    /// are waited for, or nothing bears any time out.
    pub believed_ns: Option<i64>,
    /// The wall clock has jumped since the last look.
    pub jump: Option<Jump>,
    /// The clocks are ahead of the time borne out: the reports of clients are to be looked at, and
    /// [`FloorClock::bear_out`] called with it.
    pub asks_clients: bool,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    at: Instant,
    wall_ns: i64,
    /// The time by the wall clocks, this server's and the neighbours'.
    clocks_ns: Option<i64>,
}

/// See the module. Pure: all clocks come in as arguments.
#[derive(Debug)]
pub struct FloorClock {
    /// Until then neighbours are waited for; `None` once one was heard or the wait is over.
    first_clocks_until: Option<Instant>,
    last: Option<Last>,
    offsets_count_from: Instant,
    /// The time borne out, and when it was so.
    borne: Option<(Instant, i64)>,
}

impl FloorClock {
    /// A server that starts `now`, and that has neighbours in its topology or has none. `borne_ns` is the time
    /// that was borne out when it ran last, in nanoseconds since the epoch, if that is known.
    #[must_use]
    pub fn new(now: Instant, has_neighbours: bool, borne_ns: Option<i64>) -> Self {
        FloorClock {
            first_clocks_until: has_neighbours.then(|| now + FIRST_CLOCKS_WAIT),
            last: None,
            offsets_count_from: now,
            borne: borne_ns.map(|borne_ns| (now, borne_ns)),
        }
    }

    /// Looks at our wall clock, in nanoseconds since the epoch, and at how many nanoseconds the
    /// clock of each connected neighbour is ahead of it.
    pub fn look(&mut self, now: Instant, wall_ns: i64, offsets_ns: &[i64]) -> Look {
        let jump = self.last.and_then(|last| {
            let expected_ns = i128::from(last.wall_ns) + nanoseconds(now - last.at);
            let jump_ns = i128::from(wall_ns) - expected_ns;
            (jump_ns.abs() > nanoseconds(JUMP_MIN)).then_some(Jump(jump_ns))
        });
        if jump.is_some() {
            self.offsets_count_from = now + OFFSETS_SETTLE;
        }
        let settled = now >= self.offsets_count_from;
        let clocks_ns = self.clocks_ns(now, wall_ns, offsets_ns, settled);
        self.pass_to(now, clocks_ns);
        self.last = Some(Last {
            at: now,
            wall_ns,
            clocks_ns,
        });
        let is_ahead = |clocks_ns| self.borne.is_none_or(|(_, borne_ns)| clocks_ns > borne_ns);
        Look {
            believed_ns: self.believed_ns(),
            jump,
            asks_clients: settled && clocks_ns.is_some_and(is_ahead),
        }
    }

    /// Clients have reported times up to this one, in nanoseconds since the epoch: it is borne out, as far as the
    /// clocks had come at the last look. Returns the believed time.
    pub fn bear_out(&mut self, reported_ns: i64) -> Option<i64> {
        let last = self.last?;
        let reported_ns = reported_ns.min(last.clocks_ns?);
        if self
            .borne
            .is_none_or(|(_, borne_ns)| borne_ns < reported_ns)
        {
            self.borne = Some((last.at, reported_ns));
        }
        self.believed_ns()
    }

    /// The time by the wall clocks; `None` while neighbours are waited for.
    fn clocks_ns(
        &mut self,
        now: Instant,
        wall_ns: i64,
        offsets_ns: &[i64],
        settled: bool,
    ) -> Option<i64> {
        let middle_ns = lower_middle(offsets_ns).filter(|_| settled);
        if middle_ns.is_some() || self.first_clocks_until.is_some_and(|until| now >= until) {
            self.first_clocks_until = None;
        }
        if self.first_clocks_until.is_some() {
            return None;
        }
        let middle_ns = middle_ns.unwrap_or(0);
        Some(wall_ns.min(wall_ns.saturating_add(middle_ns)))
    }

    /// The time borne out passes with the monotonic clock, and follows small steps of the wall clocks.
    fn pass_to(&mut self, now: Instant, clocks_ns: Option<i64>) {
        let Some((at, borne_ns)) = self.borne else {
            return;
        };
        let elapsed = now - at;
        let passed_ns = borne_ns.saturating_add(saturate(nanoseconds(elapsed)));
        let step_max = JUMP_MIN.min(elapsed / STEP_SHARE);
        let step_end_ns = passed_ns.saturating_add(saturate(nanoseconds(step_max)));
        let stepped_ns = clocks_ns.filter(|&clocks_ns| clocks_ns <= step_end_ns);
        let borne_ns = stepped_ns.map_or(passed_ns, |stepped_ns| stepped_ns.max(passed_ns));
        self.borne = Some((now, borne_ns));
    }

    /// The clocks, as far as they are borne out.
    fn believed_ns(&self) -> Option<i64> {
        let (_, borne_ns) = self.borne?;
        Some(self.last?.clocks_ns?.min(borne_ns))
    }
}

/// The middle of the offsets; of two in the middle the lesser, which makes records leave later.
fn lower_middle(offsets_ns: &[i64]) -> Option<i64> {
    let mut sorted = offsets_ns.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

fn nanoseconds(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX / 2)
}

fn saturate(ns: i128) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "floor_clock_tests.rs"]
mod tests;
