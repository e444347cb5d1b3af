//! What all links of a server share: who it is, who its neighbours are, and where frames go.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context as _;
use chitchat::{ChitchatMessage, Deserializable as _};
use herd_crdt::ServerName;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::chance::Chance;
use super::clocks::ClockView;
use super::guard::{Guard, Standpoint};
use super::inbound::Inbox;
use super::incarnation::{Incarnation, next_generation};
use super::known_ids::KnownIds;
use super::link::closed_counts::ClosedCounts;
use super::link_words::LinkWord;
use super::neighbour::{Neighbour, NeighbourConfig, delta_bytes};
use super::report::AppliedReport;
use super::rounds::Rounds;
use super::settlement::Settlements;
use super::status::{ReplicationStatus, ReplicationWatchdogs, SlotsStatus};
use super::storing::StorageState;
use herd_storage::StorageWriter;
use herd_telemetry::histogram::{Histogram, TRAVEL_ENDS};
use herd_topology::gossip_address;

/// A century: the upper 48 bits of a generation are milliseconds.
const GENERATION_AHEAD_MAX: u64 = (100 * 366 * 24 * 3_600 * 1_000) << 16;

/// Notes connections from and to other servers somewhere besides the log.
pub trait LinkObserver: Send + Sync + 'static {
    /// A link was made.
    fn link_made(&self, neighbour: &str, remote: &str);
    /// A link was lost.
    fn link_lost(&self, neighbour: &str, remote: &str, reason: &str);
}

/// A server's place in its herd, as its configuration has it.
#[derive(Clone, Debug)]
pub struct HerdView {
    /// The name of the herd; servers of another one are refused.
    pub cluster: String,
    /// This server.
    pub me: ServerName,
    /// All servers of the topology, in its order.
    pub servers: Vec<ServerName>,
    /// Those that this one has a link to.
    pub neighbours: Vec<NeighbourConfig>,
}

/// What a handshake may make of this server's incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnStanding {
    /// A neighbour remembers this generation of our name; ours has to be greater.
    MustExceed(u64),
    /// A live process of our name has this greater generation.
    Superseded(u64),
}

impl OwnStanding {
    /// The generation that ours has to exceed.
    #[must_use]
    pub fn known(self) -> u64 {
        let (OwnStanding::MustExceed(known) | OwnStanding::Superseded(known)) = self;
        known
    }
}

/// See the module.
pub struct Links {
    /// This server's place in the herd.
    pub view: HerdView,
    neighbours: Vec<Arc<Neighbour>>,
    /// The rounds of gossip that are under way.
    pub(super) rounds: Rounds,
    /// Our generation; a change ends all connections, so that they are made anew under it.
    generation: watch::Sender<u64>,
    /// What looks at messages before chitchat does.
    pub guard: Guard,
    /// Where messages for chitchat go, while it runs.
    pub(super) inbox: Inbox,
    /// The last generation under which something was published, and the version of that.
    published: Mutex<(u64, u64)>,
    /// What we tell the neighbours of our progress.
    applied: watch::Sender<Arc<AppliedReport>>,
    /// Which incarnations chitchat may know.
    pub(super) ids: Mutex<KnownIds>,
    /// Whoever holds it has chitchat to itself but for its ticks: no message is being processed.
    pub(super) message_gate: Arc<tokio::sync::Mutex<()>>,
    /// Ids that neighbours spoke of and for which there was no room.
    pub(super) ids_refused: AtomicU64,
    /// The greatest generation of each server that we know of.
    known: Mutex<BTreeMap<ServerName, u64>>,
    /// The greatest generation of each server that gossip holds for live.
    live: Mutex<BTreeMap<ServerName, u64>>,
    /// What others told of their maps.
    pub(super) settlements: Mutex<Settlements>,
    /// A neighbour has said how far it got.
    reported: Notify,
    /// The last question to the neighbours whether they are there; see [`Links::ask`].
    question: AtomicU64,
    standing: watch::Sender<Option<OwnStanding>>,
    status: Mutex<ReplicationStatus>,
    storage: watch::Sender<StorageState>,
    clocks: Mutex<ClockView>,
    store_writer: Mutex<Option<StorageWriter>>,
    /// The floor of expiry that the store held at the start.
    floor_at_start: Mutex<Option<i64>>,
    slots: Mutex<SlotsStatus>,
    /// The neighbour whose message chitchat is processing, or processed last.
    processing: Mutex<Option<SocketAddr>>,
    /// Messages that chitchat wanted to send to nobody's neighbour, or without the pacer's leave.
    suppressed: AtomicU64,
    /// Peer connections that did not become links.
    closed: ClosedCounts,
    /// By origin server: from receipt there to receipt here.
    propagation: BTreeMap<ServerName, Histogram>,
    /// Signs of life of the loops of each incarnation.
    pub(super) watchdogs: ReplicationWatchdogs,
    /// The receiver is to merge again all that this server holds of others.
    rejoin: AtomicBool,
    pub(super) observer: Option<Arc<dyn LinkObserver>>,
    pub(super) chance: Chance,
}

