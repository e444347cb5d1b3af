//! Which time the floor follows.
//!
//! A floor that was raised too far cannot fall again, and takes with it what had not expired. So it
//! follows this server's own wall clock only as far as something else bears the clock out: the middle
//! of the connected neighbours' clocks; without them, the monotonic clock; and, for a server that has
//! waited for its neighbours in vain, its restart. A clock that is behind is followed as it is: then
//! records leave late, and none is lost.

use std::time::Duration;

use tokio::time::Instant;

/// A wall clock that differs from the monotonic one by more than this since the last look has jumped.
/// Less is how clocks are set right in small steps.
pub const JUMP_MIN: Duration = Duration::from_secs(1);

/// How long after a jump of our own clock the neighbours' clocks are not counted: they are known by
/// their difference from ours, which may be from before the jump. A link that is up has told anew by
/// then ([`crate::replication::timing::LINK_SILENCE_MAX`]).
pub const OFFSETS_SETTLE: Duration = Duration::from_secs(3);

/// How long a server that has started waits for a neighbour's clock before it believes its own.
pub const FIRST_CLOCKS_WAIT: Duration = Duration::from_secs(60);

/// The wall clock has jumped, by so many nanoseconds; backwards if negative.
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

/// What a look at the clocks says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The time that nothing speaks against, in nanoseconds since the epoch; `None` while neighbours
    /// are waited for.
    pub believed_ns: Option<i64>,
    /// The wall clock has jumped since the last look.
    pub jump: Option<Jump>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    at: Instant,
    wall_ns: i64,
    believed_ns: Option<i64>,
}

/// See the module. Pure: all clocks come in as arguments.
#[derive(Debug)]
pub struct FloorClock {
    /// Until then neighbours are waited for.
    first_clocks_until: Instant,
    last: Option<Last>,
    offsets_count_from: Instant,
}

impl FloorClock {
    /// A server that starts `now`, and that has neighbours in its topology or has none.
    #[must_use]
    pub fn new(now: Instant, has_neighbours: bool) -> Self {
        let wait = if has_neighbours {
            FIRST_CLOCKS_WAIT
        } else {
            Duration::ZERO
        };
        FloorClock {
            first_clocks_until: now + wait,
            last: None,
            offsets_count_from: now,
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
        let middle_ns = lower_middle(offsets_ns).filter(|_| now >= self.offsets_count_from);
        let believed_before = self.last.and_then(|last| {
            let elapsed_ns = saturate(nanoseconds(now - last.at));
            Some(last.believed_ns?.saturating_add(elapsed_ns))
        });
        let believed_ns = match (middle_ns, believed_before) {
            (Some(middle_ns), _) => Some(wall_ns.min(wall_ns.saturating_add(middle_ns))),
            (None, Some(expected_ns)) => {
                let ahead_ns = i128::from(wall_ns) - i128::from(expected_ns);
                let followed = ahead_ns <= nanoseconds(JUMP_MIN);
                Some(if followed { wall_ns } else { expected_ns })
            }
            (None, None) if now < self.first_clocks_until => None,
            // A jump here would be believed, should nobody be there to say otherwise.
            (None, None) if jump.is_some() => None,
            (None, None) => Some(wall_ns),
        };
        self.last = Some(Last {
            at: now,
            wall_ns,
            believed_ns,
        });
        Look { believed_ns, jump }
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
