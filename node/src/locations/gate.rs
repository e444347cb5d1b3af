//! A gate that stands open in ordinary times, and is shut while replication cannot keep up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Back-pressure: whoever feeds the map passes the gate first.
#[derive(Debug, Default)]
pub struct Gate {
    shut: AtomicBool,
    opened: Notify,
}

impl Gate {
    /// The longest that one passage waits. A gate never shuts a client out: it slows it down.
    pub const WAIT_MAX: Duration = Duration::from_millis(100);

    /// Resolves at once while the gate is open; else when it opens, or after [`Gate::WAIT_MAX`].
    pub async fn pass(&self) {
        if !self.shut.load(Ordering::Relaxed) {
            return;
        }
        let opened = self.opened.notified();
        if !self.shut.load(Ordering::Acquire) {
            return;
        }
        // A time-out is the other way through.
        let _ = tokio::time::timeout(Self::WAIT_MAX, opened).await;
    }

    /// Shuts or opens the gate.
    pub fn set_shut(&self, shut: bool) {
        let was_shut = self.shut.swap(shut, Ordering::AcqRel);
        if was_shut && !shut {
            self.opened.notify_waiters();
        }
    }

    /// Whether the gate is shut.
    pub fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_open_gate_holds_nobody_and_a_shut_one_not_for_ever() {
        let gate = Gate::default();
        let start = Instant::now();
        gate.pass().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        gate.set_shut(true);
        gate.pass().await;
        assert_eq!(start.elapsed(), Gate::WAIT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_goes_on_when_the_gate_opens() {
        let gate = Gate::default();
        gate.set_shut(true);
        let start = Instant::now();
        let open = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            gate.set_shut(false);
        };
        tokio::join!(gate.pass(), open);
        assert_eq!(start.elapsed(), Duration::from_millis(10));
    }
}
