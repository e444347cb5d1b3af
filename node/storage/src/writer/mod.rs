//! Writing to a store without waiting for it: a queue that holds one group a slot, and one driver that commits the
//! queued writes together and syncs them (group commit).
//!
//! `core` decides the next action, purely. `shared` performs it. A `thread` drives both in
//! a server, and a `task` in a simulation with paused time.
//!
//! **A failure is for good**, for this writer. When a commit or a sync failed, [`SyncState::failure`] says so, and
//! neither ticket rises again. After a failed sync the system may hold pages for written that are
//! not, so nothing later on the same files can be trusted. A full disk is treated alike, although
//! nothing is doubtful then: the writes that failed are gone, those behind them cannot be kept
//! without a bound until there is room, and without both the store would have holes. A server that
//! goes on from memory loses nothing meanwhile, since its neighbours hold the data too. Once there is room it opens the
//! store anew, with another writer, and stores everything again (`replication/run/returning.rs`).

mod closing;
mod coalesce;
mod core;
mod figures;
mod observer;
mod shared;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod thread;

use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::error;

pub use self::core::{COMMIT_GAP, QueueLimits};
pub use self::figures::{SYNC_BUCKET_ENDS_MS, WriterFigures};
pub use self::observer::StoreObserver;
use self::shared::Shared;
pub use self::state::{CloseError, SyncPolicy, SyncState, Ticket, WriteRefused};
pub use self::task::StorageTask;
pub use self::thread::StorageThread;
use super::{ModelledStore, Store, Write};

/// A handle to write with. Clones write to the same store.
#[derive(Clone)]
pub struct StorageWriter {
    shared: Arc<Shared>,
}

impl StorageWriter {
    fn new(shared: Arc<Shared>) -> Self {
        StorageWriter { shared }
    }

    /// Gives a loaded store to a thread of its own, which tells `observer` how far it has come.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn(
        store: Box<dyn Store>,
        policy: SyncPolicy,
        observer: Box<dyn StoreObserver>,
    ) -> io::Result<(Self, StorageThread)> {
        let shared = Shared::new(policy, QueueLimits::default(), observer);
        thread::spawn(store, shared)
    }

    /// Gives a loaded modelled store to a task of the current runtime. The task waits by the
    /// runtime's clock only, so with paused time and one thread it does the same each time.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn spawn_on_runtime(
        store: ModelledStore,
        policy: SyncPolicy,
        observer: Box<dyn StoreObserver>,
    ) -> (Self, StorageTask) {
        let shared = Shared::new(policy, QueueLimits::default(), observer);
        task::spawn(store, shared)
    }

    /// As [`StorageWriter::spawn_on_runtime`], with other limits of the queue and without an observer.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn spawn_on_runtime_with_limits(
        store: ModelledStore,
        policy: SyncPolicy,
        limits: QueueLimits,
    ) -> (Self, StorageTask) {
        task::spawn(store, Shared::new(policy, limits, Box::new(())))
    }

    /// Queues writes, to be committed all together, and never waits. A write that no store can hold is left out, logged
    /// once and counted. Their ticket is the next one; that of an empty list is the last one.
    ///
    /// # Errors
    /// Gives the writes back if the store failed, or if the writer was closed.
    pub fn write(&self, mut writes: Vec<Write>) -> Result<Ticket, WriteRefused> {
        let asked = writes.len();
        writes.retain(Write::is_storable);
        if writes.len() < asked {
            self.note_left_out(asked - writes.len());
        }
        let ticket = self.shared.core.lock().push(writes, Instant::now())?;
        self.shared.wake_driver();
        Ok(ticket)
    }

    /// One of them would end the store for good.
    fn note_left_out(&self, count: usize) {
        let mut figures = self.shared.figures.lock();
        if figures.left_out == 0 {
            error!(
                count,
                "BUG: a group under a name that no server has cannot be stored and is left out; it is not on this disk"
            );
        }
        figures.left_out += count as u64;
    }

    /// The ticket of the last writes that were taken.
    #[must_use]
    pub fn last_ticket(&self) -> Ticket {
        self.shared.core.lock().last()
    }

    /// How far the store has come, to be watched.
    #[must_use]
    pub fn synced(&self) -> watch::Receiver<SyncState> {
        self.shared.state.subscribe()
    }

    /// The counts so far, and the size of the queue.
    #[must_use]
    pub fn figures(&self) -> WriterFigures {
        let (queue_writes, queue_bytes) = self.shared.core.lock().queued();
        let mut figures = self.shared.figures.lock().clone();
        figures.queue_writes = queue_writes;
        figures.queue_bytes = queue_bytes;
        figures
    }
}
