//! Tickets, and waiting for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::level::AckLevel;
use super::rounds::{PeerProgress, Reached, Rounds, Written};

/// Reports that could not be acknowledged are logged no more often than this.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The round of the publisher that takes everything along that was reported before the ticket was
/// taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    round: u64,
    /// Its reports came after this many rounds had begun; `None` for a ticket that stands for
    /// the backlog too.
    since: Option<Begun>,
}

/// How many rounds of the publisher had begun at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Begun(u64);

/// Why a client is not told that its report was taken in. The report itself is in the map, and may
/// reach disk and neighbours yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    /// The store has failed, and takes nothing.
    #[error("the store has failed")]
    DiskFailed,
    /// The disk took too long.
    #[error("not on disk in time")]
    DiskLate,
    /// No neighbour said in time that it has the report.
    #[error("no neighbour has it in time")]
    PeerLate,
}

/// The counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckFigures {
    /// Batches of reports that were confirmed.
    pub confirmed: u64,
    /// Batches that were refused since the store has failed.
    pub disk_failed: u64,
    /// Batches that were refused since the disk took too long.
    pub disk_late: u64,
    /// Batches that were refused since no neighbour had them in time.
    pub peer_late: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RoundProgress {
    reached: Reached,
    /// The same for reports from before a new incarnation filled the backlog last.
    whole: Reached,
    /// The most rounds that had begun then; `None` if no incarnation had anything to publish anew.
    republished_at: Option<Begun>,
    disk_failed: bool,
}

/// See [`crate`].
pub struct Acknowledgements {
    level: AckLevel,
    wait_max: Duration,
    begun: AtomicU64,
    /// The last round that somebody waits for.
    asked: AtomicU64,
    /// Wakes the publisher for it.
    round_asked: Notify,
    rounds: Mutex<Rounds>,
    progress: watch::Sender<RoundProgress>,
    counts: [AtomicU64; 4],
    last_logged: Mutex<Option<Instant>>,
}

impl Acknowledgements {
    /// Nothing reported yet. `wait_max` is how long a report may take to become as safe as `level`
    /// says.
    #[must_use]
    pub fn new(level: AckLevel, wait_max: Duration) -> Self {
        Acknowledgements {
            level,
            wait_max,
            begun: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            round_asked: Notify::new(),
            rounds: Mutex::default(),
            progress: watch::Sender::new(RoundProgress::default()),
            counts: Default::default(),
            last_logged: Mutex::new(None),
        }
    }

    /// The promise of a reply.
    #[must_use]
    pub fn level(&self) -> AckLevel {
        self.level
    }

    /// Whether replies wait for anything.
    #[must_use]
    pub fn holds_replies(&self) -> bool {
        self.level != AckLevel::Memory
    }

