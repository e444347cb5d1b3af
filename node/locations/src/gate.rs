//! A gate that stands open in ordinary times, and is shut while replication cannot keep up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use herd_clock::allowance::Allowance;

/// Back-pressure: whoever feeds the map passes the gate first.
#[derive(Debug, Default)]
pub struct Gate {
    shut: AtomicBool,
    opened: Notify,
    /// What light passages through the shut gate may bring, in bytes.
    light: Mutex<Option<Allowance>>,
}

impl Gate {
    /// The longest that one passage waits. A gate never shuts a client out: it slows it down.
    pub const WAIT_MAX: Duration = Duration::from_millis(100);

    /// What light passages may bring in a second while it is shut, all together, in bytes: some 5,000 reports,
    /// which are no load by themselves.
    pub const LIGHT_BYTES_PER_SECOND: u32 = 256 * 1024;

    /// As [`Gate::pass`] for one that has brought little lately, who does not wait unless such brought too much
    /// just now. So those who cause the load wait for it, as long as there are few others. What it brings is to be
    /// told with [`Gate::brought`].
    pub async fn pass_light(&self) {
        if self.is_shut() && !self.has_light_left(Instant::now()) {
            self.pass().await;
        }
    }

    /// So many bytes came by [`Gate::pass_light`].
    pub fn brought(&self, bytes: usize) {
        self.with_light(Instant::now(), |light, now| light.spend(bytes as u64, now));
    }

    fn has_light_left(&self, now: Instant) -> bool {
        self.with_light(now, |light, now| light.left(now) > 0)
    }

    fn with_light<T>(&self, now: Instant, act: impl FnOnce(&mut Allowance, Instant) -> T) -> T {
        let new = || Allowance::new(Self::LIGHT_BYTES_PER_SECOND, Duration::from_secs(1), now);
        act(self.light.lock().get_or_insert_with(new), now)
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
        let read = (Gate::LIGHT_BYTES_PER_SECOND as usize).div_ceil(100);
        for _ in 0..100 {
            gate.pass_light().await;
            gate.brought(read);
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
