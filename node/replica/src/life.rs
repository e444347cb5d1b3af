//! The life of a server in gossip: one incarnation after the other, and what comes after each.

use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use crate::backoff::Backoff;
use crate::engine_error::EngineError;
use crate::incarnation::Incarnation;
use crate::succession::Succession;
use crate::timing::{RESTART_PAUSE_MAX, RESTART_PAUSE_MIN};

/// Why an incarnation has ended.
#[derive(Debug)]
pub enum Ended {
    /// The server was told to stop.
    Stopped,
    /// A process of our name with this later generation is alive.
    Superseded(u64),
    /// A neighbour remembers this generation of our name.
    MustExceed(u64),
    /// Neighbours believe more of it than it has published.
    Overstated,
    /// Another server took it for gone, and has emptied its copy.
    BuriedBy(Incarnation),
    /// The store was not read when it began, and is now.
    StoreRead,
    /// The store that had failed is read again.
    StoreBack,
    /// The engine's loop ended: a message may have been what ended it.
    Engine(EngineError),
    /// Something else failed, which no message can be blamed for.
    Failed(EngineError),
}

/// What is known when an incarnation has ended.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The time.
    pub now: Instant,
    /// Its generation.
    pub own_generation: u64,
    /// The greatest generation of this server's name that is known, 0 if none is.
    pub known_generation: u64,
    /// A message of a neighbour was the last that the engine was given.
    pub has_suspect: bool,
    /// From 0 to 1.
    pub jitter: f64,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Replication stops, as it was told to.
    Stop,
    /// This process ends: a newer one of its name is alive.
    GiveWay,
    /// Another incarnation begins.
    Begin {
        /// It has a greater generation than this.
        exceed: u64,
        /// After so long.
        pause: Duration,
        /// The link of the neighbour that is suspected is cut for so long.
        cut_suspect: Option<Duration>,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Life {
    succession: Succession,
    backoff: Backoff,
    began: Instant,
}

impl Life {
    /// The process begins now.
    pub fn begin(now: Instant) -> Self {
        Life {
            succession: Succession::begin(now),
            backoff: Backoff::new(RESTART_PAUSE_MIN, RESTART_PAUSE_MAX),
            began: now,
        }
    }

    /// An incarnation begins.
    pub fn next(&mut self, now: Instant) {
        self.began = now;
        self.succession.next(now);
    }

    /// What follows the end of an incarnation.
    pub fn after(&mut self, end: &Ended, facts: Facts) -> Then {
        let known = facts.known_generation.max(facts.own_generation);
        let begin = |exceed, pause| Then::Begin {
            exceed,
            pause,
            cut_suspect: None,
        };
        match end {
            Ended::Stopped => Then::Stop,
            Ended::Superseded(_) if self.succession.has_lost(facts.now) => Then::GiveWay,
            Ended::Superseded(generation) | Ended::MustExceed(generation) => {
                info!(later = %format_args!("{generation:016x}"), "neighbours know a later generation of this server");
                begin(known.max(*generation), self.hurried_pause(facts))
            }
            Ended::Overstated => {
                warn!(
                    "neighbours claim more of this incarnation than it has published: one of them, or one beyond \
                     them, has made that up"
                );
                // The link that brought the claim is cut for a while, longer each time, if it is certain who sent it. Else
                // only this keeps the pace.
                begin(known, self.succession.pause(facts.jitter, facts.now))
            }
            Ended::BuriedBy(by) => {
                info!(%by, "this incarnation was buried while it was away");
                begin(known, self.hurried_pause(facts))
            }
            Ended::StoreRead => {
                info!(
                    "the disk of the store answers: what it holds is read, and may know a later generation"
                );
                begin(known, Duration::ZERO)
            }
            Ended::StoreBack => begin(known, Duration::ZERO),
            Ended::Engine(error) => {
                let pause = self.failure_pause(error, facts);
                let cut_suspect = facts.has_suspect.then_some(pause);
                Then::Begin {
                    exceed: known,
                    // Gossip goes on at once with the others.
                    pause: if facts.has_suspect {
                        Duration::ZERO
                    } else {
                        pause
                    },
                    cut_suspect,
                }
            }
            Ended::Failed(error) => begin(known, self.failure_pause(error, facts)),
        }
    }

    /// The pause after one that others ended.
    fn hurried_pause(&mut self, facts: Facts) -> Duration {
        let pause = self.succession.pause(facts.jitter, facts.now);
        if pause > Duration::ZERO {
            warn!(
                pause_ms = pause.as_millis() as u64,
                "one incarnation after the other: gossip waits before the next one. Is there a second process of \
                 this server's name?"
            );
        }
        pause
    }

    /// The pause after one that failed.
    fn failure_pause(&mut self, error: &EngineError, facts: Facts) -> Duration {
        if facts.now.saturating_duration_since(self.began) > RESTART_PAUSE_MAX {
            self.backoff.reset();
        }
        let pause = self.backoff.next_pause(facts.jitter);
        error!(%error, pause_ms = pause.as_millis() as u64, "gossip failed, starting it anew; no record is lost");
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::GONE_AFTER;

    const SECOND: Duration = Duration::from_secs(1);

    fn facts(now: Instant) -> Facts {
        Facts {
            now,
            own_generation: 10,
            known_generation: 0,
            has_suspect: false,
            jitter: 1.0,
        }
    }

    fn pause_of(then: Then) -> Duration {
        match then {
            Then::Begin { pause, .. } => pause,
            then => panic!("{then:?}"),
        }
    }

    fn failure() -> EngineError {
        EngineError::ended("pacer")
    }

    #[test]
    fn the_next_generation_exceeds_all_that_is_known() {
        let now = crate::testing::start();
        let mut life = Life::begin(now);
        let mut exceed = |end, known_generation| {
            let facts = Facts {
                known_generation,
                ..facts(now)
            };
            match life.after(&end, facts) {
                Then::Begin { exceed, .. } => exceed,
                then => panic!("{then:?}"),
            }
        };
        assert_eq!(exceed(Ended::MustExceed(7), 0), 10);
        assert_eq!(exceed(Ended::MustExceed(70), 0), 70);
        assert_eq!(exceed(Ended::Superseded(70), 80), 80);
        assert_eq!(exceed(Ended::StoreRead, 80), 80);
        assert_eq!(life.after(&Ended::Stopped, facts(now)), Then::Stop);
    }

    #[test]
    fn a_process_gives_way_to_one_that_lives_beside_it() {
        let began = crate::testing::start();
        let mut life = Life::begin(began);
        let then = life.after(&Ended::Superseded(11), facts(began + GONE_AFTER));
        assert_eq!(then, Then::GiveWay);
    }

    #[test]
    fn the_neighbour_that_ended_the_engine_is_cut_off() {
        let mut now = crate::testing::start();
        let mut life = Life::begin(now);
        for seconds in [1, 2, 4] {
            now += SECOND;
            life.next(now);
            let facts = Facts {
                has_suspect: true,
                ..facts(now)
            };
            let then = life.after(&Ended::Engine(failure()), facts);
            let expected = Then::Begin {
                exceed: 10,
                pause: Duration::ZERO,
                cut_suspect: Some(seconds * SECOND),
            };
            assert_eq!(then, expected);
        }
        let alone = life.after(&Ended::Engine(failure()), facts(now));
        assert_eq!(pause_of(alone), 8 * SECOND, "there is nobody to blame");
    }

    #[test]
    fn failures_in_a_row_wait_longer_until_one_incarnation_lasts() {
        let mut now = crate::testing::start();
        let mut life = Life::begin(now);
        let mut fail_after = |time: Duration| {
            life.next(now);
            now += time;
            pause_of(life.after(&Ended::Failed(failure()), facts(now)))
        };
        assert_eq!(fail_after(SECOND), SECOND);
        assert_eq!(fail_after(SECOND), 2 * SECOND);
        assert_eq!(fail_after(2 * RESTART_PAUSE_MAX), SECOND);
    }
}