impl Links {
    /// All links down, under a first generation.
    #[must_use]
    pub fn new(view: HerdView, chance: Chance, observer: Option<Arc<dyn LinkObserver>>) -> Self {
        let generation = next_generation(chance.id(), 0);
        let neighbours = view
            .neighbours
            .iter()
            .map(|config| Arc::new(Neighbour::new(config.clone(), gossip_address(&config.name))))
            .collect();
        let others = view.servers.iter().filter(|&name| *name != view.me);
        let propagation = others
            .map(|name| (name.clone(), Histogram::new(TRAVEL_ENDS)))
            .collect();
        Links {
            guard: Guard::new(&view.servers),
            ids: Mutex::new(KnownIds::new(&view.servers)),
            inbox: Inbox::default(),
            published: Mutex::default(),
            rounds: Rounds::new(view.neighbours.iter().map(|config| &config.name)),
            view,
            neighbours,
            propagation,
            generation: watch::Sender::new(generation),
            applied: watch::Sender::new(Arc::default()),
            message_gate: Arc::default(),
            ids_refused: AtomicU64::new(0),
            known: Mutex::default(),
            live: Mutex::default(),
            settlements: Mutex::default(),
            reported: Notify::new(),
            question: AtomicU64::new(0),
            standing: watch::Sender::new(None),
            status: Mutex::default(),
            storage: watch::Sender::new(StorageState::default()),
            clocks: Mutex::default(),
            store_writer: Mutex::default(),
            floor_at_start: Mutex::default(),
            slots: Mutex::default(),
            processing: Mutex::new(None),
            suppressed: AtomicU64::new(0),
            closed: ClosedCounts::default(),
            watchdogs: ReplicationWatchdogs::default(),
            rejoin: AtomicBool::new(false),
            observer,
            chance,
        }
    }

    /// All neighbours.
    pub fn neighbours(&self) -> &[Arc<Neighbour>] {
        &self.neighbours
    }

    /// The neighbour of this name.
    pub fn neighbour(&self, name: &str) -> Option<&Arc<Neighbour>> {
        self.neighbours
            .iter()
            .find(|neighbour| *neighbour.config.name == *name)
    }

    /// This server's incarnation.
    pub fn incarnation(&self) -> Incarnation {
        Incarnation {
            server: self.view.me.clone(),
            generation: *self.generation.borrow(),
        }
    }

    pub(super) fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Takes on a later generation than this, unless ours is later already; all connections end and are made anew under
    /// it. It never falls: another process may know the one that we had.
    pub(super) fn exceed_generation(&self, known: u64) {
        self.generation.send_if_modified(|generation| {
            let is_short = *generation <= known;
            if is_short {
                *generation = next_generation(self.chance.id(), known);
            }
            is_short
        });
    }

    /// Hands a message to chitchat past the guard, in a neighbour's name: for tests of what contains the engine if
    /// that fails.
    ///
    /// # Errors
    /// If it is no message, or there is no such neighbour.
    pub async fn hand_in_unguarded(&self, neighbour: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let neighbour = self.neighbour(neighbour).context("no such neighbour")?;
        let message = ChitchatMessage::deserialize(&mut &*bytes)?;
        self.inbox.hand_in(neighbour.gossip_address, message).await;
        Ok(())
    }

