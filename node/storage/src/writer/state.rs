//! The promise of a writer, and its progress.

use std::sync::Arc;
use std::time::Duration;

use super::super::{StoreError, Write};

/// The number of one call of [`super::StorageWriter::write`], rising from 1. Zero is before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// When committed writes are synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// After each commit, at once. Writes of the meantime go into the next commit together.
    EachCommit,
    /// At most once in this time, while there is something to sync. Writes reach the operating system within
    /// [`super::COMMIT_GAP`].
    Every(Duration),
}

/// How far a writer has come.
#[derive(Clone, Debug, Default)]
pub struct SyncState {
    /// All writes up to this ticket survive the end of the process. Nobody is woken when this rises alone.
    pub committed: Ticket,
    /// All writes up to this ticket survive a loss of power.
    pub synced: Ticket,
    /// Why neither rises any more. Once set it stays: the owner goes on without a disk.
    pub failure: Option<Arc<StoreError>>,
}

/// Why writes were not taken. They come back unchanged.
#[derive(Debug, thiserror::Error)]
pub enum WriteRefused {
    /// The store failed, see [`SyncState::failure`].
    #[error("the store has failed")]
    Failed(Vec<Write>),
    /// The writer was closed.
    #[error("the store is closed")]
    Closed(Vec<Write>),
}

/// Why a writer did not close in good order.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// The store failed, now or before.
    #[error(transparent)]
    Failed(#[from] Arc<StoreError>),
    /// The disk is too slow. It is left to itself: the writes may still arrive, or not.
    #[error(
        "the store did not finish within {} ms: the disk is slow, and writes {} to {} are not synced",
        .waited.as_millis(), .synced.0 + 1, .last.0
    )]
    TimedOut {
        /// How long it was waited for.
        waited: Duration,
        /// Up to here everything is synced.
        synced: Ticket,
        /// The last write that was taken.
        last: Ticket,
    },
}
