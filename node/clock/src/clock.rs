//! The wall clock, passed in wherever time is read, so that tests and simulations can set it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of wall clock time. It may jump, backwards too. Only the difference in a reply and the skew check may
/// depend on it, and expiry as far as clients bear it out.
pub trait WallClock: Send + Sync + 'static {
    /// Nanoseconds since the POSIX epoch, negative before it, at the ends of `i64` beyond it.
    fn now_ns(&self) -> i64;
}

/// A clock shared by the tasks of a server.
pub type SharedClock = Arc<dyn WallClock>;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now_ns(&self) -> i64 {
        let now = SystemTime::now();
        match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
        }
    }
}

/// A time of the wall clock as RFC 3339 with milliseconds, for people and programs; times before 1970
/// as 1970.
#[must_use]
pub fn rfc3339_millis(ns: i64) -> String {
    let since_epoch = Duration::from_nanos(u64::try_from(ns).unwrap_or(0));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since_epoch).to_string()
}

/// 2026-01-01, when herd was young: no correct clock says an earlier time.
const EARLIEST_NS: i64 = 1_767_225_600 * 1_000_000_000;

/// The fault of a clock that says `now_ns`, if it shows without another clock. A server with such a clock refuses
/// reports as coming from the future.
#[must_use]
pub fn fault(now_ns: i64) -> Option<&'static str> {
    (now_ns < EARLIEST_NS).then_some("this machine's clock says a time before 2026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        assert_eq!(
            rfc3339_millis(1_520_023_934_918_963_997),
            "2018-03-02T20:52:14.918Z"
        );
        assert_eq!(rfc3339_millis(-1), "1970-01-01T00:00:00.000Z");
        assert!(rfc3339_millis(i64::MAX).starts_with("2262-"));
    }

    #[test]
    fn a_clock_that_was_never_set_is_at_fault() {
        assert!(fault(0).is_some());
        assert!(fault(EARLIEST_NS - 1).is_some());
        assert_eq!(fault(EARLIEST_NS), None);
        assert_eq!(fault(i64::MAX), None);
    }
}
