//! One process of a server: everything of a server but its frontend.

use std::sync::Arc;
use std::time::Duration;

use herd_acknowledgement::{AckLevel, Acknowledgements};
use herd_gossip::entropy::Entropy;
use herd_gossip::link::offer::Offer;
use herd_gossip::links::{HerdView, Links};
use herd_locations::{HashKeys, Locations};
use herd_replication::figures::Figures;
use herd_replication::run::{Replication, ReplicationEnd};
use herd_replication::store_handle::StoreHandle;
use herd_replication::storing::{StorageState, StoreSource};
use herd_storage::{ModelledDisk, SyncPolicy};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::clock::SimClock;
use super::erasing::ERASE_WITHIN;
use super::network::SimNetwork;

/// How long a client waits for its reply.
const ACK_WAIT_MAX: Duration = Duration::from_secs(2);

/// Where replies do not wait for the disk, it is synced this often, as a server does it.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Records of a backlog that are published at a time.
const BACKLOG_RECORDS: usize = 3;

/// What a process is started with.
pub(super) struct Start<'a> {
    pub(super) view: HerdView,
    pub(super) level: AckLevel,
    pub(super) clock: Arc<SimClock>,
    pub(super) disk: Option<&'a ModelledDisk>,
    pub(super) network: &'a SimNetwork,
    /// What it offers over links.
    pub(super) offer: Offer,
    pub(super) seed: u64,
}

/// A process that runs.
pub(super) struct Process {
    pub(super) locations: Arc<Locations>,
    pub(super) links: Arc<Links>,
    pub(super) figures: Arc<Figures>,
    store: Arc<StoreHandle>,
    pub(super) acknowledgements: Arc<Acknowledgements>,
    /// It has ended: whoever waits for a reply of it waits in vain.
    pub(super) ended: CancellationToken,
    dark: CancellationToken,
    stop: CancellationToken,
    task: JoinHandle<ReplicationEnd>,
}

impl Process {
    pub(super) fn start(start: Start<'_>) -> Process {
        let name = start.view.me.clone();
        let locations = Arc::new(Locations::with_hash_keys(HashKeys::from_seed(start.seed)));
        // A checker compares index and map.
        locations.make_index();
        let acknowledgements = Arc::new(Acknowledgements::new(start.level, ACK_WAIT_MAX));
        let entropy = Entropy::new(start.clock, start.seed);
        let mut replication = Replication::new(
            start.view,
            locations.clone(),
            entropy,
            None,
            acknowledgements.clone(),
        )
        // Few records are to be enough for compactions.
        .with_spare_slots(0)
        // And for a backlog of several rounds.
        .with_backlog_records(BACKLOG_RECORDS)
        .with_erasing(ERASE_WITHIN);
        if let Some(disk) = start.disk {
            let policy = if start.level.needs_disk() {
                SyncPolicy::EachCommit
            } else {
                SyncPolicy::Every(SYNC_INTERVAL)
            };
            replication = replication.with_store(StoreSource::Modelled(disk.open(), policy));
        }
        let replicated = replication.view();
        replicated.links.set_offer(start.offer);
        let (stop, dark) = (CancellationToken::new(), CancellationToken::new());
        let endpoint = start.network.endpoint(&name, dark.clone());
        let task = tokio::spawn(replication.run(Arc::new(endpoint), stop.clone()));
        Process {
            locations,
            links: replicated.links,
            figures: replicated.figures,
            store: replicated.store,
            acknowledgements,
            ended: CancellationToken::new(),
            dark,
            stop,
            task,
        }
    }

    /// Whether clients are answered from all that the store holds.
    pub(super) fn is_loaded(&self) -> bool {
        !self.locations.loading().is_running()
    }

    pub(super) fn store_has_failed(&self) -> bool {
        matches!(&*self.store.state().borrow(), StorageState::Failed(_))
    }

    /// It has ended by itself.
    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it where it stands. Without power its neighbours are not even told.
    pub(super) async fn kill(self, loses_power: bool) {
        self.ended.cancel();
        if loses_power {
            self.dark.cancel();
        }
        self.task.abort();
        let _ = self.task.await;
    }

    /// Ends it in good order; says how.
    pub(super) async fn stop(self) -> ReplicationEnd {
        self.stop.cancel();
        let end = self.task.await.unwrap();
        self.ended.cancel();
        end
    }
}
