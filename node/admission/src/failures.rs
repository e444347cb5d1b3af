//! Failures to accept, such as a lack of descriptors: a loop that tries again at once would do nothing else.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

/// The pause after a failure to accept, doubled for each further one.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// The longest pause: the system may have recovered.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// The failures in a row of one loop that accepts.
#[derive(Debug, Default)]
pub struct AcceptFailures {
    pause: Duration,
    until: Option<Instant>,
}

impl AcceptFailures {
    /// Accepts by `accepting`, after a pause if the last attempts failed. Cancel-safe if that is:
    /// the pause goes on.
    pub async fn pass<T>(&self, accepting: impl Future<Output = T>) -> T {
        if let Some(until) = self.until {
            tokio::time::sleep_until(until).await;
        }
        accepting.await
    }

    /// A connection was accepted.
    pub fn ended(&mut self) {
        self.pause = Duration::ZERO;
        self.until = None;
    }

    /// Accepting failed.
    pub fn failed(&mut self, error: &io::Error) {
        // The client's fault, and over: the next connection waits for nothing.
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
        ) {
            return;
        }
        self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        self.until = Some(Instant::now() + self.pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_after_failures_grow_up_to_a_bound() {
        let mut failures = AcceptFailures::default();
        failures.failed(&io::ErrorKind::ConnectionAborted.into());
        assert_eq!(failures.until, None);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            failures.failed(&io::Error::from_raw_os_error(24));
            let begun = Instant::now();
            failures.pass(std::future::ready(())).await;
            pauses.push(begun.elapsed());
        }
        assert_eq!(pauses[..3], [PAUSE_MIN, PAUSE_MIN * 2, PAUSE_MIN * 4]);
        assert_eq!(pauses[9], PAUSE_MAX);
        failures.ended();
        assert_eq!(failures.until, None);
        assert_eq!(failures.pause, Duration::ZERO);
    }
}
