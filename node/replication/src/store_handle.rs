//! The store of a server, for those who write to it or ask how it fares: there is none until it is read.

use parking_lot::Mutex;
use tokio::sync::watch;

use super::storing::StorageState;
use herd_storage::StorageWriter;

/// See the module.
#[derive(Default)]
pub struct StoreHandle {
    state: watch::Sender<StorageState>,
    writer: Mutex<Option<StorageWriter>>,
    /// The floor of expiry that the store held at the start.
    floor_at_start_ns: Mutex<Option<i64>>,
}

impl StoreHandle {
    /// What has become of the store, and its changes.
    pub fn state(&self) -> watch::Receiver<StorageState> {
        self.state.subscribe()
    }

    pub(super) fn set_state(&self, state: StorageState) {
        self.state.send_replace(state);
    }

    /// The store is open, and held this floor of expiry.
    pub(super) fn opened(&self, writer: StorageWriter, floor_at_start_ns: Option<i64>) {
        *self.writer.lock() = Some(writer);
        *self.floor_at_start_ns.lock() = floor_at_start_ns;
        self.state.send_if_modified(|state| {
            // Its writer's thread runs already, and may have failed.
            let loaded = matches!(state, StorageState::Loading);
            if loaded {
                *state = StorageState::Open;
            }
            loaded
        });
    }

    /// The way to the store, if it is open.
    pub fn writer(&self) -> Option<StorageWriter> {
        self.writer.lock().clone()
    }

    /// The floor of expiry that the store held at the start, in ns since the POSIX epoch.
    pub(super) fn floor_at_start_ns(&self) -> Option<i64> {
        *self.floor_at_start_ns.lock()
    }
}
