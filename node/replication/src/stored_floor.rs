//! The floor of expiry in the store.

use std::sync::Arc;

use async_trait::async_trait;

use super::store_handle::StoreHandle;
use super::storing::StorageState;
use herd_expiry::{FloorStore, FloorStoreError};
use herd_storage::{StorageWriter, Write};

/// Keeps the floor of expiry in this server's store. Without one, or when it has failed, the floor
/// lives as long as the process: what had expired may be taken in again after a restart, until the
/// clock says so anew.
pub struct StoredFloor {
    store: Arc<StoreHandle>,
}

impl StoredFloor {
    /// In this store.
    #[must_use]
    pub fn new(store: Arc<StoreHandle>) -> Self {
        StoredFloor { store }
    }

    /// The floor that the store held at the start, in ns since the POSIX epoch; waits until the store
    /// is read.
    pub async fn at_start(&self) -> Option<i64> {
        self.opened().await;
        self.store.floor_at_start_ns()
    }

    /// Waits until the store is read, or is not to be had.
    async fn opened(&self) -> Option<StorageWriter> {
        let mut storage = self.store.state();
        let settled = storage.wait_for(|state| !matches!(state, StorageState::Loading));
        // The sender lives in the handle.
        let _ = settled.await;
        self.store.writer()
    }
}

#[async_trait]
impl FloorStore for StoredFloor {
    async fn store(&self, floor_ns: i64) -> Result<(), FloorStoreError> {
        let Some(writer) = self.opened().await else {
            return Ok(());
        };
        let write = Write::Floor { time_ns: floor_ns };
        let Ok(ticket) = writer.write(vec![write]) else {
            return Ok(());
        };
        let mut synced = writer.synced();
        let settled = synced.wait_for(|state| state.synced >= ticket || state.failure.is_some());
        // A store that has failed was reported; the floor goes on rising in memory.
        let settled = settled.await.map(|_| ());
        settled.map_err(|_| FloorStoreError("the store was closed".to_owned()))
    }
}
