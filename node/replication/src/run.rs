//! The life of replication: links for as long as the server runs, and on them one incarnation of the
//! gossip engine after the other.

use std::sync::Arc;
use std::time::Duration;

use herd_crdt::SPARE_SLOTS;
use herd_crdt::group::GroupFormat;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::expiry_views::{Rejoin, herd_clocks};
use super::figures::Figures;
use super::lasting::Lasting;
use super::parts::Parts;
use super::reach::Reach;
use super::store_writer::StoreWriter;
use super::storing::{self, StorageDriver, StorageState, StoreSource};
use super::timing::{ERASED_WITHIN, STORE_CLOSE_MAX};
use super::view::{Erasing, ReplicationView};
use herd_acknowledgement::Acknowledgements;
use herd_expiry::HerdClocks;
use herd_gossip::entropy::Entropy;
use herd_gossip::link::network::Network;
use herd_gossip::link::{accept, dial};
use herd_gossip::links::{HerdView, LinkObserver, Links};
use herd_locations::{Locations, TombstonesRead};
use herd_replica::membership::Membership;
use herd_replica::receiving::{Known, Readers};
use herd_replica::store_feed::StoreFeed;
use herd_replica::timing::BACKLOG_RECORDS_MAX;

use returning::StoreReturn;

mod handing_over;
mod incarnations;
mod returning;
mod starting;

/// Why replication has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicationEnd {
    /// It was told to stop.
    Stopped,
    /// A newer process of this server's name is alive; this one has to go.
    Superseded,
}

/// What replication needs.
pub struct Replication {
    parts: Parts,
    allowed_skew: Option<Duration>,
    strangers_per_address_max: Option<usize>,
    store: Option<StoreSource>,
    /// The same store again, should it fail for want of something.
    store_return: Option<StoreReturn>,
    /// Ends the writing to the store, once it is read.
    driver: parking_lot::Mutex<Option<StorageDriver>>,
    /// The receiver of each incarnation holds it.
    lasting: Arc<Mutex<Lasting>>,
    group_format: GroupFormat,
    spare_slots: usize,
    backlog_records_max: usize,
    expires: bool,
    /// How long the locations of a forgotten client may stay in gossip and on disk.
    erased_within: Duration,
}

impl Replication {
    /// Replication of `locations` over the links of `view`, not yet running.
    #[must_use]
    pub fn new(
        view: HerdView,
        locations: Arc<Locations>,
        entropy: Entropy,
        observer: Option<Arc<dyn LinkObserver>>,
        acknowledgements: Arc<Acknowledgements>,
    ) -> Self {
        let lasting = Lasting {
            known: Known {
                membership: Membership::new(view.me.clone(), view.servers.clone()),
                feed: StoreFeed::new(view.me.clone()),
                readers: Readers::default(),
            },
            store: StoreWriter::default(),
        };
        let others = view.servers.iter().filter(|&name| *name != view.me);
        if others.clone().next().is_some() {
            // Until it has heard of them.
            locations.set_tombstones_read(TombstonesRead::Unknown);
        }
        let figures = Arc::new(Figures::new(others));
        locations.set_republish_policy(acknowledgements.level().republish_policy());
        Replication {
            parts: Parts {
                locations,
                links: Arc::new(Links::new(view, entropy, observer)),
                acknowledgements,
                figures,
                store: Arc::default(),
                settlements: Arc::default(),
                rejoin: Rejoin::default(),
                erasure: Arc::default(),
            },
            allowed_skew: None,
            strangers_per_address_max: None,
            store: None,
            store_return: None,
            driver: parking_lot::Mutex::new(None),
            lasting: Arc::new(Mutex::new(lasting)),
            group_format: GroupFormat::PRESENT,
            spare_slots: SPARE_SLOTS,
            backlog_records_max: BACKLOG_RECORDS_MAX,
            expires: false,
            erased_within: ERASED_WITHIN,
        }
    }

    /// How far a neighbour's clock may differ from ours before it is logged; without a limit it never
    /// is.
    #[must_use]
    pub fn with_allowed_skew(mut self, allowed_skew: Option<Duration>) -> Self {
        self.allowed_skew = allowed_skew;
        self
    }

    /// One address may have no more connections to the peer port that have not shaken hands, beyond one for each
    /// neighbour.
    #[must_use]
    pub fn with_strangers_per_address(mut self, max: Option<usize>) -> Self {
        self.strangers_per_address_max = max;
        self
    }

    /// Speaks other versions of the group format than [`GroupFormat::PRESENT`], for tests of
    /// upgrades.
    #[must_use]
    pub fn with_group_format(mut self, format: GroupFormat) -> Self {
        self.group_format = format;
        self
    }

