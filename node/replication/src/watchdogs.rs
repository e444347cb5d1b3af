//! Signs of life of the loops that replication consists of.

use std::sync::Arc;

use herd_replica::timing::LATE_ANSWER_MAX;
use herd_telemetry::watchdog::{STALLED_AFTER, Watchdog};

// A neighbour whose gossip does not move for longer counts as hung: it answers nothing any more.
const _: () = assert!(STALLED_AFTER.as_millis() <= LATE_ANSWER_MAX.as_millis());

/// Signs of life of the loops that each incarnation runs. Between two incarnations they rest.
#[derive(Clone, Debug)]
pub struct ReplicationWatchdogs {
    /// The publisher.
    pub publisher: Arc<Watchdog>,
    /// The receiver.
    pub receiver: Arc<Watchdog>,
    /// The gossip engine's own loop, by its heartbeat.
    pub gossip: Arc<Watchdog>,
}

impl Default for ReplicationWatchdogs {
    fn default() -> Self {
        ReplicationWatchdogs {
            publisher: Watchdog::new("publisher"),
            receiver: Watchdog::new("receiver"),
            gossip: Watchdog::new("gossip"),
        }
    }
}

impl ReplicationWatchdogs {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> [Arc<Watchdog>; 3] {
        [&self.publisher, &self.receiver, &self.gossip].map(Arc::clone)
    }
}
