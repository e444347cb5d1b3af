//! Signs of life of the loops that a server consists of: what `/healthz` reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A loop that has nothing to do gives a sign of life at least this often.
pub const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// A loop without a sign of life for this long hangs.
pub const STALLED_AFTER: Duration = Duration::from_secs(15);

/// The value of a loop that does not run.
const RESTING: u64 = 0;

/// The signs of life of one loop, which may run, end and begin again.
#[derive(Debug)]
pub struct Pulse {
    name: &'static str,
    epoch: Instant,
    /// Milliseconds from `epoch` to the last beat, and one.
    last_beat_ms: AtomicU64,
}

/// Held by a loop for as long as it runs.
#[derive(Debug)]
pub struct Beating(Arc<Pulse>);

impl Pulse {
    /// The pulse of a loop that does not run yet; `name` is for people.
    #[must_use]
    pub fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Pulse {
            name,
            epoch: Instant::now(),
            last_beat_ms: AtomicU64::new(RESTING),
        })
    }

    /// What its loop is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The loop begins.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Beating {
        let beating = Beating(self.clone());
        beating.beat();
        beating
    }

    /// How long ago the last sign of life was; `None` while the loop does not run, for then its owner
    /// has to begin it again.
    #[must_use]
    pub fn silent_for(&self) -> Option<Duration> {
        match self.last_beat_ms.load(Ordering::Relaxed) {
            RESTING => None,
            beat => {
                let last = self.epoch + Duration::from_millis(beat - 1);
                Some(Instant::now().saturating_duration_since(last))
            }
        }
    }

    /// Whether the loop hangs.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.silent_for()
            .is_some_and(|silent| silent >= STALLED_AFTER)
    }
}

impl Beating {
    /// A sign of life.
    pub fn beat(&self) {
        let ms = u64::try_from(self.0.epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.0
            .last_beat_ms
            .store(ms.saturating_add(1), Ordering::Relaxed);
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.last_beat_ms.store(RESTING, Ordering::Relaxed);
    }
}

const _: () = assert!(BEAT_INTERVAL.as_millis() * 5 < STALLED_AFTER.as_millis());

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_runs_and_says_nothing_is_stalled() {
        let pulse = Pulse::new("loop");
        tokio::time::advance(2 * STALLED_AFTER).await;
        assert!(!pulse.is_stalled(), "it does not run");
        let beating = pulse.begin();
        assert_eq!(pulse.silent_for(), Some(Duration::ZERO));
        tokio::time::advance(STALLED_AFTER - BEAT_INTERVAL).await;
        assert!(!pulse.is_stalled());
        beating.beat();
        tokio::time::advance(STALLED_AFTER - BEAT_INTERVAL).await;
        assert!(!pulse.is_stalled());
        tokio::time::advance(BEAT_INTERVAL).await;
        assert!(pulse.is_stalled());
        drop(beating);
        assert!(!pulse.is_stalled(), "it has ended");
    }
}
