//! Observers, which hear of each sync without a change of threads.

use std::sync::Arc;

use super::super::StoreError;
use super::state::Ticket;

/// Told by the driver of a writer, on its own thread, which must not be held up: between a sync and the replies that
/// wait for it every change of threads counts. It must not panic either. Others watch [`super::StorageWriter::synced`].
pub trait StoreObserver: Send + Sync {
    /// All writes up to `through` survive a loss of power. Told after each sync, before [`super::SyncState`] shows it.
    fn synced(&self, through: Ticket);

    /// The store takes no more writes, and this is why. Told once at most, and nothing after it.
    fn failed(&self, failure: &Arc<StoreError>);
}

/// Nobody is told.
impl StoreObserver for () {
    fn synced(&self, _through: Ticket) {}

    fn failed(&self, _failure: &Arc<StoreError>) {}
}
