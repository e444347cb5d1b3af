//! The driver of the values in [`herd_replica`]: one tokio task for each of them, which waits, sends and locks.

pub(crate) mod eraser;
pub(crate) mod pacer;
pub(crate) mod publisher;
pub(crate) mod receiver;

use std::time::Instant;

/// The time as the replica is told it: that of tokio, which tests move.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