    /// The state of an incarnation of ours has this version. To be called before anybody can hear of it.
    pub(super) fn note_published(&self, generation: u64, version: u64) {
        let mut published = self.published.lock();
        *published = (*published).max((generation, version));
    }

    /// The version of what this incarnation has published.
    pub(super) fn published(&self, generation: u64) -> u64 {
        let (last, version) = *self.published.lock();
        if last == generation { version } else { 0 }
    }

    /// The incarnation that a neighbour's report speaks of; `None` if that is of no use here.
    pub(super) fn reported_on(&self, server: &str, generation: u64) -> Option<Incarnation> {
        self.guard
            .reported(server, generation)
            .filter(|incarnation| self.is_plausible(incarnation.generation))
            .filter(|incarnation| !self.ids.lock().is_forgotten(incarnation))
    }

    /// A neighbour's report, which cannot have merged more of ours than there is.
    pub(super) fn believable(&self, report: AppliedReport) -> AppliedReport {
        let own = self.incarnation();
        let published = self.published(own.generation);
        report.limited(&own, published)
    }

    /// What gossip of others is judged by.
    pub(super) fn standpoint<'a>(&'a self, own: &'a Incarnation) -> Standpoint<'a> {
        Standpoint {
            cluster: &self.view.cluster,
            own,
            own_version: self.published(own.generation),
            generation_max: self.generation_max(),
        }
    }

    /// Hands chitchat a message of this server's own.
    pub(super) async fn hand_in_own(&self, message: ChitchatMessage) {
        let me = gossip_address(&self.view.me);
        self.inbox.hand_in(me, message).await;
    }

    /// chitchat takes up a message of this neighbour.
    pub(super) fn set_processing(&self, from: SocketAddr) {
        *self.processing.lock() = Some(from);
    }

    /// chitchat has processed the last message of a round that this neighbour began, or a push of its.
    pub(super) fn their_round_ended(&self, from: SocketAddr) {
        let mut neighbours = self.neighbours.iter();
        if let Some(neighbour) = neighbours.find(|neighbour| neighbour.gossip_address == from) {
            self.rounds.theirs_ended(&neighbour.config.name);
        }
    }

    /// No message is at fault for what happens until the next one.
    pub(super) fn forget_processing(&self) {
        *self.processing.lock() = None;
    }

    /// The neighbour whose message chitchat is processing, or processed last.
    pub(super) fn processing(&self) -> Option<SocketAddr> {
        *self.processing.lock()
    }

