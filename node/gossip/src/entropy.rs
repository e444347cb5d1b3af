//! What replication takes from clock and randomness: passed in, so that a simulation can repeat it.

use std::fmt;

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use uuid::{Builder, Uuid};

use herd_clock::clock::SharedClock;

const NANOSECONDS_PER_MILLISECOND: i64 = 1_000_000;

/// Makes the ids of incarnations, and jitter.
pub struct Entropy {
    clock: SharedClock,
    rng: Mutex<SmallRng>,
}

impl Entropy {
    /// Ids by this clock; all else from this seed.
    #[must_use]
    pub fn new(clock: SharedClock, seed: u64) -> Self {
        Entropy {
            clock,
            rng: Mutex::new(SmallRng::seed_from_u64(seed)),
        }
    }

    /// The wall clock, in ns since the POSIX epoch.
    pub fn now_ns(&self) -> i64 {
        self.clock.now_ns()
    }

    /// A UUIDv7.
    pub fn id(&self) -> Uuid {
        let since_epoch_ms = self.now_ns().max(0) / NANOSECONDS_PER_MILLISECOND;
        let mut random = [0; 10];
        self.rng.lock().fill_bytes(&mut random);
        Builder::from_unix_timestamp_millis(since_epoch_ms.unsigned_abs(), &random).into_uuid()
    }

    /// From 0 to 1.
    pub fn jitter(&self) -> f64 {
        self.rng.lock().random()
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}
