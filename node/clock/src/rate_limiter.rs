//! The rate limiter: a token bucket, pure.

use std::time::Duration;

use tokio::time::Instant;

/// Allows a number of uses in each period, all of them at once if none was used before. Time comes in as an argument.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    /// How long one use takes to be earned again.
    use_ns: u64,
    /// The most that can be saved up.
    saved_ns: u64,
    /// When all uses will have been earned again.
    earned_at: Instant,
}

impl RateLimiter {
    /// Allows `count` uses, at least one, in each `period`.
    #[must_use]
    pub fn new(count: u32, period: Duration, now: Instant) -> Self {
        let period_ns = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        let count = u64::from(count.max(1));
        let use_ns = (period_ns / count).max(1);
        RateLimiter {
            use_ns,
            saved_ns: use_ns.saturating_mul(count),
            earned_at: now,
        }
    }

    /// The number of uses that are allowed now.
    #[must_use]
    pub fn left(&self, now: Instant) -> u64 {
        let owed = self.earned_at.saturating_duration_since(now).as_nanos();
        let owed_ns = u64::try_from(owed).unwrap_or(u64::MAX);
        self.saved_ns.saturating_sub(owed_ns) / self.use_ns
    }

    /// Notes uses, whether they were allowed or not: an excess has to be earned first.
    pub fn spend(&mut self, count: u64, now: Instant) {
        let spent = Duration::from_nanos(self.use_ns.saturating_mul(count));
        let from = self.earned_at.max(now);
        self.earned_at = from.checked_add(spent).unwrap_or(from);
    }

    /// One use, if it is allowed.
    pub fn take(&mut self, now: Instant) -> bool {
        let allowed = self.left(now) > 0;
        if allowed {
            self.spend(1, now);
        }
        allowed
    }

    /// When `count` uses, or all that can be saved up, are allowed.
    #[must_use]
    pub fn ready_at(&self, count: u64) -> Instant {
        let ahead_ns = self
            .saved_ns
            .saturating_sub(self.use_ns.saturating_mul(count.max(1)));
        let ahead = Duration::from_nanos(ahead_ns);
        self.earned_at.checked_sub(ahead).unwrap_or(self.earned_at)
    }

    /// Whether nothing is owed, so that a new limiter would be the same.
    #[must_use]
    pub fn is_whole(&self, now: Instant) -> bool {
        self.earned_at <= now
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(10, SECOND, start);
        assert_eq!(limiter.left(start), 10);
        for _ in 0..10 {
            assert!(limiter.take(start));
        }
        assert!(!limiter.take(start));
        assert_eq!(limiter.ready_at(1), start + SECOND / 10);
        assert_eq!(limiter.ready_at(5), start + SECOND / 2);
        assert_eq!(limiter.ready_at(100), start + SECOND);
        assert!(limiter.take(start + SECOND / 10));
        assert_eq!(
            limiter.left(start + SECOND * 100),
            10,
            "not more is saved up"
        );
        assert!(limiter.is_whole(start + SECOND * 2) && !limiter.is_whole(start + SECOND));
    }

    #[test]
    fn an_excess_is_earned_first() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(10, SECOND, start);
        limiter.spend(30, start);
        assert_eq!(limiter.left(start + SECOND * 2), 0);
        assert_eq!(limiter.ready_at(1), start + SECOND * 2 + SECOND / 10);
        assert_eq!(limiter.left(start + SECOND * 3), 10);
    }

    #[test]
    fn extremes_neither_panic_nor_stop_everything() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(u32::MAX, SECOND, start);
        assert!(limiter.take(start));
        let mut limiter = RateLimiter::new(0, Duration::MAX, start);
        assert!(limiter.take(start));
        limiter.spend(u64::MAX, start);
        assert_eq!(limiter.left(start), 0);
    }

    proptest! {
        /// Over any time, no more is allowed than was saved up and earned.
        #[test]
        fn never_more_than_the_rate(count in 1_u32..2_000, gaps_ms in prop::collection::vec(0_u64..50, 1..300)) {
            let start = Instant::now();
            let mut now = start;
            let mut limiter = RateLimiter::new(count, SECOND, start);
            let mut used = 0_u64;
            for gap_ms in gaps_ms {
                now += Duration::from_millis(gap_ms);
                let left = limiter.left(now);
                limiter.spend(left, now);
                used += left;
                let earned = (now - start).as_secs_f64() * f64::from(count) * 1.01;
                prop_assert!(used as f64 <= f64::from(count) + earned + 1.0);
                prop_assert!(limiter.ready_at(1) > now);
            }
        }
    }
}
