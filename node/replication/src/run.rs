//! The life of replication: links for as long as the server runs, and on them one incarnation of the
//! gossip engine after the other.

use std::sync::Arc;
use std::time::Duration;

use herd_crdt::group::GroupFormat;
use herd_crdt::{Publisher, SPARE_SLOTS};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::backoff::Backoff;
use super::chance::Chance;
use super::engine::{Engine, EngineError};
use super::expiry_views::{Rejoin, herd_clocks};
use super::figures::Figures;
use super::identity::IncarnationVerdict;
use super::incarnation::Incarnation;
use super::link::network::Network;
use super::link::{accept, dial};
use super::links::{HerdView, LinkObserver, Links};
use super::membership::Membership;
use super::pacer::pace;
use super::parts::Parts;
use super::publish::{PublisherStart, Store, publish};
use super::reach::Reach;
use super::receive::{Known, receive};
use super::status::SlotsStatus;
use super::store_feed::StoreFeed;
use super::storing::{self, StorageDriver, StorageState, StoreLoad, StoreSource};
use super::succession::Succession;
use super::timing::{
    BACKLOG_RECORDS_MAX, HANDOVER_MAX, RESTART_PAUSE_MAX, RESTART_PAUSE_MIN, STORE_CLOSE_MAX,
};
use super::view::ReplicationView;
use herd_acknowledgement::{AckLevel, Acknowledgements};
use herd_expiry::HerdClocks;
use herd_locations::Locations;
use herd_storage::Write;

use returning::StoreReturn;
use starting::gathered;

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

/// Why an incarnation has ended.
enum IncarnationEnd {
    Stopped,
    /// A process of our name with this later generation is alive.
    Superseded(u64),
    /// A neighbour remembers this generation of our name.
    MustExceed(u64),
    BuriedBy(Incarnation),
    /// The store was not read when it began, and is now.
    StoreRead,
    /// The store that had failed is read again.
    StoreBack(StoreLoad),
    /// The engine's loop ended: a message may have been what ended it.
    EngineEnded(EngineError),
    /// Something else failed, which no message can be blamed for.
    Failed(EngineError),
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
    known: Arc<Mutex<Known>>,
    group_format: GroupFormat,
    spare_slots: usize,
    backlog_records_max: usize,
    expires: bool,
}

