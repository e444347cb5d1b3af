//! How long to wait before the next connection.

use std::time::Duration;

/// The first wait, in milliseconds, before chance.
const FIRST_MS: u64 = 200;

/// The longest, before chance.
const MAX_MS: u64 = 10_000;

/// Doubles from one attempt to the next, and chance takes up to half of it away: many who lost a server at the same moment
/// do not come back at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    next_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { next_ms: FIRST_MS }
    }
}

impl Backoff {
    /// The wait before the next attempt.
    pub(super) fn next(&mut self, chance: u64) -> Duration {
        let most = self.next_ms;
        self.next_ms = (2 * most).min(MAX_MS);
        Duration::from_millis(most / 2 + chance % (most / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_differ() {
        let mut backoff = Backoff::default();
        let longest: Vec<u128> = (0..8)
            .map(|_| {
                let most = backoff.next_ms;
                backoff.next(most / 2).as_millis()
            })
            .collect();
        assert_eq!(
            longest,
            [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]
        );
        assert_eq!(Backoff::default().next(0).as_millis(), 100);
        assert_eq!(Backoff::default().next(50).as_millis(), 150);
    }
}