    /// Takes a message that chitchat wants to send.
    pub(super) fn send(&self, to: SocketAddr, message: ChitchatMessage) {
        let neighbour = self
            .neighbours
            .iter()
            .find(|neighbour| neighbour.gossip_address == to);
        let delta_bytes = delta_bytes(&message);
        let taken = neighbour.is_some_and(|neighbour| {
            let sent = neighbour.offer(message);
            if sent && let Some(bytes) = delta_bytes {
                self.rounds.note_delta(&neighbour.config.name, bytes);
            }
            sent
        });
        if !taken {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many peer connections did not become links, by why.
    pub fn closed(&self) -> &ClosedCounts {
        &self.closed
    }

    /// How many messages of chitchat went nowhere.
    pub fn suppressed(&self) -> u64 {
        self.suppressed.load(Ordering::Relaxed)
    }

    /// Tells the neighbours how far we have merged.
    pub(super) fn publish_report(&self, report: AppliedReport) {
        self.applied.send_if_modified(|current| {
            let changed = **current != report;
            if changed {
                *current = Arc::new(report);
            }
            changed
        });
    }

    pub(super) fn applied(&self) -> watch::Receiver<Arc<AppliedReport>> {
        self.applied.subscribe()
    }

    /// A neighbour has said how far it got.
    pub(super) fn note_report(&self) {
        self.reported.notify_one();
    }

    /// Resolves when a neighbour has said how far it got since the last call. For one task.
    pub(super) async fn reported(&self) {
        self.reported.notified().await;
    }

    /// The last question that neighbours were asked.
    pub(super) fn question(&self) -> u64 {
        self.question.load(Ordering::Acquire)
    }

    /// Asks every neighbour whether it is there: a round of gossip that begins from now on is the question, and its end
    /// the answer. Questions rise.
    pub(super) fn ask(&self, question: u64) {
        self.question.store(question, Ordering::Release);
        self.kick_all();
    }

    /// There is news for every neighbour.
    pub fn kick_all(&self) {
        self.kick_others(&[]);
    }

    /// There is news for every neighbour but the one that all of it came from.
    pub(super) fn kick_others(&self, senders: &[SocketAddr]) {
        for neighbour in &self.neighbours {
            if *senders != [neighbour.gossip_address] {
                neighbour.kick();
            }
        }
    }

    /// By origin server: how long reports took from their receipt there to here, by the wall clocks of
    /// the two. One is measured for each group with news, the latest in it.
    #[must_use]
    pub fn propagation(&self) -> &BTreeMap<ServerName, Histogram> {
        &self.propagation
    }

    /// How far this server has merged what `incarnation` publishes.
    #[must_use]
    pub fn merged(&self, incarnation: &Incarnation) -> u64 {
        self.applied.borrow().of(incarnation).merged
    }

    /// The newest version of what `incarnation` publishes that a neighbour knows, by its last report;
    /// of its own each knows the newest there is. 0 if none does.
    #[must_use]
    pub fn known_version(&self, incarnation: &Incarnation) -> u64 {
        let neighbours = self.neighbours.iter();
        let known = neighbours.filter_map(|neighbour| neighbour.applied(incarnation));
        known.map(|applied| applied.merged).max().unwrap_or(0)
    }

    /// How many groups of this server a neighbour has not merged yet; `None` while it has not said.
    #[must_use]
    pub fn lag_of(&self, neighbour: &Neighbour) -> Option<u64> {
        let applied = neighbour.applied(&self.incarnation())?;
        Some(self.slots().version.saturating_sub(applied.merged))
    }

    /// What this server says of its links.
    pub(super) fn words(&self) -> Vec<LinkWord> {
        let word = |neighbour: &Arc<Neighbour>| LinkWord {
            neighbour: neighbour.config.name.clone(),
            up: neighbour.is_up(),
            lag_groups: self.lag_of(neighbour),
        };
        self.neighbours.iter().map(word).collect()
    }

    /// Signs of life of replication's loops.
    #[must_use]
    pub fn watchdogs(&self) -> &ReplicationWatchdogs {
        &self.watchdogs
    }

    /// The greatest generation of `server` that we know of, 0 if none.
    pub fn known_generation(&self, server: &str) -> u64 {
        self.known.lock().get(server).copied().unwrap_or(0)
    }

    pub(super) fn note_known(&self, incarnation: &Incarnation) {
        if self.is_plausible(incarnation.generation) {
            raise(&mut self.known.lock(), incarnation);
        }
    }

    /// Whether a generation lies less than a century ahead of our clock. Beyond that it is a lie, or
    /// damage: to exceed it would leave no later generation.
    pub(super) fn is_plausible(&self, generation: u64) -> bool {
        generation <= self.generation_max()
    }

    fn generation_max(&self) -> u64 {
        next_generation(self.chance.id(), 0).saturating_add(GENERATION_AHEAD_MAX)
    }

    /// Replaces what we know of who is live.
    pub(super) fn set_live<'a>(&self, live: impl Iterator<Item = &'a Incarnation>) {
        let mut newest = BTreeMap::new();
        for incarnation in live {
            raise(&mut newest, incarnation);
        }
        *self.live.lock() = newest;
    }

    /// The greatest generation of `server` that is live: by gossip, or at the end of a link.
    pub(super) fn live_generation(&self, server: &str) -> u64 {
        let by_gossip = self.live.lock().get(server).copied().unwrap_or(0);
        let by_link = self.neighbour(server).and_then(|neighbour| {
            neighbour
                .connection
                .lock()
                .as_ref()
                .map(|connection| connection.generation)
        });
        by_gossip.max(by_link.unwrap_or(0))
    }

    /// What has become of the store, and its changes.
    pub fn storage(&self) -> watch::Receiver<StorageState> {
        self.storage.subscribe()
    }

    /// The store is open, and held this floor of expiry.
    pub(super) fn set_store(&self, writer: StorageWriter, floor_at_start_ns: Option<i64>) {
        *self.store_writer.lock() = Some(writer);
        *self.floor_at_start.lock() = floor_at_start_ns;
        self.storage.send_if_modified(|state| {
            // Its writer's thread runs already, and may have failed.
            let loaded = matches!(state, StorageState::Loading);
            if loaded {
                *state = StorageState::Open;
            }
            loaded
        });
    }

    /// The way to the store, if it is open.
    pub fn store_writer(&self) -> Option<StorageWriter> {
        self.store_writer.lock().clone()
    }

    pub(super) fn floor_at_start(&self) -> Option<i64> {
        *self.floor_at_start.lock()
    }

    /// The clocks of the neighbours that are connected, less ours, in ns.
    pub fn clock_offsets_ns(&self) -> Vec<i64> {
        let now_ns = self.chance.now_ns();
        let neighbours = self.neighbours.iter();
        let offsets = neighbours.filter_map(|n| n.clock_offset_ns(now_ns));
        offsets.collect()
    }

    /// How our clock compares with those of the neighbours.
    pub fn clocks(&self) -> ClockView {
        *self.clocks.lock()
    }

    pub(super) fn set_clocks(&self, view: ClockView) {
        *self.clocks.lock() = view;
    }

    pub(super) fn set_storage(&self, state: StorageState) {
        self.storage.send_replace(state);
    }

    /// The state of replication at the receiver's last look.
    pub fn status(&self) -> ReplicationStatus {
        self.status.lock().clone()
    }

    pub(super) fn set_status(&self, status: ReplicationStatus) {
        *self.status.lock() = status;
    }

    /// What this incarnation publishes, after the publisher's last round.
    pub fn slots(&self) -> SlotsStatus {
        *self.slots.lock()
    }

    pub(super) fn set_slots(&self, slots: SlotsStatus) {
        *self.slots.lock() = slots;
    }

    /// Asks the receiver to merge again, at its next look, all that other servers publish.
    pub fn rejoin(&self) {
        self.rejoin.store(true, Ordering::Release);
    }

    /// Whether [`Links::rejoin`] was called since the last call.
    pub(super) fn take_rejoin(&self) -> bool {
        self.rejoin.swap(false, Ordering::AcqRel)
    }

    pub(super) fn note_standing(&self, standing: OwnStanding) {
        self.standing.send_replace(Some(standing));
    }

    /// What handshakes say of our incarnation.
    pub(super) fn standing(&self) -> watch::Receiver<Option<OwnStanding>> {
        self.standing.subscribe()
    }
}

fn raise(generations: &mut BTreeMap<ServerName, u64>, incarnation: &Incarnation) {
    let newest = generations.entry(incarnation.server.clone()).or_insert(0);
    *newest = incarnation.generation.max(*newest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use herd_clock::clock::SystemClock;

    fn links() -> Links {
        let view = HerdView {
            cluster: "herd".to_owned(),
            me: "Hill".into(),
            servers: vec!["Hill".into()],
            neighbours: Vec::new(),
        };
        Links::new(view, Chance::new(Arc::new(SystemClock), 1), None)
    }

    /// The store may know less than a handshake that came before it was read.
    #[test]
    fn a_generation_never_falls() {
        let links = links();
        let ahead = links.incarnation().generation + (1 << 40);
        links.exceed_generation(ahead);
        let exceeded = links.incarnation().generation;
        assert!(exceeded > ahead);
        let mut changes = links.generation();
        for known in [0, 1, ahead, exceeded - 1] {
            links.exceed_generation(known);
            assert_eq!(links.incarnation().generation, exceeded);
        }
        assert!(!changes.has_changed().unwrap(), "connections stay");
        links.exceed_generation(exceeded);
        assert!(*changes.borrow_and_update() > exceeded);
    }

    #[test]
    fn what_an_incarnation_published_is_known_of_it_alone() {
        let links = links();
        links.note_published(7, 3);
        links.note_published(7, 2);
        assert_eq!(links.published(7), 3);
        assert_eq!(links.published(8), 0);
        links.note_published(8, 1);
        links.note_published(7, 9);
        assert_eq!((links.published(7), links.published(8)), (0, 1));
    }
}