    /// Leaves fewer slots uncompacted than [`SPARE_SLOTS`], for tests with few records.
    #[must_use]
    pub fn with_spare_slots(mut self, spare: usize) -> Self {
        self.spare_slots = spare;
        self
    }

    /// Publishes fewer records of the backlog at a time than [`BACKLOG_RECORDS_MAX`], for tests with few records.
    #[must_use]
    pub fn with_backlog_records(mut self, max: usize) -> Self {
        self.backlog_records_max = max.max(1);
        self
    }

    /// Keeps on disk what it publishes and learns. From now on until the store is read, whatever is
    /// found in the map may not be the last word.
    #[must_use]
    pub fn with_store(mut self, store: StoreSource) -> Self {
        self.parts.locations.loading().begin();
        self.parts.store.set_state(StorageState::Loading);
        self.store_return = Some(StoreReturn::new(store.again()));
        self.store = Some(store);
        self
    }

    /// Records expire here: the floor that the store holds applies before a client is answered from it.
    #[must_use]
    pub fn with_expiry(mut self, expires: bool) -> Self {
        self.expires = expires;
        self
    }

    /// Erases the locations of a forgotten client from gossip and disk within this time, of which servers that are gone
    /// do not count.
    #[must_use]
    pub fn with_erasing(mut self, within: Duration) -> Self {
        self.erased_within = within;
        self
    }

    /// What the other parts of the server see of it.
    #[must_use]
    pub fn view(&self) -> ReplicationView {
        let parts = &self.parts;
        ReplicationView {
            links: parts.links.clone(),
            figures: parts.figures.clone(),
            store: parts.store.clone(),
            erasing: Erasing {
                locations: parts.locations.clone(),
                erasure: parts.erasure.clone(),
            },
            reach: Reach {
                links: parts.links.clone(),
                settlements: parts.settlements.clone(),
            },
        }
    }

    /// The request to merge everything of others again.
    #[must_use]
    pub fn rejoin(&self) -> Rejoin {
        self.parts.rejoin.clone()
    }

    /// The herd as expiry sees it.
    #[must_use]
    pub fn herd_clocks(&self) -> HerdClocks {
        herd_clocks(&self.parts.links, &self.parts.rejoin)
    }

    /// Runs links and gossip until told to stop, or until a newer process of this server's name is
    /// alive.
    pub async fn run(
        mut self,
        network: Arc<dyn Network>,
        stop: CancellationToken,
    ) -> ReplicationEnd {
        let stop_links = CancellationToken::new();
        let mut link_tasks = self.spawn_links(&network, &stop_links);
        // The neighbours' handshakes and the store each know generations that ours has to exceed.
        let store = self.store.take();
        // A request to stop waits for both, which is not long: what clients have reported by then is
        // published and handed over like everything else.
        let (late, ()) = tokio::join!(self.open_store(store, &stop), self.first_handshakes());
        let mut progress = JoinSet::new();
        progress.spawn(storing::watch_neighbours(
            self.parts.acknowledgements.clone(),
            self.parts.links.clone(),
            self.parts.locations.clone(),
        ));
        // Gossip outlives the request to stop by a little.
        let stop_gossip = CancellationToken::new();
        let handover = async {
            stop.cancelled().await;
            self.hand_over().await;
            stop_gossip.cancel();
            std::future::pending::<ReplicationEnd>().await
        };
        let end = tokio::select! {
            biased;
            end = self.incarnations(late, &stop_gossip) => end,
            end = handover => end,
            ended = link_tasks.join_next() => {
                error!(?ended, "BUG: a task of the links has ended");
                ReplicationEnd::Stopped
            }
            ended = progress.join_next() => {
                error!(?ended, "BUG: the watcher of neighbours has ended");
                ReplicationEnd::Stopped
            }
        };
        stop_links.cancel();
        while link_tasks.join_next().await.is_some() {}
        self.close_store().await;
        end
    }

    /// Takes connections of neighbours, and connects to those that wait for it.
    fn spawn_links(&self, network: &Arc<dyn Network>, stop: &CancellationToken) -> JoinSet<()> {
        let links = &self.parts.links;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept::serve(
            network.clone(),
            links.clone(),
            self.strangers_per_address_max,
            stop.clone(),
        ));
        for neighbour in links.neighbours().iter().filter(|n| n.config.dials) {
            let (neighbour, links, network) = (neighbour.clone(), links.clone(), network.clone());
            tasks.spawn(dial::keep_connected(
                neighbour,
                links,
                network,
                stop.clone(),
            ));
        }
        tasks
    }

    /// Waits until the store is on disk, if there is one.
    async fn close_store(&self) {
        let driver = self.driver.lock().take();
        if let Some(driver) = driver
            && let Err(error) = driver.close(STORE_CLOSE_MAX).await
        {
            error!(%error, "the store was not closed in good order; the next start reads all that was synced");
        }
    }
}
