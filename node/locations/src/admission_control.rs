//! Admission control: delays the readers of client connections while replication cannot keep up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use herd_clock::rate_limiter::RateLimiter;

/// Back-pressure for everyone who feeds the map. It refuses nobody: while the server is overloaded, it delays each
/// read.
#[derive(Debug, Default)]
pub struct AdmissionControl {
    overloaded: AtomicBool,
    /// Wakes the waiting readers when the overload ends.
    relieved: Notify,
    /// The bytes that light connections may bring without a wait, all together.
    light: Mutex<Option<RateLimiter>>,
}

impl AdmissionControl {
    /// The longest wait before one read.
    pub const WAIT_MAX: Duration = Duration::from_millis(100);

    /// The bytes a second that light connections may bring without a wait, all together: some 5,000 reports, which are
    /// no load by themselves.
    pub const LIGHT_BYTES_PER_SECOND: u32 = 256 * 1024;

    /// As [`AdmissionControl::admit`] for a light connection, one that has brought little lately. It does not wait
    /// unless light connections have brought too much just now, so the connections that cause the load wait for it. Its
    /// bytes are to be counted with [`AdmissionControl::count_light`].
    pub async fn admit_light(&self, until: &mut Option<Instant>) {
        if self.is_overloaded() && !self.has_light_left(Instant::now()) {
            self.admit(until).await;
        }
    }

    /// Counts bytes that came after [`AdmissionControl::admit_light`].
    pub fn count_light(&self, bytes: usize) {
        self.with_light(Instant::now(), |light, now| light.spend(bytes as u64, now));
    }

    fn has_light_left(&self, now: Instant) -> bool {
        self.with_light(now, |light, now| light.left(now) > 0)
    }

    fn with_light<T>(&self, now: Instant, act: impl FnOnce(&mut RateLimiter, Instant) -> T) -> T {
        let new = || RateLimiter::new(Self::LIGHT_BYTES_PER_SECOND, Duration::from_secs(1), now);
        act(self.light.lock().get_or_insert_with(new), now)
    }

    /// Resolves at once without an overload; else at its end, or after [`AdmissionControl::WAIT_MAX`]. `until` is when that
    /// is: `None` for a wait that begins, and the same again for one that was broken off.
    pub async fn admit(&self, until: &mut Option<Instant>) {
        if self.is_overloaded() {
            let until = *until.get_or_insert_with(|| Instant::now() + Self::WAIT_MAX);
            // In a box: who waits for nothing holds no room for a wait.
            Box::pin(self.relieved_until(until)).await;
        } else {
            *until = None;
        }
    }

    async fn relieved_until(&self, until: Instant) {
        let relieved = self.relieved.notified();
        if !self.overloaded.load(Ordering::Acquire) {
            return;
        }
        // After the time-out the read goes on all the same.
        let _ = tokio::time::timeout_at(until, relieved).await;
    }

    /// Begins or ends an overload.
    pub fn set_overloaded(&self, overloaded: bool) {
        let was_overloaded = self.overloaded.swap(overloaded, Ordering::AcqRel);
        if was_overloaded && !overloaded {
            self.relieved.notify_waiters();
        }
    }

    /// Whether the server is overloaded.
    pub fn is_overloaded(&self) -> bool {
        self.overloaded.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_read_waits_under_overload_only_and_not_for_ever() {
        let admission = AdmissionControl::default();
        let start = Instant::now();
        admission.admit(&mut None).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        admission.set_overloaded(true);
        admission.admit(&mut None).await;
        assert_eq!(start.elapsed(), AdmissionControl::WAIT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_broken_off_does_not_begin_anew() {
        let admission = AdmissionControl::default();
        admission.set_overloaded(true);
        let (start, mut until) = (Instant::now(), None);
        loop {
            let wait = admission.admit(&mut until);
            if tokio::time::timeout(Duration::from_millis(30), wait)
                .await
                .is_ok()
            {
                break;
            }
        }
        assert_eq!(start.elapsed(), AdmissionControl::WAIT_MAX);
        // The next overload is another one.
        admission.set_overloaded(false);
        admission.admit(&mut until).await;
        assert_eq!(until, None);
    }

    #[tokio::test(start_paused = true)]
    async fn light_connections_do_not_wait_until_they_are_too_many() {
        let admission = AdmissionControl::default();
        let start = Instant::now();
        admission.set_overloaded(true);
        let read = (AdmissionControl::LIGHT_BYTES_PER_SECOND as usize).div_ceil(100);
        for _ in 0..100 {
            admission.admit_light(&mut None).await;
            admission.count_light(read);
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        admission.admit_light(&mut None).await;
        assert_eq!(start.elapsed(), AdmissionControl::WAIT_MAX);
        admission.admit_light(&mut None).await;
        assert_eq!(
            start.elapsed(),
            AdmissionControl::WAIT_MAX,
            "some more by now"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_reads_go_on_when_the_overload_ends() {
        let admission = AdmissionControl::default();
        admission.set_overloaded(true);
        let start = Instant::now();
        let end = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            admission.set_overloaded(false);
        };
        let mut until = None;
        tokio::join!(admission.admit(&mut until), end);
        assert_eq!(start.elapsed(), Duration::from_millis(10));
    }
}
