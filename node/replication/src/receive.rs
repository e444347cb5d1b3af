//! The receiver's task: merges what arrives, says how far it got, and looks after the records of
//! publishers that are gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use herd_crdt::group::GroupFormat;
use parking_lot::Mutex;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::{Instant, sleep_until};

use self::garbled::Garbled;
use super::adoption::OrphanSchedule;
use super::clocks::ClockWatch;
use super::engine::Engine;
use super::expiry_views::Rejoin;
use super::figures::Figures;
use super::incarnation::Incarnation;
use super::kept_groups::KeptGroups;
use super::link_words::{LinkTeller, LinkWord};
use super::links::Links;
use super::membership::Membership;
use super::parts::Parts;
use super::report::{Applied, AppliedReport};
use super::settlement::{SettlementTeller, Settlements};
use super::store_feed::StoreFeed;
use super::timing::{ADOPTION_REVIEW, RECEIVER_TICK};
use herd_locations::Locations;
use herd_storage::{StorageWriter, SyncState, Ticket};
use herd_telemetry::watchdog::Watched;

mod forgetting;
mod garbled;
mod gone;
mod merge;
mod settling;

use forgetting::Forgetting;

/// Merges what other servers publish, for as long as the engine runs. Returns when another server
/// has buried this incarnation: then it takes a new one.
pub(super) async fn receive(
    parts: Parts,
    engine: Arc<Engine>,
    known: OwnedMutexGuard<Known>,
    allowed_skew: Option<Duration>,
    format: GroupFormat,
) -> Incarnation {
    let Parts {
        locations,
        links,
        figures,
        settlements,
        rejoin,
        ..
    } = parts;
    let watchdogs = figures.watchdogs().clone();
    let mut synced = known.feed.writer().map(StorageWriter::synced);
    let mut receiver = Receiver {
        began: Instant::now(),
        listens_since_ns: links.chance.now_ns(),
        kept: KeptGroups::new(engine.incarnation().clone(), format),
        locations,
        engine,
        links,
        figures,
        settlements,
        rejoin,
        known,
        format,
        merged: Vec::new(),
        schedule: OrphanSchedule::default(),
        undecoded: BTreeMap::new(),
        garbled: Garbled::default(),
        buried: Vec::new(),
        links_of: BTreeMap::new(),
        teller: LinkTeller::default(),
        settlement: SettlementTeller::default(),
        adopted: 0,
        given_up: 0,
        next_review: Instant::now() + ADOPTION_REVIEW,
        next_ask: Instant::now(),
        clock_watch: ClockWatch::default(),
        allowed_skew,
        forgetting: Forgetting::default(),
        watched: watchdogs.receiver.begin(),
        gossip_watched: watchdogs.gossip.begin(),
        heartbeat: 0,
    };
    let mut next_look = Instant::now();
    loop {
        // Whichever comes first.
        let look_at_gossip = tokio::select! {
            biased;
            () = receiver.engine.changed() => true,
            () = sleep_until(next_look) => true,
            () = until_synced(&mut synced, receiver.known.feed.first_unsynced()) => false,
        };
        receiver.watched.heartbeat();
        if look_at_gossip && let Some(buried_by) = receiver.merge_changes().await {
            return buried_by;
        }
        receiver.report();
        if Instant::now() >= next_look {
            receiver.look_after_the_gone().await;
            next_look = Instant::now() + RECEIVER_TICK;
        }
    }
}

/// Resolves when this write is on disk; never without one, or when that cannot be any more.
async fn until_synced(synced: &mut Option<watch::Receiver<SyncState>>, ticket: Option<Ticket>) {
    if let Some(synced) = synced
        && let Some(ticket) = ticket
        && synced
            .wait_for(|state| state.synced >= ticket)
            .await
            .is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// What a server knows of the others, and of what it has stored of them. Outlives incarnations of
/// this server: the map refers to others by the numbers in it.
pub(super) struct Known {
    pub(super) membership: Membership,
    pub(super) feed: StoreFeed,
}

struct Receiver {
    locations: Arc<Locations>,
    engine: Arc<Engine>,
    links: Arc<Links>,
    figures: Arc<Figures>,
    /// What others told of their maps.
    settlements: Arc<Mutex<Settlements>>,
    rejoin: Rejoin,
    known: OwnedMutexGuard<Known>,
    format: GroupFormat,
    kept: KeptGroups,
    /// When this incarnation began to listen.
    began: Instant,
    /// The same by our wall clock.
    listens_since_ns: i64,
    /// The version merged of each incarnation.
    merged: Vec<(Incarnation, u64)>,
    schedule: OrphanSchedule,
    /// Groups that could not be decoded, by incarnation: those of a newer format are kept until a
    /// server that reads it comes along, so their incarnation is not buried.
    undecoded: BTreeMap<Incarnation, u64>,
    /// Groups that nobody can read.
    garbled: Garbled,
    /// Incarnations whose copies are empty here, oldest burial first.
    buried: Vec<Incarnation>,
    /// What others say of their links.
    links_of: BTreeMap<Incarnation, Arc<[LinkWord]>>,
    teller: LinkTeller,
    settlement: SettlementTeller,
    /// Records adopted and publications given up by this incarnation.
    adopted: usize,
    given_up: usize,
    /// When publications are looked through next for those that a server of lower rank has too, though
    /// nobody came or went: clients may have had them published again.
    next_review: Instant,
    /// When what the living deliver may be looked at next for the sake of kept records.
    next_ask: Instant,
    clock_watch: ClockWatch,
    /// How far a neighbour's clock may differ from ours; `None` for no limit.
    allowed_skew: Option<Duration>,
    forgetting: Forgetting,
    watched: Watched,
    /// Of the engine's loop, which this task sees by its heartbeat.
    gossip_watched: Watched,
    heartbeat: u64,
}

/// However the incarnation ends: while it lasted, its groups in the store were all that some records had there.
impl Drop for Receiver {
    fn drop(&mut self) {
        self.kept.hand_over(&self.known.feed.held, &self.locations);
    }
}

impl Receiver {
    /// Tells the neighbours how far we have got.
    fn report(&mut self) {
        let synced = match self.known.feed.writer() {
            Some(writer) => writer.synced().borrow().synced,
            None => Ticket::default(),
        };
        let durable = self.known.feed.durable(synced);
        let applied = self.merged.iter().map(|(incarnation, merged)| {
            let merged = self.garbled.limit(incarnation, *merged);
            let durable = durable.get(incarnation).copied().unwrap_or(0);
            let applied = Applied {
                merged,
                durable: durable.min(merged),
            };
            (incarnation.clone(), applied)
        });
        self.links.publish_report(AppliedReport::new(applied));
    }
}
