//! The pause that a provider asks for, with 429 or `Retry-After`.

use std::time::Duration;

use tokio::time::Instant;

/// The pause after a 429 that names none. Each one in a row doubles it.
pub(super) const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause that is guessed.
pub(super) const PAUSE_GUESSED_MAX: Duration = Duration::from_secs(60);
/// The longest pause that a provider is granted: a day, after which one question is worth a try.
pub(super) const PAUSE_GRANTED_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Until when the provider is left alone because it said so.
#[derive(Debug, Default)]
pub struct Pause {
    until: Option<Instant>,
    /// How long the last pause was that it did not name itself.
    guessed: Option<Duration>,
}

impl Pause {
    /// How much of the pause is left.
    #[must_use]
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    /// The provider was asked too often. A pause is never shortened. Returns how long it is.
    pub fn asked_too_often(&mut self, now: Instant, retry_after: Option<Duration>) -> Duration {
        let pause = match retry_after {
            Some(named) => named.min(PAUSE_GRANTED_MAX),
            None => {
                let guessed = self.guessed.map_or(PAUSE_FIRST, |last| last * 2);
                let guessed = guessed.min(PAUSE_GUESSED_MAX);
                self.guessed = Some(guessed);
                guessed
            }
        };
        self.until = self.until.max(Some(now + pause));
        pause
    }

    /// The provider answered.
    pub fn answered(&mut self) {
        self.guessed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_pause_is_kept_and_never_shortened() {
        let now = Instant::now();
        let mut pause = Pause::default();
        assert_eq!(pause.left(now), None);
        let named = Duration::from_secs(7);
        pause.asked_too_often(now, Some(named));
        pause.asked_too_often(now, Some(Duration::from_secs(1)));
        assert_eq!(pause.left(now), Some(named));
        pause.answered();
        assert_eq!(
            pause.left(now + Duration::from_secs(6)),
            Some(Duration::from_secs(1))
        );
        assert_eq!(pause.left(now + named), None);
        pause.asked_too_often(now, Some(Duration::MAX));
        assert_eq!(pause.left(now), Some(PAUSE_GRANTED_MAX));
    }

    #[test]
    fn pauses_without_retry_after_grow_until_an_answer() {
        let now = Instant::now();
        let mut pause = Pause::default();
        let guessed: Vec<u64> = (0..8)
            .map(|_| pause.asked_too_often(now, None).as_secs())
            .collect();
        assert_eq!(guessed, [1, 2, 4, 8, 16, 32, 60, 60]);
        pause.answered();
        assert_eq!(pause.asked_too_often(now, None), PAUSE_FIRST);
    }
}
