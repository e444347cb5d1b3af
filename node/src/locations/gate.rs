//! A gate that stands open in ordinary times, and is shut while replication cannot keep up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::allowance::Allowance;

/// Back-pressure: whoever feeds the map passes the gate first.
#[derive(Debug, Default)]
pub struct Gate {
    shut: AtomicBool,
    opened: Notify,
    /// Light passages through the shut gate.
    light: Mutex<Option<Allowance>>,
}

impl Gate {
    /// The longest that one passage waits. A gate never shuts a client out: it slows it down.
    pub const WAIT_MAX: Duration = Duration::from_millis(100);

    /// Light passages in a second while it is shut, all together: what they bring is no load by itself.
    pub const LIGHT_PER_SECOND: u32 = 5_000;

    /// As [`Gate::pass`] for one that has brought little lately: as many as may, do not wait. So those
    /// who cause the load wait for it, as long as there are few others.
    pub async fn pass_light(&self) {
        if self.is_shut() && !self.takes_light(Instant::now()) {
            self.pass().await;
        }
    }

    fn takes_light(&self, now: Instant) -> bool {
        let new = || Allowance::new(Self::LIGHT_PER_SECOND, Duration::from_secs(1), now);
        self.light.lock().get_or_insert_with(new).take(now)
    }

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
    async fn a_shut_one_lets_who_brings_little_through_but_not_too_many() {
        let gate = Gate::default();
        let start = Instant::now();
        gate.set_shut(true);
        for _ in 0..Gate::LIGHT_PER_SECOND {
            gate.pass_light().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        gate.pass_light().await;
        assert_eq!(start.elapsed(), Gate::WAIT_MAX);
        gate.pass_light().await;
        assert_eq!(start.elapsed(), Gate::WAIT_MAX, "some more by now");
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
