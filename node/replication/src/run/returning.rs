//! A store that failed for want of room, descriptors or memory, opened again.
//!
//! It is read in a thread while gossip goes on without it. Then this server takes a new incarnation, which
//! publishes everything that the map holds, whoever published it before, piece by piece: it is the new incarnation's
//! backlog. What was reported before is promised the disk when all of that is synced. What a live server of lower rank
//! publishes too is given up to it: out of the backlog, when it has delivered it and the store was given it in its name;
//! or later, as after a partition.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::super::store_writer::StoreWriter;
use super::super::storing::{SourceAgain, StorageState, StoreLoad};
use super::super::timing::{STORE_PAUSE_MAX, STORE_PAUSE_MIN};
use super::Replication;
use herd_replica::backoff::Backoff;
use herd_replica::store_feed::StoreFeed;
use herd_storage::StoreError;

/// How a store that failed is opened again, and how long that waits.
pub(super) struct StoreReturn {
    again: SourceAgain,
    pauses: parking_lot::Mutex<ReturnPauses>,
}

struct ReturnPauses {
    backoff: Backoff,
    /// When it came back last.
    returned: Option<Instant>,
}

impl StoreReturn {
    pub(super) fn new(again: SourceAgain) -> Self {
        StoreReturn {
            again,
            pauses: parking_lot::Mutex::new(ReturnPauses {
                backoff: Backoff::new(STORE_PAUSE_MIN, STORE_PAUSE_MAX),
                returned: None,
            }),
        }
    }

    /// How long to wait before the next attempt.
    fn next_pause(&self, jitter: f64) -> Duration {
        let mut pauses = self.pauses.lock();
        let held = pauses.returned.take().map(|returned| returned.elapsed());
        if held.is_some_and(|held| held > STORE_PAUSE_MAX) {
            pauses.backoff.reset();
        }
        pauses.backoff.next_pause(jitter)
    }

    /// Opens and reads it.
    async fn read(&self) -> Result<StoreLoad, StoreError> {
        let mut load = StoreLoad::begin((self.again)())?;
        load.gather().await;
        load.settle().await?;
        Ok(load)
    }
}

impl Replication {
    /// Resolves when a store that failed has been opened and read again; never while it is well, or if it has failed for
    /// good.
    pub(super) async fn store_again(&self) -> StoreLoad {
        let Some(store_return) = &self.store_return else {
            return std::future::pending().await;
        };
        let mut storage = self.parts.store.state();
        loop {
            let is_passing = |state: &StorageState| match state {
                StorageState::Failed(error) => error.is_passing(),
                _ => false,
            };
            if storage.wait_for(is_passing).await.is_err() {
                std::future::pending::<()>().await;
            }
            sleep(store_return.next_pause(self.parts.links.entropy.jitter())).await;
            match store_return.read().await {
                Ok(load) => return load,
                Err(error) if error.is_passing() => {
                    info!(%error, "the store cannot be opened again yet");
                }
                Err(error) => self.store_failed(error),
            }
        }
    }

    /// A store that failed is about to be written to again: nothing of what it was given counts, and all that the map
    /// holds is to be published.
    pub(super) async fn begin_store_again(&self) {
        let mut lasting = self.lasting.lock().await;
        lasting.known.feed = StoreFeed::new(self.parts.links.view.me.clone());
        lasting.store = StoreWriter::default();
        drop(lasting);
        self.parts.acknowledgements.note_disk_is_back();
        self.parts.store.set_state(StorageState::Loading);
        if let Some(store_return) = &self.store_return {
            store_return.pauses.lock().returned = Some(Instant::now());
        }
        let adopted = self.parts.locations.adopt(|_, _| true);
        warn!(
            adopted,
            "the store is open again: all that this server knows is stored anew"
        );
    }
}
