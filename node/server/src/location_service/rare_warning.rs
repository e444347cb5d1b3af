//! Warnings that would else be logged for each refused report.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use herd_clock::rate_limiter::RateLimiter;

/// How often a warning is logged at most.
const WARNING_GAP: Duration = Duration::from_secs(10);

/// When a warning was logged last. The log leaves repeats out as well, but a refusal must cost less than a line does there.
#[derive(Debug, Default)]
pub(super) struct RareWarning(Mutex<Option<RateLimiter>>);

impl RareWarning {
    /// Whether it is to be logged now. Another task that holds the lock is logging the same.
    pub(super) fn is_due(&self) -> bool {
        self.0.try_lock().is_some_and(|mut limiter| {
            let now = Instant::now();
            let once = || RateLimiter::new(1, WARNING_GAP, now);
            limiter.get_or_insert_with(once).take(now)
        })
    }
}
