//! Watchdogs of the loops that a server consists of: `/healthz` reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A loop that has nothing to do gives a heartbeat at least this often.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// A loop without a heartbeat for this long hangs.
pub const STALLED_AFTER: Duration = Duration::from_secs(15);

/// The value of a loop that does not run.
const NOT_RUNNING: u64 = 0;

/// The watchdog of one loop, which may run, end and begin again.
#[derive(Debug)]
pub struct Watchdog {
    name: &'static str,
    epoch: Instant,
    /// One more than the milliseconds from `epoch` to the last heartbeat.
    last_heartbeat_ms: AtomicU64,
}

/// Held by a loop while it runs.
#[derive(Debug)]
pub struct Watched(Arc<Watchdog>);

impl Watchdog {
    /// The watchdog of a loop that does not run yet; `name` is for people.
    #[must_use]
    pub fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Watchdog {
            name,
            epoch: Instant::now(),
            last_heartbeat_ms: AtomicU64::new(NOT_RUNNING),
        })
    }

    /// The name of its loop.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The loop begins.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Watched {
        let watched = Watched(self.clone());
        watched.heartbeat();
        watched
    }

    /// The time since the last heartbeat; `None` while the loop does not run, because then its owner has to begin it
    /// again.
    #[must_use]
    pub fn silent_for(&self) -> Option<Duration> {
        match self.last_heartbeat_ms.load(Ordering::Relaxed) {
            NOT_RUNNING => None,
            heartbeat => {
                let last = self.epoch + Duration::from_millis(heartbeat - 1);
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

impl Watched {
    /// The loop is alive.
    pub fn heartbeat(&self) {
        let ms = u64::try_from(self.0.epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.0
            .last_heartbeat_ms
            .store(ms.saturating_add(1), Ordering::Relaxed);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0
            .last_heartbeat_ms
            .store(NOT_RUNNING, Ordering::Relaxed);
    }
}

const _: () = assert!(HEARTBEAT_INTERVAL.as_millis() * 5 < STALLED_AFTER.as_millis());

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_running_loop_without_heartbeats_is_stalled() {
        let watchdog = Watchdog::new("loop");
        tokio::time::advance(2 * STALLED_AFTER).await;
        assert!(!watchdog.is_stalled(), "it does not run");
        let watched = watchdog.begin();
        assert_eq!(watchdog.silent_for(), Some(Duration::ZERO));
        tokio::time::advance(STALLED_AFTER - HEARTBEAT_INTERVAL).await;
        assert!(!watchdog.is_stalled());
        watched.heartbeat();
        tokio::time::advance(STALLED_AFTER - HEARTBEAT_INTERVAL).await;
        assert!(!watchdog.is_stalled());
        tokio::time::advance(HEARTBEAT_INTERVAL).await;
        assert!(watchdog.is_stalled());
        drop(watched);
        assert!(!watchdog.is_stalled(), "it has ended");
    }
}
