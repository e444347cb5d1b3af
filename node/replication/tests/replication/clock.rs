//! Wall clocks that follow the test's own time and can be set, and a disk for the floor.

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use herd_clock::clock::WallClock;
use herd_expiry::{FloorStore, FloorStoreError};
use parking_lot::Mutex;
use tokio::time::Instant;

const SECOND_NS: i64 = 1_000_000_000;

/// The time at the start of a test, in seconds since the epoch.
const START_S: i64 = 1_700_000_000;

/// The wall clock of one server.
pub(super) struct TestClock {
    start: Instant,
    /// How far it is ahead of the true time.
    ahead_ns: AtomicI64,
}

impl TestClock {
    pub(super) fn new(start: Instant) -> Self {
        TestClock {
            start,
            ahead_ns: AtomicI64::new(0),
        }
    }

    /// Sets it so many seconds ahead of the true time.
    pub(super) fn set_ahead(&self, seconds: i64) {
        self.ahead_ns.store(seconds * SECOND_NS, Ordering::Relaxed);
    }

    /// The true time, in whole seconds since the epoch.
    pub(super) fn true_s(&self) -> u64 {
        START_S.unsigned_abs() + self.start.elapsed().as_secs()
    }
}

impl WallClock for TestClock {
    fn now_ns(&self) -> i64 {
        let elapsed_ns = i64::try_from(self.start.elapsed().as_nanos()).unwrap();
        START_S * SECOND_NS + elapsed_ns + self.ahead_ns.load(Ordering::Relaxed)
    }
}

/// A floor that outlives its server.
#[derive(Default)]
pub(super) struct MemoryFloor {
    floor_ns: Mutex<Option<i64>>,
}

impl MemoryFloor {
    pub(super) fn stored(&self) -> Option<i64> {
        *self.floor_ns.lock()
    }

    /// As an operator sets it while the server is stopped.
    pub(super) fn set(&self, floor_ns: Option<i64>) {
        *self.floor_ns.lock() = floor_ns;
    }
}

#[async_trait]
impl FloorStore for MemoryFloor {
    async fn store(&self, floor_ns: i64) -> Result<(), FloorStoreError> {
        let before = self.floor_ns.lock().replace(floor_ns);
        assert!(before.is_none_or(|before| before < floor_ns), "it fell");
        Ok(())
    }
}
