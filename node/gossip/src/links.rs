//! What all links of a server share: who it is, who its neighbours are, and where frames go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use chitchat::{ChitchatMessage, Deserializable as _};
use herd_crdt::ServerName;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::entropy::Entropy;
use super::fifo_watch::{FifoReceiver, FifoWatch};
use super::guard::{Guard, Standpoint};
use super::identity::{Identity, generation_max};
use super::inbound::Inbox;
use super::incarnation::Incarnation;
use super::link::closed_counts::ClosedCounts;
use super::link::counts::delta_bytes;
use super::link::offer::Offer;
use super::neighbour::{Neighbour, NeighbourConfig};
use super::rounds::Rounds;
use super::syn_ack::syn_ack;
use herd_replica::known_ids::KnownIds;
use herd_replica::link_words::LinkWord;
use herd_replica::push::Comparison;
use herd_replica::report::AppliedReport;
use herd_replica::verdict::IncarnationVerdict;
use herd_topology::gossip_address;

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

/// See the module.
pub struct Links {
    /// This server's place in the herd.
    pub view: HerdView,
    neighbours: Vec<Arc<Neighbour>>,
    /// What this server can speak over links.
    offer: Mutex<Offer>,
    /// The rounds of gossip that are under way.
    pub rounds: Rounds,
    identity: Identity,
    /// What looks at messages before chitchat does.
    pub guard: Guard,
    /// Where messages for chitchat go, while it runs.
    pub(crate) inbox: Inbox,
    /// What we tell the neighbours of our progress.
    applied: FifoWatch<Arc<AppliedReport>>,
    /// Which incarnations chitchat may know.
    pub ids: Mutex<KnownIds>,
    /// Whoever holds it has chitchat to itself but for its ticks: no message is being processed.
    pub(crate) message_gate: Arc<tokio::sync::Mutex<()>>,
    /// Ids that neighbours spoke of and for which there was no room.
    pub(crate) ids_refused: AtomicU64,
    /// A neighbour has said how far it got.
    reported: Notify,
    /// The last question to the neighbours whether they are there; see [`Links::ask`].
    question: AtomicU64,
    /// What this incarnation had published after the publisher's last round.
    round_version: AtomicU64,
    /// The neighbour whose message chitchat is processing, or processed last.
    processing: Mutex<Option<SocketAddr>>,
    /// Messages that chitchat wanted to send to nobody's neighbour or over a link that is down, and rounds of its own.
    suppressed: AtomicU64,
    /// Peer connections that did not become links.
    closed: ClosedCounts,
    pub(crate) observer: Option<Arc<dyn LinkObserver>>,
    /// The wall clock, and jitter.
    pub entropy: Entropy,
}