    /// The round that will have taken along everything that is in the map now.
    ///
    /// The number of rounds begun is read after the report is in the map, and it rises before a
    /// round looks at the map; both looks at the map go through the shard's lock. So a round that
    /// begins after this call sees the report. Taken before the publisher is told of the report, the round is
    /// the one that it is woken for: told first, it may have begun that one, and a second is needed.
    ///
    /// The backlog of a new incarnation and adopted records count too, which may take seconds.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        self.next_round(None)
    }

    /// As [`Acknowledgements::ticket`], for reports from after a call of [`Acknowledgements::begun`]. It does not
    /// wait for the backlog, unless the reports may be in it: a new incarnation has begun meanwhile.
    #[must_use]
    pub fn ticket_since(&self, since: Begun) -> Ticket {
        self.next_round(Some(since))
    }

    fn next_round(&self, since: Option<Begun>) -> Ticket {
        Ticket {
            round: self.begun.load(Ordering::SeqCst) + 1,
            since,
        }
    }

    /// How many rounds have begun.
    pub fn begun(&self) -> Begun {
        Begun(self.begun.load(Ordering::SeqCst))
    }

    /// A new incarnation publishes the backlog anew. To be called after it was filled and before the first round.
    pub fn note_republishing(&self) {
        // One number is left out: tickets from now on have a greater one.
        let republished_at = Begun(self.begun.fetch_add(1, Ordering::SeqCst));
        self.progress
            .send_modify(|progress| progress.republished_at = Some(republished_at));
    }

    /// Asks for the round of this ticket: it begins even if nothing is to be published, since a round that was under
    /// way may have taken the reports along. [`Acknowledgements::reach`] does this too.
    pub fn ask_for(&self, ticket: Ticket) {
        let asked = self.asked.fetch_max(ticket.round, Ordering::SeqCst);
        if asked < ticket.round && self.begun.load(Ordering::SeqCst) < ticket.round {
            self.round_asked.notify_one();
        }
    }

    /// Resolves as long as a round is asked for that has not begun. For one task, which begins it.
    pub async fn round_asked(&self) {
        while self.asked.load(Ordering::SeqCst) <= self.begun.load(Ordering::SeqCst) {
            self.round_asked.notified().await;
        }
    }

    /// The publisher begins a round: to be called before it looks at the map. Returns the round's
    /// number.
    pub fn begin_round(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The publisher has written a round to the store's queue and to gossip.
    pub fn note_written(&self, written: Written) {
        self.update(|rounds| rounds.written(written));
    }

    /// The store has everything up to this write on disk.
    pub fn note_synced(&self, storage_ticket: u64) {
        self.update(|rounds| rounds.synced(storage_ticket));
    }

    /// The store is open, after rounds that were written to none perhaps: the next incarnation writes all of them to
    /// it.
    pub fn note_store_opened(&self) {
        self.update(Rounds::store_opened);
    }

    /// The store is opened again after it has failed, and nothing is refused for that any more.
    pub fn note_disk_is_back(&self) {
        self.progress
            .send_if_modified(|progress| std::mem::replace(&mut progress.disk_failed, false));
    }

    /// The store has failed: nothing more is on disk until `Acknowledgements::note_store_opened`.
    pub fn note_disk_failed(&self) {
        self.progress
            .send_if_modified(|progress| !std::mem::replace(&mut progress.disk_failed, true));
    }

    /// A neighbour got this far.
    pub fn note_peer(&self, peer: PeerProgress) {
        self.update(|rounds| rounds.applied(peer));
    }

    /// Waits until the reports of the ticket are as safe as the level says.
    ///
    /// # Errors
    /// If that cannot be, or takes too long.
    pub async fn confirmed(&self, ticket: Ticket) -> Result<(), Unconfirmed> {
        let level = self.level;
        let result = self.reach(level, ticket, self.wait_max).await;
        let count = match result {
            Ok(()) => 0,
            Err(Unconfirmed::DiskFailed) => 1,
            Err(Unconfirmed::DiskLate) => 2,
            Err(Unconfirmed::PeerLate) => 3,
        };
        self.counts[count].fetch_add(1, Ordering::Relaxed);
        if let Err(reason) = result {
            self.log(reason);
        }
        result
    }

    /// Waits, at most `wait_max`, until the reports of the ticket are as safe as `level` says.
    ///
    /// # Errors
    /// If that cannot be, or takes too long.
    pub async fn reach(
        &self,
        level: AckLevel,
        ticket: Ticket,
        wait_max: Duration,
    ) -> Result<(), Unconfirmed> {
        self.ask_for(ticket);
        let mut progress = self.progress.subscribe();
        let settled = progress.wait_for(|progress| {
            progress.covers(level, ticket) || (level.needs_disk() && progress.disk_failed)
        });
        // The sender lives in `self`.
        let _ = timeout(wait_max, settled).await;
        let progress = *self.progress.borrow();
        if progress.covers(level, ticket) {
            Ok(())
        } else if level.needs_disk() && progress.disk_failed {
            Err(Unconfirmed::DiskFailed)
        } else if level.needs_disk() && progress.reached_for(ticket).disk < ticket.round {
            Err(Unconfirmed::DiskLate)
        } else {
            Err(Unconfirmed::PeerLate)
        }
    }

    /// The counts since the start.
    #[must_use]
    pub fn figures(&self) -> AckFigures {
        let [confirmed, disk_failed, disk_late, peer_late] =
            [0, 1, 2, 3].map(|index: usize| self.counts[index].load(Ordering::Relaxed));
        AckFigures {
            confirmed,
            disk_failed,
            disk_late,
            peer_late,
        }
    }

    fn update(&self, change: impl FnOnce(&mut Rounds)) {
        let mut rounds = self.rounds.lock();
        change(&mut rounds);
        let (reached, whole) = (rounds.reached(), rounds.whole());
        // Under the lock: the watchers see progress in order.
        self.progress.send_if_modified(|progress| {
            let changed = (progress.reached, progress.whole) != (reached, whole);
            (progress.reached, progress.whole) = (reached, whole);
            changed
        });
    }

    fn log(&self, reason: Unconfirmed) {
        let mut last = self.last_logged.lock();
        if last.is_none_or(|last| last.elapsed() >= LOG_INTERVAL) {
            *last = Some(Instant::now());
            let level = self.level;
            warn!(ack = %level, %reason, "reports are not acknowledged; clients get the error reply");
        }
    }
}

impl RoundProgress {
    fn covers(&self, level: AckLevel, ticket: Ticket) -> bool {
        let Reached {
            disk,
            peer,
            peer_disk,
        } = self.reached_for(ticket);
        let reached = match level {
            AckLevel::Memory => return true,
            AckLevel::Disk => disk,
            AckLevel::Peer => peer,
            AckLevel::DiskAndPeer => disk.min(peer_disk),
        };
        reached >= ticket.round
    }

