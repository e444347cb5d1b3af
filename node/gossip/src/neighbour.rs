//! One neighbour in the topology: what its link, its pacer and the gossip engine share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use chitchat::{ChitchatMessage, Serializable};
use herd_crdt::ServerName;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::incarnation::Incarnation;
use super::join_pace::JoinPace;
use super::link::counts::LinkCounts;
use super::link::offer::Protocol;
use super::queue::DropOldest;
use super::timing::{
    LINK_QUEUE_FRAMES_MAX, LINK_SILENCE_MAX, RECONNECT_LOG_INTERVAL, RESTART_PAUSE_MAX,
    RESTART_PAUSE_MIN,
};
use herd_marks::{self as marks, Mark};
use herd_replica::backoff::Backoff;
use herd_replica::baseline::{Baseline, Behind};
use herd_replica::report::{Applied, AppliedReport};
use herd_replica::settlement::Settlements;

/// A neighbour, as the topology has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighbourConfig {
    /// Its name.
    pub name: ServerName,
    /// `host:port` of its peer port. The host is resolved again for each connection.
    pub address: String,
    /// Whether this server is the one of the two that connects.
    pub dials: bool,
}

/// A connection that is up.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// Tells one connection of this neighbour from the next.
    pub(crate) number: u64,
    pub(crate) generation: u64,
    /// Ends this connection: for a newer one of the same neighbour, or because the link is cut.
    pub(crate) replaced: CancellationToken,
}

/// The state of a link as its pacer and the receiver see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkStatus {
    /// The neighbour's incarnation, while the link is up.
    pub up: Option<Incarnation>,
    /// What the link speaks, while it is up.
    pub protocol: Option<Protocol>,
    /// Its gossip runs: a round that begins before is never answered.
    pub gossips: bool,
    /// Tells one connection of this neighbour from the next: a round does not outlive its own.
    pub connection: u64,
}

/// The last report of a neighbour.
#[derive(Debug)]
struct Received {
    report: Arc<AppliedReport>,
    at: Instant,
    /// The neighbour's wall clock when it sent the report, in ns since the POSIX epoch.
    clock_ns: i64,
}

/// Messages of a neighbour that were refused.
#[derive(Debug)]
struct Faults {
    /// For how long the next one cuts the link.
    pauses: Backoff,
    last: Option<Instant>,
    logged: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub struct Neighbour {
    /// From the topology.
    pub config: NeighbourConfig,
    /// The neighbour's name as an address, for chitchat.
    pub gossip_address: SocketAddr,
    /// Figures.
    pub counts: LinkCounts,
    pub(crate) outbound: DropOldest<ChitchatMessage>,
    pub(crate) connection: Mutex<Option<Connection>>,
    status: watch::Sender<LinkStatus>,
    /// When the link was made or lost last.
    changed_at: Mutex<Instant>,
    /// Why the link was lost last, or could not be made since.
    trouble: Mutex<Option<String>>,
    /// Until then there was a link that stood for a while.
    stood_until: Mutex<Instant>,
    /// How often it may come with a new incarnation.
    joins: Mutex<JoinPace>,
    /// There is news for this neighbour.
    kick: Notify,
    /// Counts ACKs: each ends a round that we began, or is a push.
    acks: watch::Sender<u64>,
    /// The larger delta, of both ways, of the last round that we began, or of a push.
    delta_bytes: AtomicUsize,
    /// The last question of ours that it has answered since the link was made.
    answered: AtomicU64,
    /// Until then the link stays down.
    cut_until: Mutex<Option<Instant>>,
    /// Messages that were refused.
    faults: Mutex<Faults>,
    /// What the neighbour said last of how far it got, while the link is up.
    report: Mutex<Option<Received>>,
    /// What it knew when the link was made, since its gossip runs.
    baseline: Mutex<Option<Baseline>>,
}

impl Neighbour {
    /// A neighbour whose link is down.
    #[must_use]
    pub fn new(config: NeighbourConfig, gossip_address: SocketAddr) -> Self {
        Neighbour {
            config,
            gossip_address,
            counts: LinkCounts::default(),
            outbound: DropOldest::new(LINK_QUEUE_FRAMES_MAX),
            connection: Mutex::new(None),
            status: watch::Sender::new(LinkStatus::default()),
            changed_at: Mutex::new(Instant::now()),
            trouble: Mutex::new(None),
            stood_until: Mutex::new(Instant::now()),
            joins: Mutex::new(JoinPace::new(Instant::now())),
            kick: Notify::new(),
            acks: watch::Sender::new(0),
            delta_bytes: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
            cut_until: Mutex::new(None),
            faults: Mutex::new(Faults {
                pauses: Backoff::new(RESTART_PAUSE_MIN, RESTART_PAUSE_MAX),
                last: None,
                logged: None,
            }),
            report: Mutex::new(None),
            baseline: Mutex::new(None),
        }
    }

    /// Whether the link is up.
    pub fn is_up(&self) -> bool {
        self.status.borrow().up.is_some()
    }