impl Replication {
    /// Replication of `locations` over the links of `view`, not yet running.
    #[must_use]
    pub fn new(
        view: HerdView,
        locations: Arc<Locations>,
        chance: Chance,
        observer: Option<Arc<dyn LinkObserver>>,
        acknowledgements: Arc<Acknowledgements>,
    ) -> Self {
        let known = Known {
            membership: Membership::new(view.me.clone(), view.servers.clone()),
            feed: StoreFeed::new(view.me.clone()),
        };
        let others = view.servers.iter().filter(|&name| *name != view.me);
        let figures = Arc::new(Figures::new(others));
        locations.set_republish_policy(acknowledgements.level().republish_policy());
        Replication {
            parts: Parts {
                locations,
                links: Arc::new(Links::new(view, chance, observer)),
                acknowledgements,
                figures,
                store: Arc::default(),
                settlements: Arc::default(),
                rejoin: Rejoin::default(),
            },
            allowed_skew: None,
            strangers_per_address_max: None,
            store: None,
            store_return: None,
            driver: parking_lot::Mutex::new(None),
            known: Arc::new(Mutex::new(known)),
            group_format: GroupFormat::PRESENT,
            spare_slots: SPARE_SLOTS,
            backlog_records_max: BACKLOG_RECORDS_MAX,
            expires: false,
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

    /// What the other parts of the server see of it.
    #[must_use]
    pub fn view(&self) -> ReplicationView {
        let parts = &self.parts;
        ReplicationView {
            links: parts.links.clone(),
            figures: parts.figures.clone(),
            store: parts.store.clone(),
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
        let mut link_tasks = JoinSet::new();
        link_tasks.spawn(accept::serve(
            network.clone(),
            self.parts.links.clone(),
            self.strangers_per_address_max,
            stop_links.clone(),
        ));
        for neighbour in self
            .parts
            .links
            .neighbours()
            .iter()
            .filter(|n| n.config.dials)
        {
            let (neighbour, links, network) =
                (neighbour.clone(), self.parts.links.clone(), network.clone());
            link_tasks.spawn(dial::keep_connected(
                neighbour,
                links,
                network,
                stop_links.clone(),
            ));
        }
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
        let driver = self.driver.lock().take();
        if let Some(driver) = driver {
            match driver.close(STORE_CLOSE_MAX).await {
                Ok(_) => {}
                Err(error) => {
                    error!(%error, "the store was not closed in good order; the next start reads all that was synced");
                }
            }
        }
        end
    }

    /// Waits, not for long, until what clients reported last is on disk and a neighbour has it.
    async fn hand_over(&self) {
        let ticket = self.parts.acknowledgements.ticket();
        let reach = |level| {
            self.parts
                .acknowledgements
                .reach(level, ticket, HANDOVER_MAX)
        };
        let has_store = matches!(*self.parts.store.state().borrow(), StorageState::Open);
        let has_peer = self.parts.links.neighbours().iter().any(|n| n.is_up());
        let (disk, peer) = tokio::join!(
            async {
                if has_store {
                    reach(AckLevel::Disk).await
                } else {
                    Ok(())
                }
            },
            async {
                if has_peer {
                    reach(AckLevel::Peer).await
                } else {
                    Ok(())
                }
            },
        );
        if disk.is_err() {
            warn!("stopping: what clients reported last may not be on this disk");
        }
        if peer.is_err() {
            warn!(
                "stopping: no neighbour has said that it has everything from here; what it lacks spreads \
                 when this server starts again with its disk"
            );
        }
    }

    /// `late` is a store that is not read yet.
    async fn incarnations(
        &self,
        mut late: Option<StoreLoad>,
        stop: &CancellationToken,
    ) -> ReplicationEnd {
        tokio::select! {
            biased;
            () = self.any_generation_known(&mut late) => {}
            () = stop.cancelled() => return ReplicationEnd::Stopped,
        }
        let mut backoff = Backoff::new(RESTART_PAUSE_MIN, RESTART_PAUSE_MAX);
        let mut succession = Succession::begin(Instant::now());
        loop {
            if let Some(load) = late.take_if(|load| load.is_read()) {
                tokio::select! {
                    biased;
                    () = self.finish_store(load) => {}
                    () = stop.cancelled() => return ReplicationEnd::Stopped,
                }
            }
            let started = Instant::now();
            succession.next(started);
            let end = match self.incarnation(&mut late, stop).await {
                Ok(end) => end,
                Err(error) => IncarnationEnd::Failed(error),
            };
            let mut known = self.parts.links.known_generation(&self.parts.links.view.me);
            match end {
                IncarnationEnd::Stopped => return ReplicationEnd::Stopped,
                IncarnationEnd::Superseded(_) if succession.has_lost(Instant::now()) => {
                    return ReplicationEnd::Superseded;
                }
                IncarnationEnd::Superseded(generation) | IncarnationEnd::MustExceed(generation) => {
                    info!(known = %format_args!("{generation:016x}"), "neighbours know a later generation of this server");
                    known = known.max(generation);
                    succession
                        .wait(self.parts.links.chance.jitter(), stop)
                        .await;
                }
                IncarnationEnd::StoreRead => {
                    info!(
                        "the disk of the store answers: what it holds is read, and may know a later generation"
                    );
                }
                IncarnationEnd::StoreBack(load) => {
                    self.begin_store_again().await;
                    late = Some(load);
                }
                IncarnationEnd::BuriedBy(by) => {
                    info!(%by, "this incarnation was buried while it was away");
                    succession
                        .wait(self.parts.links.chance.jitter(), stop)
                        .await;
                }
                IncarnationEnd::EngineEnded(error) => {
                    let pause = self.failed(&error, started, &mut backoff);
                    if !self.cut_suspect(pause) {
                        wait(pause, stop).await;
                    }
                }
                IncarnationEnd::Failed(error) => {
                    let pause = self.failed(&error, started, &mut backoff);
                    wait(pause, stop).await;
                }
            }
            let own = self.parts.links.incarnation().generation;
            self.parts.links.exceed_generation(known.max(own));
        }
    }

    /// Says that an incarnation failed, and how long to be careful.
    fn failed(&self, error: &EngineError, started: Instant, backoff: &mut Backoff) -> Duration {
        if started.elapsed() > RESTART_PAUSE_MAX {
            backoff.reset();
        }
        let pause = backoff.next_pause(self.parts.links.chance.jitter());
        error!(%error, pause_ms = pause.as_millis(), "gossip failed, starting it anew; no record is lost");
        pause
    }

    /// A message may have been what ended the engine: the link that brought the last one is cut
    /// for a while, and gossip goes on at once with the others. Returns whether there was one.
    fn cut_suspect(&self, pause: Duration) -> bool {
        let suspect = self.parts.links.processing().and_then(|address| {
            self.parts
                .links
                .neighbours()
                .iter()
                .find(|n| n.gossip_address == address)
        });
        if let Some(neighbour) = suspect {
            warn!(neighbour = %neighbour.config.name, "gossip failed at a message of this neighbour: its link is cut for a while");
            neighbour.cut_for(pause);
        }
        suspect.is_some()
    }

    /// Whether anybody reads what this server publishes, or waits until somebody has. A server in memory alone has nobody:
    /// neighbours come with a topology, and a store with the configuration, and both with a restart.
    fn has_readers(&self, store: Option<&Store>) -> bool {
        store.is_some()
            || !self.parts.links.neighbours().is_empty()
            || self.parts.acknowledgements.holds_replies()
    }

    /// Runs one incarnation to its end. `late` is a store that is not read yet, and when it is, the incarnation ends.
    async fn incarnation(
        &self,
        late: &mut Option<StoreLoad>,
        stop: &CancellationToken,
    ) -> Result<IncarnationEnd, EngineError> {
        let mut verdicts = self.parts.links.verdict();
        let incarnation = self.parts.links.incarnation();
        // Said while there was no incarnation to hear it, and no handshake says it again.
        let said = *verdicts.borrow();
        if said.is_some_and(|said| said.known() > incarnation.generation) {
            verdicts.mark_changed();
        }
        self.parts.links.forget_processing();
        let engine = Arc::new(Engine::start(incarnation.clone(), &self.parts.links).await?);
        info!(%incarnation, "gossip started");
        let mut known = self.known.clone().lock_owned().await;
        known.feed.note_own(&incarnation);
        let store = known.feed.writer().map(|writer| Store {
            writer: writer.clone(),
            unneeded: known.feed.unneeded().clone(),
        });
        if let Some(store) = &store {
            let generation = incarnation.generation;
            // Ahead of all that is published under it; refused only by a store that has failed.
            let _ = store.writer.write(vec![Write::Generation { generation }]);
        }

        let mut pacers = JoinSet::new();
        for neighbour in self.parts.links.neighbours() {
            pacers.spawn(pace(
                neighbour.clone(),
                engine.clone(),
                self.parts.links.clone(),
            ));
        }
        let mut publisher = JoinSet::new();
        if self.has_readers(store.as_ref()) {
            // The slots of a new incarnation are empty, and its publisher counts its rounds from zero.
            self.parts.figures.set_slots(SlotsStatus::default());
            if self.parts.locations.republish_all() > 0 {
                self.parts.acknowledgements.note_republishing();
            }
            publisher.spawn(publish(
                self.parts.clone(),
                engine.clone(),
                store,
                PublisherStart {
                    publisher: Publisher::with_spare_slots(self.group_format, self.spare_slots),
                    backlog_records_max: self.backlog_records_max,
                },
            ));
        } else {
            self.parts.locations.publish_nothing();
        }
        let mut receiver = JoinSet::new();
        receiver.spawn(receive(
            self.parts.clone(),
            engine.clone(),
            known,
            self.allowed_skew,
            self.group_format,
        ));

        let end = tokio::select! {
            biased;
            () = stop.cancelled() => IncarnationEnd::Stopped,
            () = gathered(late) => IncarnationEnd::StoreRead,
            load = self.store_again() => IncarnationEnd::StoreBack(load),
            error = engine.terminated() => IncarnationEnd::EngineEnded(error),
            Some(ended) = receiver.join_next() => match ended {
                Ok(by) => IncarnationEnd::BuriedBy(by),
                Err(error) => IncarnationEnd::Failed(EngineError::task("receiver", &error)),
            },
            Some(ended) = publisher.join_next() => {
                IncarnationEnd::Failed(EngineError::ended("publisher", ended.err().as_ref()))
            }
            Some(ended) = pacers.join_next() => {
                IncarnationEnd::Failed(EngineError::ended("pacer", ended.err().as_ref()))
            }
            said = next_verdict(&mut verdicts) => match said {
                IncarnationVerdict::MustExceed(known) => IncarnationEnd::MustExceed(known),
                IncarnationVerdict::Superseded(known) => IncarnationEnd::Superseded(known),
            },
        };
        pacers.shutdown().await;
        publisher.shutdown().await;
        receiver.shutdown().await;
        engine.stop();
        Ok(end)
    }
}

async fn wait(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        biased;
        () = sleep(pause) => {}
        () = stop.cancelled() => {}
    }
}

async fn next_verdict(
    verdicts: &mut watch::Receiver<Option<IncarnationVerdict>>,
) -> IncarnationVerdict {
    loop {
        if verdicts.changed().await.is_err() {
            // The sender lives in the links, which outlive this.
            std::future::pending::<()>().await;
        }
        let said = *verdicts.borrow_and_update();
        if let Some(said) = said {
            return said;
        }
    }
}
