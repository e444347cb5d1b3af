//! Whether the floor keeps out reports that are not old.
//!
//! The floor never falls while a server runs, so one that was raised by a wrong clock, in an earlier life perhaps, lies
//! ahead of the floor that the clock would give. Then reports that are not old fall below it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use herd_clock::clock::SharedClock;
use herd_locations::Locations;

/// A floor is at fault if reports are kept out that are no older than this, or than nine tenths of the time after which
/// records expire if that is less. A floor that is ahead by less remains when the clock was set back a little, or when
/// records are to be kept for longer than before.
pub const KEPT_OUT_AGE_MAX: Duration = Duration::from_secs(600);

/// The time after which records expire, and the consequence for one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpireAfter {
    after_ns: i64,
}

impl ExpireAfter {
    /// Records expire after this long.
    #[must_use]
    pub fn new(after: Duration) -> Self {
        ExpireAfter {
            after_ns: i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        }
    }

    /// The same in nanoseconds.
    #[must_use]
    pub fn ns(self) -> i64 {
        self.after_ns
    }

    /// Whether a report of this time is not older, by a clock that says `now_ns`. A floor that keeps it out lies ahead
    /// of that clock.
    #[must_use]
    pub fn is_current(self, time_ns: i64, now_ns: i64) -> bool {
        time_ns >= now_ns.saturating_sub(self.after_ns)
    }

    /// How far a floor lies ahead of this clock less the time after which records expire, in nanoseconds; 0 if it does
    /// not.
    #[must_use]
    pub fn floor_ahead_ns(self, floor_ns: i64, now_ns: i64) -> i64 {
        floor_ns
            .saturating_sub(now_ns.saturating_sub(self.after_ns))
            .max(0)
    }

    /// The fault of a floor by this clock, if it has one: see [`KEPT_OUT_AGE_MAX`].
    #[must_use]
    pub fn floor_fault(self, floor_ns: i64, now_ns: i64) -> Option<FloorFault> {
        let age_max_ns = i64::try_from(KEPT_OUT_AGE_MAX.as_nanos()).unwrap_or(i64::MAX);
        let age_max_ns = age_max_ns.min(self.after_ns / 10 * 9);
        let at_fault = floor_ns > now_ns.saturating_sub(age_max_ns);
        at_fault.then(|| FloorFault {
            ahead_s: self.floor_ahead_ns(floor_ns, now_ns) / herd_crdt::NANOSECONDS_PER_SECOND,
        })
    }
}

/// The floor is ahead of this server's clock, and keeps out reports of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloorFault {
    /// By how much it is ahead of the clock less the time after which records expire, in seconds.
    pub ahead_s: i64,
}

impl fmt::Display for FloorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "its floor of expiry is {} s ahead of its clock, so that it refuses reports and keeps none of them. Set \
             the clock right; if it is right, stop this server, run `herd store lower-floor`, and start it again",
            self.ahead_s
        )
    }
}

/// The floor of a server that runs.
#[derive(Clone)]
pub struct FloorWatch {
    expire_after: ExpireAfter,
    locations: Arc<Locations>,
    clock: SharedClock,
}

impl FloorWatch {
    /// Watches the floor of `locations` by `clock`.
    #[must_use]
    pub fn new(expire_after: Duration, locations: Arc<Locations>, clock: SharedClock) -> Self {
        FloorWatch {
            expire_after: ExpireAfter::new(expire_after),
            locations,
            clock,
        }
    }

    /// The fault of the floor now, if it has one.
    #[must_use]
    pub fn fault(&self) -> Option<FloorFault> {
        let floor_ns = self.locations.floor_ns();
        self.expire_after.floor_fault(floor_ns, self.clock.now_ns())
    }

    /// How far the floor lies ahead of the clock less the time after which records expire, in nanoseconds.
    #[must_use]
    pub fn ahead_ns(&self) -> i64 {
        let floor_ns = self.locations.floor_ns();
        self.expire_after
            .floor_ahead_ns(floor_ns, self.clock.now_ns())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;
    const NOW_NS: i64 = 1_700_000_000 * SECOND_NS;

    #[test]
    fn a_floor_that_keeps_out_new_reports_is_at_fault() {
        let hour = ExpireAfter::new(Duration::from_secs(3_600));
        let fault = |age_s: i64| hour.floor_fault(NOW_NS - age_s * SECOND_NS, NOW_NS);
        assert_eq!(fault(3_600), None);
        assert_eq!(fault(1_800), None, "it was 30 min before");
        assert_eq!(fault(600), None);
        assert_eq!(fault(599), Some(FloorFault { ahead_s: 3_001 }));
        assert_eq!(fault(-365), Some(FloorFault { ahead_s: 3_965 }));
        let minute = ExpireAfter::new(Duration::from_secs(60));
        assert_eq!(minute.floor_fault(NOW_NS - 54 * SECOND_NS, NOW_NS), None);
        let fault = minute.floor_fault(NOW_NS - 53 * SECOND_NS, NOW_NS);
        assert_eq!(fault, Some(FloorFault { ahead_s: 7 }));
        assert_eq!(minute.floor_fault(i64::MIN, NOW_NS), None, "none at all");
    }

    #[test]
    fn no_time_is_too_far_off() {
        for after in [Duration::from_secs(1), Duration::MAX] {
            let after = ExpireAfter::new(after);
            for floor_ns in [i64::MIN, 0, i64::MAX] {
                for now_ns in [i64::MIN, 0, i64::MAX] {
                    assert!(after.floor_ahead_ns(floor_ns, now_ns) >= 0);
                    let _ = after.floor_fault(floor_ns, now_ns);
                    let _ = after.is_current(floor_ns, now_ns);
                }
            }
        }
    }
}
