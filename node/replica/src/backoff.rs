//! Pauses between attempts: doubling, bounded, with jitter so that attempts of many do not meet.

use std::time::Duration;

/// The pauses after one failed attempt after the other.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    min: Duration,
    max: Duration,
}

impl Backoff {
    /// Pauses from `min`, doubling up to `max`.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        Backoff {
            next: min,
            min,
            max,
        }
    }

    /// The next pause: `jitter`, from 0 to 1, picks between a half and the whole of it.
    pub fn next_pause(&mut self, jitter: f64) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.max);
        pause.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }

    /// An attempt went well: the next pause is the shortest again.
    pub fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_the_longest_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(150));
        let pauses: Vec<u128> = (0..4)
            .map(|_| backoff.next_pause(1.0).as_millis())
            .collect();
        assert_eq!(pauses, [50, 100, 150, 150]);
        backoff.reset();
        assert_eq!(backoff.next_pause(0.0).as_millis(), 25);
    }
}