    fn reached_for(&self, ticket: Ticket) -> Reached {
        let waits_for_backlog = match (ticket.since, self.republished_at) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(since), Some(republished_at)) => since <= republished_at,
        };
        match waits_for_backlog {
            true => self.whole,
            false => self.reached,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const WAIT_MAX: Duration = Duration::from_secs(2);

    fn written(round: u64) -> Written {
        Written {
            round,
            storage_ticket: round,
            generation: 1,
            version: round,
            question: 0,
            behind: false,
        }
    }

    fn peer(merged: u64, durable: u64) -> PeerProgress {
        PeerProgress {
            generation: 1,
            merged,
            durable,
            answered: 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_is_confirmed_by_the_next_round_only() {
        let acks = Acknowledgements::new(AckLevel::Disk, WAIT_MAX);
        assert_eq!(acks.begin_round(), 1);
        let ticket = acks.ticket();
        acks.note_written(written(1));
        acks.note_synced(1);
        assert_eq!(acks.confirmed(ticket).await, Err(Unconfirmed::DiskLate));
        let round = acks.begin_round();
        acks.note_written(written(round));
        acks.note_synced(2);
        let start = Instant::now();
        assert_eq!(acks.confirmed(ticket).await, Ok(()));
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(acks.figures().confirmed, 1);
        assert_eq!(acks.figures().disk_late, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_reply_asks_until_a_late_enough_round_begins() {
        let acks = Acknowledgements::new(AckLevel::Disk, WAIT_MAX);
        let is_asked = || acks.round_asked().now_or_never().is_some();
        assert!(!is_asked());
        let ticket = acks.ticket();
        assert!(!is_asked(), "nobody waits yet");
        acks.ask_for(ticket);
        assert!(is_asked() && is_asked(), "until it begins");
        acks.begin_round();
        assert!(!is_asked());
        // A round took this report along, and with it the wake-up of the publisher.
        let late = acks.ticket();
        let (asked, unconfirmed) = tokio::join!(
            async {
                acks.round_asked().await;
                acks.begin_round()
            },
            acks.confirmed(late),
        );
        assert_eq!((asked, unconfirmed), (2, Err(Unconfirmed::DiskLate)));
        acks.ask_for(ticket);
        assert!(!is_asked(), "that one has begun");
    }

    #[tokio::test(start_paused = true)]
    async fn each_level_waits_for_its_promise() {
        for level in AckLevel::ALL {
            let acks = Acknowledgements::new(level, WAIT_MAX);
            let ticket = acks.ticket();
            let round = acks.begin_round();
            acks.note_written(written(round));
            acks.note_peer(peer(1, 0));
            let at_peer = acks.confirmed(ticket).await.is_ok();
            assert_eq!(at_peer, matches!(level, AckLevel::Memory | AckLevel::Peer));
            acks.note_synced(1);
            let on_disk = acks.confirmed(ticket).await.is_ok();
            assert_eq!(on_disk, level != AckLevel::DiskAndPeer, "{level}");
            acks.note_peer(peer(1, 1));
            assert_eq!(acks.confirmed(ticket).await, Ok(()), "{level}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn early_reports_do_not_wait_for_later_adoptions() {
        let acks = Acknowledgements::new(AckLevel::Disk, WAIT_MAX);
        let early = acks.ticket_since(acks.begun());
        let first = acks.begin_round();
        acks.note_written(Written {
            behind: true,
            ..written(first)
        });
        acks.note_synced(first);
        assert_eq!(acks.confirmed(early).await, Ok(()));
        assert_eq!(
            acks.confirmed(acks.ticket()).await,
            Err(Unconfirmed::DiskLate)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn reports_to_a_new_incarnation_do_not_wait_for_its_backlog() {
        let acks = Acknowledgements::new(AckLevel::Disk, WAIT_MAX);
        let before = acks.begun();
        acks.note_republishing();
        let behind = |round| Written {
            behind: true,
            ..written(round)
        };
        // Reported before, and named when a few rounds have begun.
        let first = acks.begin_round();
        let old = acks.ticket_since(before);
        let new = acks.ticket_since(acks.begun());
        let all = acks.ticket();
        let second = acks.begin_round();
        acks.note_written(behind(first));
        acks.note_written(behind(second));
        acks.note_synced(second);
        assert_eq!(acks.confirmed(new).await, Ok(()));
        for waits in [old, all] {
            assert_eq!(acks.confirmed(waits).await, Err(Unconfirmed::DiskLate));
        }
        let last = acks.begin_round();
        acks.note_written(written(last));
        acks.note_synced(last);
        for waits in [old, all] {
            assert_eq!(acks.confirmed(waits).await, Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_store_refuses_unsynced_reports_at_once() {
        let acks = Acknowledgements::new(AckLevel::Disk, WAIT_MAX);
        let early = acks.ticket();
        let round = acks.begin_round();
        acks.note_written(written(round));
        acks.note_synced(1);
        let late = acks.ticket();
        acks.note_disk_failed();
        let start = Instant::now();
        assert_eq!(acks.confirmed(early).await, Ok(()));
        assert_eq!(acks.confirmed(late).await, Err(Unconfirmed::DiskFailed));
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(
            acks.reach(AckLevel::Peer, late, WAIT_MAX).await,
            Err(Unconfirmed::PeerLate)
        );
    }
}