    /// When the link was made or lost last; at first, when this server started.
    pub fn changed_at(&self) -> Instant {
        *self.changed_at.lock()
    }

    /// Why the link was lost last, or could not be made since; nothing if that never happened.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    /// Notes why the link was lost, or could not be made.
    pub(crate) fn note_trouble(&self, reason: String) {
        *self.trouble.lock() = Some(reason);
    }

    /// Until when there was a link that stood for at least [`LINK_SILENCE_MAX`]; now, if there is one. At first, when
    /// this server started: it counts as a link.
    pub fn stood_until(&self) -> Instant {
        let now = Instant::now();
        if self.is_up() && now.duration_since(self.changed_at()) >= LINK_SILENCE_MAX {
            return now;
        }
        *self.stood_until.lock()
    }

    /// Whether it may come with this incarnation now.
    pub(crate) fn may_join(&self, generation: u64) -> bool {
        self.joins.lock().may_join(generation, Instant::now())
    }

    /// The state of the link, and its changes.
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.status.subscribe()
    }

    /// A new connection is up: it takes the place of an older one, which is told to end. Returns its
    /// number.
    pub(crate) fn connected(
        &self,
        incarnation: &Incarnation,
        protocol: Protocol,
        replaced: CancellationToken,
    ) -> u64 {
        let number = self.counts.connects.fetch_add(1, Ordering::Relaxed);
        let generation = incarnation.generation;
        // The status changes under the lock of the connection, so that the two never disagree.
        let mut connection = self.connection.lock();
        if let Some(older) = connection.replace(Connection {
            number,
            generation,
            replaced,
        }) {
            older.replaced.cancel();
        }
        let up = Some(incarnation.clone());
        self.set_status(LinkStatus {
            up,
            protocol: Some(protocol),
            gossips: false,
            connection: number,
        });
        number
    }

    /// A connection has ended. Returns the generation of the one that took its place, if any did.
    pub(crate) fn disconnected(&self, number: u64) -> Option<u64> {
        let mut connection = self.connection.lock();
        match &*connection {
            Some(newer) if newer.number != number => Some(newer.generation),
            _ => {
                *connection = None;
                self.set_status(LinkStatus::default());
                None
            }
        }
    }

    fn set_status(&self, status: LinkStatus) {
        let stood_until = self.stood_until();
        *self.stood_until.lock() = stood_until;
        self.outbound.clear();
        *self.report.lock() = None;
        *self.baseline.lock() = None;
        self.answered.store(0, Ordering::Release);
        *self.changed_at.lock() = Instant::now();
        self.status.send_replace(status);
    }

    /// Cuts the link, and keeps it down for a while.
    pub fn cut_for(&self, time: Duration) {
        *self.cut_until.lock() = Some(Instant::now() + time);
        if let Some(connection) = &*self.connection.lock() {
            connection.replaced.cancel();
        }
    }

    /// For how long the link is to stay down after a message that was refused: longer each time, until there was none for
    /// a while.
    pub(crate) fn pause_after_fault(&self, jitter: f64) -> Duration {
        let mut faults = self.faults.lock();
        let is_first = faults
            .last
            .is_none_or(|last| last.elapsed() > 2 * RESTART_PAUSE_MAX);
        if is_first {
            faults.pauses.reset();
        }
        faults.last = Some(Instant::now());
        faults.pauses.next_pause(jitter)
    }

    /// Whether a message that was refused is to be logged: not if one was just now.
    pub(crate) fn is_fault_news(&self) -> bool {
        let mut faults = self.faults.lock();
        let is_news = faults
            .logged
            .is_none_or(|logged| logged.elapsed() >= RECONNECT_LOG_INTERVAL);
        if is_news {
            faults.logged = Some(Instant::now());
        }
        is_news
    }

    /// For how long the link is to stay down yet; `None` if it may come up.
    pub(crate) fn cut_left(&self) -> Option<Duration> {
        let until = (*self.cut_until.lock())?;
        let left = until.saturating_duration_since(Instant::now());
        (left > Duration::ZERO).then_some(left)
    }

    /// Tells the pacer that there is news: a push or a round is to come soon.
    pub fn kick(&self) {
        self.kick.notify_one();
    }

    /// Resolves when there is news since the last call. For one task.
    pub async fn kicked(&self) {
        self.kick.notified().await;
    }

    /// Takes a message from chitchat for this neighbour. Says whether it is on its way.
    pub(crate) fn offer(&self, message: ChitchatMessage) -> bool {
        // The last message of a round that we began, or a push.
        let is_ack = matches!(message, ChitchatMessage::Ack { .. });
        if is_ack {
            self.note_delta(message.serialized_len());
        }
        let sent = self.is_up();
        if sent {
            self.counts.note_message_sent(&message);
        }
        let oldest_dropped = sent && self.outbound.push(message);
        if oldest_dropped {
            marks::reach(Mark::OldestDropped);
        }
        if !sent || oldest_dropped {
            self.counts.messages_dropped.fetch_add(1, Ordering::Relaxed);
        }
        if is_ack {
            self.acks.send_modify(|acks| *acks += 1);
        }
        sent
    }

