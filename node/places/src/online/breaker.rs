//! The circuit breaker: a provider that keeps failing is left alone, and then tried with one
//! question at a time.

use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row open the breaker.
pub(super) const FAILURES_MAX: u32 = 5;
/// How long it stays open at first. Each failed probe doubles it.
pub(super) const OPEN_FIRST: Duration = Duration::from_secs(5);
/// The longest that it stays open.
pub(super) const OPEN_MAX: Duration = Duration::from_secs(60);

/// The known health of the provider.
#[derive(Debug, Default)]
pub struct Breaker {
    state: BreakerState,
}

#[derive(Debug)]
enum BreakerState {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
        open_for: Duration,
    },
    /// One probe is out; nothing else is asked.
    HalfOpen {
        open_for: Duration,
    },
}

impl Default for BreakerState {
    fn default() -> Self {
        BreakerState::Closed { failures: 0 }
    }
}

/// The change by a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerChange {
    /// Nothing that anyone needs to know.
    None,
    /// It has opened, for this time.
    Opened(Duration),
    /// The probe failed: it stays open for this time.
    StaysOpen(Duration),
    /// The provider works again.
    Closed,
}

/// The provider must not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When it may be asked again, at the earliest.
    pub again_in: Duration,
}

impl Breaker {
    /// Asks whether the provider may be asked now. After `Ok`, one of [`Breaker::succeeded`],
    /// [`Breaker::failed`] and [`Breaker::abandoned`] must follow.
    ///
    /// # Errors
    /// It must not, for as long as is told.
    pub fn admit(&mut self, now: Instant) -> Result<(), Refused> {
        match self.state {
            BreakerState::Closed { .. } => Ok(()),
            BreakerState::Open { until, .. } if now < until => Err(Refused {
                again_in: until - now,
            }),
            BreakerState::Open { open_for, .. } => {
                self.state = BreakerState::HalfOpen { open_for };
                Ok(())
            }
            BreakerState::HalfOpen { .. } => Err(Refused {
                again_in: Duration::from_secs(1),
            }),
        }
    }

    /// The provider answered.
    pub fn succeeded(&mut self) -> BreakerChange {
        match self.state {
            BreakerState::HalfOpen { .. } => {
                self.state = BreakerState::default();
                BreakerChange::Closed
            }
            BreakerState::Closed { .. } => {
                self.state = BreakerState::default();
                BreakerChange::None
            }
            // A question from before it opened: the probe decides.
            BreakerState::Open { .. } => BreakerChange::None,
        }
    }

    /// The provider failed.
    pub fn failed(&mut self, now: Instant) -> BreakerChange {
        match self.state {
            BreakerState::Closed { failures } if failures + 1 < FAILURES_MAX => {
                self.state = BreakerState::Closed {
                    failures: failures + 1,
                };
                BreakerChange::None
            }
            BreakerState::Closed { .. } => {
                self.open(now, OPEN_FIRST);
                BreakerChange::Opened(OPEN_FIRST)
            }
            BreakerState::HalfOpen { open_for } => {
                let open_for = (open_for * 2).min(OPEN_MAX);
                self.open(now, open_for);
                BreakerChange::StaysOpen(open_for)
            }
            BreakerState::Open { .. } => BreakerChange::None,
        }
    }

    /// The question was cancelled, so nothing was learned. A probe is due again.
    pub fn abandoned(&mut self, now: Instant) {
        if let BreakerState::HalfOpen { open_for } = self.state {
            self.state = BreakerState::Open {
                until: now,
                open_for,
            };
        }
    }

    /// Whether questions go through.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, BreakerState::Closed { .. })
    }

    fn open(&mut self, now: Instant, open_for: Duration) {
        self.state = BreakerState::Open {
            until: now + open_for,
            open_for,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 1..FAILURES_MAX {
            assert_eq!(breaker.failed(now), BreakerChange::None);
        }
        assert_eq!(breaker.failed(now), BreakerChange::Opened(OPEN_FIRST));
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_resets_it() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..FAILURES_MAX {
                breaker.failed(now);
            }
            assert_eq!(breaker.succeeded(), BreakerChange::None);
            assert_eq!(breaker.admit(now), Ok(()));
        }
        let mut breaker = opened(now);
        assert_eq!(breaker.admit(now).unwrap_err().again_in, OPEN_FIRST);
        assert!(breaker.admit(now + OPEN_FIRST / 2).is_err());
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let start = Instant::now();
        let mut breaker = opened(start);
        let mut now = start + OPEN_FIRST;
        let mut open_for = OPEN_FIRST;
        for _ in 0..10 {
            assert_eq!(breaker.admit(now), Ok(()));
            assert!(breaker.admit(now).is_err(), "a second probe");
            open_for = (open_for * 2).min(OPEN_MAX);
            assert_eq!(breaker.failed(now), BreakerChange::StaysOpen(open_for));
            assert!(breaker.admit(now + open_for / 2).is_err());
            now += open_for;
        }
        assert_eq!(open_for, OPEN_MAX);
        assert_eq!(breaker.admit(now), Ok(()));
        assert_eq!(breaker.succeeded(), BreakerChange::Closed);
        assert!(breaker.is_closed() && breaker.admit(now).is_ok() && breaker.admit(now).is_ok());
    }

    #[test]
    fn a_probe_that_is_given_up_makes_room_for_the_next() {
        let start = Instant::now();
        let mut breaker = opened(start);
        let now = start + OPEN_FIRST;
        assert_eq!(breaker.admit(now), Ok(()));
        breaker.abandoned(now);
        assert_eq!(breaker.admit(now), Ok(()));
    }

    #[test]
    fn late_results_do_not_change_an_open_breaker() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.succeeded(), BreakerChange::None);
        assert_eq!(breaker.failed(now), BreakerChange::None);
        assert!(breaker.admit(now).is_err());
    }
}
