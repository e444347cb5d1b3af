//! Whether a question is asked once more.

use std::time::Duration;

use tokio::time::Instant;

use super::error::ProviderError;

/// How often one question is asked, and how long is waited in between.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// The most attempts, the first included.
    pub attempts_max: u32,
    /// The wait before the second attempt, before jitter; each further one doubles it.
    pub wait_first: Duration,
    /// An attempt with less time left than this is not worth making.
    pub attempt_least: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            attempts_max: 2,
            wait_first: Duration::from_millis(50),
            attempt_least: Duration::from_millis(100),
        }
    }
}

impl RetryPolicy {
    /// When to ask once more after `attempts` that ended with `error`; `None` for not at all.
    /// `jitter` is a random number from 0 to 1.
    ///
    /// A pause that the provider asked for is waited out if it fits before the deadline. A 429
    /// that names no pause is not asked again.
    #[must_use]
    pub fn next_attempt(
        &self,
        attempts: u32,
        error: &ProviderError,
        now: Instant,
        deadline: Instant,
        jitter: f64,
    ) -> Option<Instant> {
        if attempts >= self.attempts_max || !error.may_pass() {
            return None;
        }
        let wait = match (error.retry_after(), error.cause()) {
            (Some(named), _) => named,
            (None, ProviderError::TooOften { .. }) => return None,
            (None, _) => {
                let doubled = self.wait_first * 2_u32.saturating_pow(attempts.saturating_sub(1));
                doubled.mul_f64(0.5 + jitter.clamp(0.0, 1.0))
            }
        };
        let at = now.checked_add(wait)?;
        (at.checked_add(self.attempt_least)? <= deadline).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn next(attempts: u32, error: &ProviderError, left: Duration) -> Option<Duration> {
        let now = Instant::now();
        RetryPolicy::default()
            .next_attempt(attempts, error, now, now + left, 0.5)
            .map(|at| at - now)
    }

    fn failed(passing: bool, retry_after: Option<Duration>) -> ProviderError {
        ProviderError::Failed {
            reason: String::new(),
            passing,
            retry_after,
        }
    }

    #[test]
    fn only_passing_failures_are_retried_in_time() {
        let refused = ProviderError::Connect("refused".to_owned());
        assert_eq!(next(1, &refused, 800 * MS), Some(50 * MS));
        assert_eq!(next(2, &refused, 800 * MS), None);
        assert_eq!(next(1, &refused, 149 * MS), None);
        assert_eq!(next(1, &failed(true, None), 800 * MS), Some(50 * MS));
        for error in [
            failed(false, None),
            ProviderError::TooSlow(800 * MS),
            ProviderError::CutOff(String::new()),
            ProviderError::Denied(String::new()),
            ProviderError::NotJson(String::new()),
            ProviderError::Busy,
        ] {
            assert_eq!(next(1, &error, Duration::from_secs(9)), None, "{error}");
        }
    }

    #[test]
    fn a_pause_that_the_provider_names_is_waited_out_if_it_fits() {
        let often = |retry_after| ProviderError::TooOften {
            retry_after,
            reason: String::new(),
        };
        assert_eq!(next(1, &often(None), Duration::from_secs(9)), None);
        assert_eq!(next(1, &often(Some(300 * MS)), 800 * MS), Some(300 * MS));
        assert_eq!(next(1, &often(Some(701 * MS)), 800 * MS), None);
        assert_eq!(next(1, &often(Some(Duration::MAX)), 800 * MS), None);
        assert_eq!(
            next(1, &failed(true, Some(200 * MS)), 800 * MS),
            Some(200 * MS)
        );
    }
}
