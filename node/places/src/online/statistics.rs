//! Counts about an online provider.

use std::sync::atomic::AtomicU64;

use herd_telemetry::histogram::Histogram;

/// Counts since the start. Each number only grows.
#[derive(Debug, Default)]
pub struct OnlineStatistics {
    /// Requests that were sent, further attempts included.
    pub requests: AtomicU64,
    /// Further attempts among them.
    pub retries: AtomicU64,
    /// Questions that the provider answered.
    pub answered: AtomicU64,
    /// Questions that it failed to answer, or was not asked.
    pub failed: AtomicU64,
    /// Questions among those for which it was not asked: breaker, pause, or too many waiting.
    pub not_asked: AtomicU64,
    /// Requests that were not sent, since as many as may be in a minute were.
    pub used_up: AtomicU64,
    /// Questions that joined an identical one in progress.
    pub joined: AtomicU64,
    /// Questions answered from the cache.
    pub cached: AtomicU64,
    /// Questions answered from the embedded data in the provider's place.
    pub fallbacks: AtomicU64,
    /// How long questions took for which it was to be asked, answered or not.
    pub durations: Histogram,
}
