//! Wall clocks that follow the simulation's own time, and jump.

use std::sync::atomic::{AtomicI64, Ordering};

use herd_clock::clock::WallClock;
use tokio::time::Instant;

const SECOND_NS: i64 = 1_000_000_000;

/// The true time at the start of a simulation, in seconds since the epoch.
pub(super) const START_S: i64 = 1_700_000_000;

/// The wall clock of one server.
pub(super) struct SimClock {
    start: Instant,
    ahead_ns: AtomicI64,
}

impl SimClock {
    pub(super) fn new(start: Instant) -> Self {
        SimClock {
            start,
            ahead_ns: AtomicI64::new(0),
        }
    }

    pub(super) fn set_ahead(&self, seconds: i64) {
        self.ahead_ns.store(seconds * SECOND_NS, Ordering::Relaxed);
    }
}

impl WallClock for SimClock {
    fn now_ns(&self) -> i64 {
        let elapsed_ns = i64::try_from(self.start.elapsed().as_nanos()).unwrap();
        START_S * SECOND_NS + elapsed_ns + self.ahead_ns.load(Ordering::Relaxed)
    }
}
