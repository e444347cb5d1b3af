//! One incarnation after the other: whether a process goes on as a new one, and after which pause.

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::timing::{GONE_AFTER, LOSSES_MAX, RESTART_PAUSE_MAX, RESTART_PAUSE_MIN};

/// What a process remembers of its incarnations.
#[derive(Debug)]
pub(crate) struct Succession {
    /// When the first of them began. Two processes that each took every new incarnation for a start of their own
    /// would outbid each other for ever.
    process_began: Instant,
    /// How often a later incarnation of a live process came out ahead.
    losses: u32,
    /// When the present one began.
    began: Instant,
    /// One has ended since one lasted for long.
    hurried: bool,
    pauses: Backoff,
}

impl Succession {
    /// The process begins its first incarnation now.
    pub(crate) fn begin(now: Instant) -> Self {
        Succession {
            process_began: now,
            losses: 0,
            began: now,
            hurried: false,
            pauses: Backoff::new(RESTART_PAUSE_MIN, RESTART_PAUSE_MAX),
        }
    }

    /// The next incarnation begins.
    pub(crate) fn next(&mut self, now: Instant) {
        self.began = now;
    }

    /// A newer incarnation of this server is alive. Returns whether this process has to end.
    ///
    /// Right after the process's start it is more likely that our clock went back than that there are two of us:
    /// what is alive there may be the process that we replace. But that happens once.
    pub(crate) fn has_lost(&mut self, now: Instant) -> bool {
        self.losses += 1;
        self.losses >= LOSSES_MAX || now.duration_since(self.process_began) >= GONE_AFTER
    }

    /// How long to wait before the next incarnation: not at all if the last one stood for long, and else ever longer.
    pub(crate) fn pause(&mut self, jitter: f64, now: Instant) -> Duration {
        if now.duration_since(self.began) > RESTART_PAUSE_MAX {
            self.hurried = false;
            self.pauses.reset();
        }
        if std::mem::replace(&mut self.hurried, true) {
            self.pauses.next_pause(jitter)
        } else {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn new_incarnations_in_a_row_wait_longer_each_time() {
        let mut now = crate::testing::start();
        let mut succession = Succession::begin(now);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            now += SECOND;
            let pause = succession.pause(1.0, now);
            pauses.push(pause.as_secs());
            now += pause;
            succession.next(now);
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        now += RESTART_PAUSE_MAX + SECOND;
        assert_eq!(succession.pause(1.0, now), Duration::ZERO);
        succession.next(now);
        assert_eq!(succession.pause(1.0, now + SECOND), RESTART_PAUSE_MIN);
    }

    #[test]
    fn a_process_that_has_just_begun_may_lose_once() {
        let began = crate::testing::start();
        let mut succession = Succession::begin(began);
        assert!(!succession.has_lost(began + SECOND));
        assert!(succession.has_lost(began + 2 * SECOND));
        let mut succession = Succession::begin(began);
        assert!(succession.has_lost(began + GONE_AFTER));
    }
}