impl Links {
    /// All links down, under a first generation.
    #[must_use]
    pub fn new(view: HerdView, entropy: Entropy, observer: Option<Arc<dyn LinkObserver>>) -> Self {
        let identity = Identity::new(view.me.clone(), &entropy);
        let neighbours = view
            .neighbours
            .iter()
            .map(|config| Arc::new(Neighbour::new(config.clone(), gossip_address(&config.name))))
            .collect();
        Links {
            guard: Guard::new(&view.servers),
            ids: Mutex::new(KnownIds::new(&view.servers)),
            inbox: Inbox::default(),
            rounds: Rounds::new(view.neighbours.iter().map(|config| &config.name)),
            view,
            neighbours,
            offer: Mutex::new(Offer::PRESENT),
            identity,
            applied: FifoWatch::new(Arc::default()),
            message_gate: Arc::default(),
            ids_refused: AtomicU64::new(0),
            reported: Notify::new(),
            question: AtomicU64::new(0),
            round_version: AtomicU64::new(0),
            processing: Mutex::new(None),
            suppressed: AtomicU64::new(0),
            closed: ClosedCounts::default(),
            observer,
            entropy,
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

    /// What this server can speak over links.
    pub fn offer(&self) -> Offer {
        *self.offer.lock()
    }

    /// Speaks something else over links made from now on than [`Offer::PRESENT`], for tests of upgrades.
    pub fn set_offer(&self, offer: Offer) {
        *self.offer.lock() = offer;
    }

    /// This server's incarnation.
    pub fn incarnation(&self) -> Incarnation {
        self.identity.incarnation()
    }

    pub(crate) fn generation(&self) -> FifoReceiver<u64> {
        self.identity.generation()
    }

    /// Takes on a later generation than this, unless ours is later already: all links are made anew under it.
    pub fn exceed_generation(&self, known: u64) {
        self.identity.exceed_generation(known, &self.entropy);
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

    /// See [`Identity::note_published`].
    pub(crate) fn note_published(&self, generation: u64, version: u64) {
        self.identity.note_published(generation, version);
    }

    /// See [`Identity::note_claimed`].
    pub(super) fn note_claimed(&self, generation: u64, heartbeat: u64) {
        self.identity.note_claimed(generation, heartbeat);
    }

    /// See [`Identity::claimed`].
    pub(super) fn claimed_heartbeat(&self, generation: u64) -> u64 {
        self.identity.claimed(generation)
    }

    /// The incarnation that a neighbour's report speaks of; `None` if that is of no use here.
    pub(crate) fn reported_on(&self, server: &str, generation: u64) -> Option<Incarnation> {
        self.guard
            .reported(server, generation)
            .filter(|incarnation| self.is_plausible(incarnation.generation))
            .filter(|incarnation| !self.ids.lock().is_forgotten(incarnation))
    }

    /// A neighbour's report, which cannot have merged more of ours than there is.
    pub(crate) fn believable(&self, report: AppliedReport) -> AppliedReport {
        let own = self.incarnation();
        let published = self.identity.published(own.generation);
        report.limited(&own, published)
    }

    /// What gossip of others is judged by.
    pub(crate) fn standpoint<'a>(&'a self, own: &'a Incarnation) -> Standpoint<'a> {
        Standpoint {
            cluster: &self.view.cluster,
            own,
            own_version: self.identity.published(own.generation),
            generation_max: generation_max(&self.entropy),
        }
    }

    /// Hands chitchat a message of this server's own.
    pub(crate) async fn hand_in_own(&self, message: ChitchatMessage) {
        let me = gossip_address(&self.view.me);
        self.inbox.hand_in(me, message).await;
    }

    /// Makes chitchat send this neighbour what it lacks; see [`herd_replica::push`]. Returns false if there are more
    /// incarnations than a digest can name: nothing is sent then.
    pub async fn push(&self, neighbour: &Neighbour, comparison: &Comparison) -> bool {
        let Some(syn_ack) = syn_ack(comparison) else {
            return false;
        };
        neighbour.counts.pushes.fetch_add(1, Ordering::Relaxed);
        self.inbox.hand_in(neighbour.gossip_address, syn_ack).await;
        true
    }

    /// chitchat takes up a message of this neighbour.
    pub(crate) fn set_processing(&self, from: SocketAddr) {
        *self.processing.lock() = Some(from);
    }

    /// chitchat has processed the last message of a round that this neighbour began, or a push of its.
    pub(crate) fn their_round_ended(&self, from: SocketAddr) {
        let mut neighbours = self.neighbours.iter();
        if let Some(neighbour) = neighbours.find(|neighbour| neighbour.gossip_address == from) {
            self.rounds.theirs_ended(&neighbour.config.name);
        }
    }

    /// No message is at fault for what happens until the next one.
    pub fn forget_processing(&self) {
        *self.processing.lock() = None;
    }

    /// The neighbour whose message chitchat is processing, or processed last.
    pub fn processing(&self) -> Option<SocketAddr> {
        *self.processing.lock()
    }

    /// Takes a message that chitchat wants to send.
    pub(crate) fn send(&self, to: SocketAddr, message: ChitchatMessage) {
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
            self.note_suppressed();
        }
    }

    /// A message of chitchat goes nowhere.
    pub(crate) fn note_suppressed(&self) {
        self.suppressed.fetch_add(1, Ordering::Relaxed);
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
    pub fn publish_report(&self, report: AppliedReport) {
        self.applied.send_if_modified(|current| {
            let changed = **current != report;
            if changed {
                *current = Arc::new(report);
            }
            changed
        });
    }

    pub(crate) fn applied(&self) -> FifoReceiver<Arc<AppliedReport>> {
        self.applied.subscribe()
    }

    /// What we tell the neighbours of our progress.
    pub fn applied_report(&self) -> Arc<AppliedReport> {
        self.applied.borrow().clone()
    }

    /// Rises when this server has merged something.
    pub fn applied_progress(&self) -> u64 {
        self.applied.borrow().progress()
    }

    /// A neighbour has said how far it got.
    pub fn note_report(&self) {
        self.reported.notify_one();
    }

    /// Resolves when a neighbour has said how far it got since the last call. For one task.
    pub async fn reported(&self) {
        self.reported.notified().await;
    }

    /// The last question that neighbours were asked.
    pub fn question(&self) -> u64 {
        self.question.load(Ordering::Acquire)
    }

    /// Asks every neighbour whether it is there: a round of gossip that begins from now on is the question, and its end
    /// the answer. Questions rise.
    pub fn ask(&self, question: u64) {
        self.question.store(question, Ordering::Release);
        self.kick_all();
    }

    /// There is news for every neighbour.
    pub fn kick_all(&self) {
        self.kick_others(&[]);
    }

    /// There is news for every neighbour but the one that all of it came from.
    pub fn kick_others(&self, senders: &[SocketAddr]) {
        for neighbour in &self.neighbours {
            if *senders != [neighbour.gossip_address] {
                neighbour.kick();
            }
        }
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
        Some(self.round_version().saturating_sub(applied.merged))
    }

    /// What this server says of its links.
    pub fn words(&self) -> Vec<LinkWord> {
        let word = |neighbour: &Arc<Neighbour>| LinkWord {
            neighbour: neighbour.config.name.clone(),
            up: neighbour.is_up(),
            lag_groups: self.lag_of(neighbour),
        };
        self.neighbours.iter().map(word).collect()
    }

    /// The version of our state after the publisher's last round.
    fn round_version(&self) -> u64 {
        self.round_version.load(Ordering::Relaxed)
    }

    /// The publisher's last round has brought our state to this version.
    pub fn set_round_version(&self, version: u64) {
        self.round_version.store(version, Ordering::Relaxed);
    }

    /// The greatest generation of `server` that we know of, 0 if none.
    pub fn known_generation(&self, server: &str) -> u64 {
        self.identity.known_generation(server)
    }

    /// An incarnation is known, to gossip or to a neighbour; one that cannot be is left out.
    pub fn note_known(&self, incarnation: &Incarnation) {
        if self.is_plausible(incarnation.generation) {
            self.identity.note_known(incarnation);
        }
    }

    /// Whether a generation lies less than a century ahead of our clock; see [`generation_max`].
    pub(crate) fn is_plausible(&self, generation: u64) -> bool {
        generation <= generation_max(&self.entropy)
    }

    /// Gossip holds these incarnations for live, and no others.
    pub fn set_live<'a>(&self, live: impl Iterator<Item = &'a Incarnation>) {
        self.identity.set_live(live);
    }

    /// The greatest generation of `server` that is live: by gossip, or at the end of a link.
    pub fn live_generation(&self, server: &str) -> u64 {
        let by_gossip = self.identity.live_generation(server);
        let by_link = self.neighbour(server).and_then(|neighbour| {
            neighbour
                .connection
                .lock()
                .as_ref()
                .map(|connection| connection.generation)
        });
        by_gossip.max(by_link.unwrap_or(0))
    }

    /// The clocks of all neighbours less ours, in ns; `None` for one that is not connected.
    pub fn clock_offsets(&self) -> Vec<(&ServerName, Option<i64>)> {
        let now_ns = self.entropy.now_ns();
        let neighbours = self.neighbours.iter();
        let offsets = neighbours.map(|n| (&n.config.name, n.clock_offset_ns(now_ns)));
        offsets.collect()
    }

    /// The clocks of the neighbours that are connected, less ours, in ns.
    pub fn clock_offsets_ns(&self) -> Vec<i64> {
        let offsets = self.clock_offsets().into_iter();
        offsets.filter_map(|(_, offset_ns)| offset_ns).collect()
    }

    /// See [`IncarnationVerdict`].
    pub fn note_verdict(&self, verdict: IncarnationVerdict) {
        self.identity.note_verdict(verdict);
    }

    /// What others say of our incarnation.
    pub fn verdict(&self) -> watch::Receiver<Option<IncarnationVerdict>> {
        self.identity.verdict()
    }
}