    /// A delta of this size travelled in a round that we began, or in a push.
    pub(crate) fn note_delta(&self, bytes: usize) {
        self.delta_bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    /// The size of the largest delta since the last call.
    pub fn take_delta_bytes(&self) -> usize {
        self.delta_bytes.swap(0, Ordering::Relaxed)
    }

    /// Counts ACKs: each ends a round that we began, or is a push.
    pub fn acks(&self) -> watch::Receiver<u64> {
        self.acks.subscribe()
    }

    /// The last question of ours that it has answered since the link was made; see [`super::links::Links::ask`].
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }

    /// It has answered this question of ours.
    pub fn note_answered(&self, question: u64) {
        self.answered.store(question, Ordering::Release);
    }

    pub(crate) fn set_report(&self, report: AppliedReport, clock_ns: i64) {
        // Gossip that runs knows at least itself.
        let gossips = report.iter().next().is_some();
        if gossips {
            self.baseline
                .lock()
                .get_or_insert_with(|| Baseline::new(report.clone()));
        }
        *self.report.lock() = Some(Received {
            report: Arc::new(report),
            at: Instant::now(),
            clock_ns,
        });
        self.status.send_if_modified(|status| {
            let changed = gossips && !status.gossips;
            status.gossips |= gossips;
            changed
        });
    }

    /// What the neighbour said last of how far it got; `None` while the link is down or before the first report.
    pub fn report(&self) -> Option<Arc<AppliedReport>> {
        self.report.lock().as_ref().map(|last| last.report.clone())
    }

    /// How far the neighbour has got with what `incarnation` published, by its last report; `None`
    /// while the link is down or before the first report.
    pub fn applied(&self, incarnation: &Incarnation) -> Option<Applied> {
        let report = self.report.lock();
        report.as_ref().map(|last| last.report.of(incarnation))
    }

    /// The age of the neighbour's last report; `None` while the link is down or before the first one.
    pub fn report_age(&self) -> Option<Duration> {
        let report = self.report.lock();
        report.as_ref().map(|last| last.at.elapsed())
    }

    /// The neighbour's wall clock now less `now_ns`, in ns, by its last report, as if that had taken
    /// no time; `None` while the link is down or before the first report.
    pub fn clock_offset_ns(&self, now_ns: i64) -> Option<i64> {
        let report = self.report.lock();
        report.as_ref().map(|last| {
            let elapsed_ns = i64::try_from(last.at.elapsed().as_nanos()).unwrap_or(i64::MAX);
            let clock_ns = last.clock_ns.saturating_add(elapsed_ns);
            clock_ns.saturating_sub(now_ns)
        })
    }

    /// The same, but `None` too if that report is older than `age_max`: the neighbour may be stopped.
    pub fn merged_lately(&self, incarnation: &Incarnation, age_max: Duration) -> Option<u64> {
        let report = self.report.lock();
        let last = report.as_ref()?;
        (last.at.elapsed() <= age_max).then(|| last.report.of(incarnation).merged)
    }

    /// How far `own`, a report of this server, is behind what the neighbour holds, but for incarnations that this server
    /// `has_forgotten`; `None` while it has not said what it knows.
    pub fn behind(
        &self,
        own: &AppliedReport,
        settlements: &Settlements,
        has_forgotten: impl Fn(&Incarnation) -> bool,
    ) -> Option<Behind> {
        let incarnation = self.status.borrow().up.clone()?;
        let latest = self.report()?.without(has_forgotten);
        let version = latest.of(&incarnation).merged;
        let mut baseline = self.baseline.lock();
        let told = settlements.of(&incarnation);
        Some(baseline.as_mut()?.look(own, &latest, version, told))
    }

    /// See [`AppliedReport::progress`].
    pub fn progress(&self) -> u64 {
        self.report
            .lock()
            .as_ref()
            .map_or(0, |last| last.report.progress())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::link::offer::Offer;

    #[test]
    fn a_stuck_link_drops_and_counts_its_oldest_messages() {
        let name: ServerName = "Smith".into();
        let config = NeighbourConfig {
            address: name.to_string(),
            name: name.clone(),
            dials: true,
        };
        let neighbour = Neighbour::new(config, "[::1]:1".parse().unwrap());
        assert!(!neighbour.offer(ChitchatMessage::BadCluster));
        assert_eq!(neighbour.counts.messages_dropped.load(Ordering::Relaxed), 1);
        let incarnation = Incarnation {
            server: name,
            generation: 1,
        };
        let protocol = Offer::PRESENT.agree(Offer::PRESENT).unwrap();
        neighbour.connected(&incarnation, protocol, CancellationToken::new());
        let before = marks::count(Mark::OldestDropped);
        for _ in 0..LINK_QUEUE_FRAMES_MAX + 3 {
            assert!(neighbour.offer(ChitchatMessage::BadCluster));
        }
        assert_eq!(neighbour.counts.messages_dropped.load(Ordering::Relaxed), 4);
        assert_ne!(marks::count(Mark::OldestDropped), before, "never reached");
    }
}
