//! The publisher's task: from the map's outbox to slots, and on to the neighbours.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use herd_crdt::{Death, Publisher, ServerName, SlotGroup};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, trace};

use super::backlog::BacklogPace;
use super::backpressure::is_overloaded;
use super::engine::Engine;
use super::figures::Figures;
use super::incarnation::Incarnation;
use super::links::Links;
use super::parts::Parts;
use super::publish_gap::publish_gap;
use super::status::SlotsStatus;
use super::store_feed::{Request, Unneeded};
use super::timing::{
    BACKLOG_GAP, BACKLOG_GROUPS_MAX, BACKLOG_PIECE_RECORDS, DEFERRED_DEATHS_MAX,
    EXPIRED_DRAINED_AFTER, LAG_GROUPS_MAX, PUBLISH_GAP, PUBLISHER_TICK, REPORT_INTERVAL,
};
use herd_acknowledgement::{Acknowledgements, Written};
use herd_locations::Locations;
use herd_storage::{StorageWriter, Ticket, Write};
use herd_telemetry::marks::{self, Mark};

/// Compactions in one round: each moves the live records of a few slots.
const COMPACTIONS_PER_ROUND_MAX: usize = 4;

/// For so many groups that a round publishes, one compaction for want of room, and one at least: it frees more slots than
/// these take. What is synced once a second makes many slots worth it at once, and all of them in one round were a burst
/// that the whole herd had to merge: at 50,000 updates/s on disk it doubled the p99 of the lag.
const GROUPS_PER_COMPACTION: usize = 2;

/// Where the publisher puts what it publishes, besides gossip.
pub(super) struct Store {
    pub(super) writer: StorageWriter,
    pub(super) unneeded: Unneeded,
}

/// What the publisher begins with.
pub(super) struct PublisherStart {
    /// Without slots.
    pub(super) publisher: Publisher,
    /// Records of the backlog that one round publishes: [`super::timing::BACKLOG_RECORDS_MAX`] but in tests.
    pub(super) backlog_records_max: usize,
}

/// Publishes what the map has pending, for as long as the engine runs. Idle, a record goes out at
/// once; under load records gather for a while, see [`publish_gap`].
pub(super) async fn publish(
    parts: Parts,
    engine: Arc<Engine>,
    store: Option<Store>,
    start: PublisherStart,
) {
    let mut task = PublisherTask {
        locations: parts.locations,
        engine,
        links: parts.links,
        figures: parts.figures,
        acknowledgements: parts.acknowledgements,
        store,
        publisher: start.publisher,
        backlog_records_max: start.backlog_records_max,
        deferred: Deferred::default(),
        started: Instant::now(),
        version: 0,
        rounds: 0,
        is_behind: false,
        backlog: BacklogPace::default(),
        neighbours_lag: false,
        connected_lag: None,
        pending_links: BTreeMap::new(),
    };
    let replies_wait = task.acknowledgements.holds_replies();
    let mut last_round = Instant::now();
    let mut gap = publish_gap(0, Duration::ZERO, replies_wait);
    let watched = task.figures.watchdogs().publisher.begin();
    loop {
        watched.heartbeat();
        // Whoever waits for a round asks for it; the tick is for free slots and lags only.
        let tick = if task.locations.admission().is_overloaded() {
            PUBLISH_GAP
        } else if task.is_behind {
            // For the next piece, and then for the round that says that nothing is left.
            BACKLOG_GAP
        } else {
            PUBLISHER_TICK
        };
        let _ = timeout(tick, task.something_to_do()).await;
        tokio::select! {
            biased;
            () = sleep_until(last_round + gap) => {}
            () = task.disk_is_free() => {}
        }
        let began = Instant::now();
        let published = task.round().await;
        // One that had nothing to publish keeps nobody waiting: the next record is the first for a while.
        if published > 0 {
            gap = publish_gap(published, began - last_round, replies_wait);
            last_round = began;
        }
    }
}

struct PublisherTask {
    locations: Arc<Locations>,
    engine: Arc<Engine>,
    links: Arc<Links>,
    figures: Arc<Figures>,
    acknowledgements: Arc<Acknowledgements>,
    store: Option<Store>,
    publisher: Publisher,
    backlog_records_max: usize,
    deferred: Deferred,
    started: Instant,
    /// The version of our published state.
    version: u64,
    rounds: u64,
    /// The last round had something left in the backlog.
    is_behind: bool,
    backlog: BacklogPace,
    /// Even the best neighbour was some way behind in the last round.
    neighbours_lag: bool,
    /// By how many groups the best of the connected neighbours was behind after the last round, whether it has caught up
    /// yet or not.
    connected_lag: Option<u64>,
    /// Neighbours that have not caught up since their link was made: their incarnation, and our
    /// version at that time.
    pending_links: BTreeMap<ServerName, CatchUp>,
}

#[derive(Debug)]
struct CatchUp {
    incarnation: Incarnation,
    version: u64,
    done: bool,
}

/// What has to wait until the writes of a round are on disk.
#[derive(Default)]
struct Deferred {
    /// In order of ticket.
    rounds: VecDeque<DeferredRound>,
    deaths: usize,
    /// Requests that one of the rounds holds: each waits once, however long the disk hangs.
    requests: BTreeSet<Request>,
}

struct DeferredRound {
    ticket: Ticket,
    deaths: Vec<Death>,
    unneeded: BTreeSet<Request>,
}

impl Deferred {
    fn push(&mut self, ticket: Ticket, deaths: Vec<Death>, mut unneeded: BTreeSet<Request>) {
        unneeded.retain(|request| self.requests.insert(request.clone()));
        if deaths.is_empty() && unneeded.is_empty() {
            return;
        }
        self.deaths += deaths.len();
        self.rounds.push_back(DeferredRound {
            ticket,
            deaths,
            unneeded,
        });
    }

    /// The first round that is on disk. A disk that hangs must not make the slots grow for ever: beyond
    /// [`DEFERRED_DEATHS_MAX`] the oldest are due as they are.
    fn pop_due(&mut self, synced: Ticket) -> Option<DeferredRound> {
        let first = self.rounds.front()?;
        if first.ticket > synced && self.deaths <= DEFERRED_DEATHS_MAX {
            return None;
        }
        let mut due = self.rounds.pop_front()?;
        self.deaths -= due.deaths.len();
        for request in &due.unneeded {
            self.requests.remove(request);
        }
        if due.ticket > synced {
            // The request stays, and comes back with a later round.
            due.unneeded.clear();
        }
        Some(due)
    }
}

impl PublisherTask {
    /// Resolves when there is something to publish, or somebody waits for a round.
    async fn something_to_do(&self) {
        tokio::select! {
            biased;
            () = self.locations.news() => {}
            () = self.acknowledgements.round_asked() => {}
        }
    }

    /// Resolves when the store has nothing more to sync, where replies wait for that; never, where they do not. A
    /// disk may be quicker than the gap between rounds, and they would wait for nothing but that.
    async fn disk_is_free(&self) {
        let waited_for = self.store.as_ref();
        // The more rounds, the more groups are under way to a distant neighbour, and those are what the gate counts.
        let waited_for = waited_for
            .filter(|_| self.acknowledgements.level().needs_disk() && !self.neighbours_lag);
        let Some(store) = waited_for else {
            return std::future::pending().await;
        };
        let last = store.writer.last_ticket();
        let mut synced = store.writer.synced();
        let free = synced.wait_for(|state| state.failure.is_some() || state.synced >= last);
        if free.await.is_err() {
            // The store is gone, and the next round notices.
            std::future::pending::<()>().await;
        }
    }

    /// Does one round; says how many records were pending.
    async fn round(&mut self) -> usize {
        self.finish_deferred();
        let round = self.acknowledgements.begin_round();
        // A report that changed nothing is confirmed by who has its record and is there now.
        let asks = self.locations.take_repeated() && self.acknowledgements.level().needs_peer();
        let question = self.links.question() + u64::from(asks);
        let unneeded = match &self.store {
            Some(store) => store.unneeded.all(),
            None => BTreeSet::new(),
        };
        // After the requests: what takes the place of what the store is to forget may be in the backlog.
        self.is_behind = self.locations.backlog_len() > 0;
        let unneeded = match self.is_behind {
            true => BTreeSet::new(),
            false => unneeded,
        };
        // The order of these three is what keeps a slot until its successors are out; see
        // `herd_crdt::Publisher`.
        let deaths = self.locations.take_deaths();
        let pending = self.locations.take_pending();
        let groups = self.publisher.publish(&pending, &mut &*self.locations);
        let mut groups_len = groups.len();
        let mut news = self.set(groups).await;
        let ticket = self.last_ticket();
        self.acknowledgements.note_written(Written {
            round,
            storage_ticket: ticket.0,
            generation: self.engine.incarnation().generation,
            version: self.version,
            question,
            behind: self.is_behind,
        });
        if asks {
            self.links.ask(question);
        }
        // Other servers drop what we overwrite, so what superseded it has to be on our disk first.
        self.deferred.push(ticket, deaths, unneeded);
        self.finish_deferred();

        groups_len += self.publish_backlog(news).await;
        news |= self
            .compact((groups_len / GROUPS_PER_COMPACTION).max(1))
            .await;
        self.finish_deferred();
        let cleared = self.publisher.clear_idle(self.now_ms());
        news |= self.set(cleared).await;
        if news || groups_len > 0 {
            self.links.kick_all();
        }
        self.tell_status();
        pending.len()
    }

    /// Publishes what is due of the backlog, if anything is: behind what was pending, and no reply waits for it. Returns
    /// how many groups. `news` says that neighbours have not been told yet that there is some.
    async fn publish_backlog(&mut self, news: bool) -> usize {
        let is_due = self.locations.backlog_len() > 0
            && self.backlog.is_due(self.connected_lag, Instant::now());
        if !is_due {
            return 0;
        }
        if news {
            self.links.kick_all();
        }
        let (mut records, mut groups_len) = (0, 0);
        while records < self.backlog_records_max && groups_len < BACKLOG_GROUPS_MAX {
            let piece_max = BACKLOG_PIECE_RECORDS.min(self.backlog_records_max);
            let piece = self.locations.take_backlog(piece_max);
            if piece.is_empty() {
                break;
            }
            records += piece.len();
            let groups = self.publisher.publish(&piece, &mut &*self.locations);
            groups_len += groups.len();
            self.set(groups).await;
        }
        let left = self.locations.backlog_len();
        if let Some(out) = self.backlog.note_piece(records, left, Instant::now()) {
            info!(
                records = out.records,
                took_ms = out.took.as_millis(),
                "what was taken over is published"
            );
        }
        groups_len
    }

    /// Moves what still lives in slots that are worth it to new groups; says whether any were set. At most `for_room_max`
    /// times for want of room.
    async fn compact(&mut self, for_room_max: usize) -> bool {
        let mut news = false;
        for number in 0..COMPACTIONS_PER_ROUND_MAX {
            let mut sources = Vec::new();
            if number < for_room_max {
                sources = self.publisher.compaction_sources();
            }
            if sources.is_empty() {
                sources = self.publisher.outdated_sources(self.outdated_below_ns());
            }
            if sources.is_empty() {
                break;
            }
            marks::reach(Mark::SlotCompacted);
            let (groups, moved) = self.publisher.compact(&sources, &mut &*self.locations);
            news |= self.set(groups).await;
            self.deferred
                .push(self.last_ticket(), moved, BTreeSet::new());
        }
        news
    }

    /// Says how far the round came, and how far behind the neighbours are.
    fn tell_status(&mut self) {
        self.rounds += 1;
        let slots = self.publisher.slots();
        self.links.set_round_version(self.version);
        self.figures.set_slots(SlotsStatus {
            slots: slots.len(),
            free: slots.free_len(),
            live_records: slots.live_records(),
            version: self.version,
            rounds: self.rounds,
        });
        let lags = self.lags();
        let best = lags.iter().min();
        self.neighbours_lag = best.is_some_and(|&best| best > LAG_GROUPS_MAX / 4);
        self.connected_lag = self.connected_lag();
        self.locations
            .admission()
            .set_overloaded(is_overloaded(self.locations.pending_len(), lags));
    }

    /// What is older has been below the floor for so long that no group of ours may hold it.
    fn outdated_below_ns(&self) -> i64 {
        let drained_after_ns = i64::try_from(EXPIRED_DRAINED_AFTER.as_nanos()).unwrap_or(i64::MAX);
        self.locations.floor_ns().saturating_sub(drained_after_ns)
    }

    /// Writes groups to the store's queue, then sets them in gossip: what others can see is never
    /// ahead of what we would find after a crash by more than what the queue holds.
    async fn set(&mut self, groups: Vec<SlotGroup>) -> bool {
        if groups.is_empty() {
            return false;
        }
        if let Some(store) = &self.store {
            let puts = groups.iter().map(|group| Write::Put {
                incarnation: self.engine.incarnation().clone(),
                slot: group.slot,
                version: 0,
                group: Bytes::copy_from_slice(&group.group),
            });
            if store.writer.write(puts.collect()).is_err() {
                // It has failed, and its watcher says so. From memory and through the neighbours
                // the server goes on.
                self.store = None;
            }
        }
        self.version = if self.links.neighbours().is_empty() {
            // It is for the store alone: neighbours come with a topology, and that with a restart.
            self.version + groups.len() as u64
        } else {
            self.engine.set_groups(&groups).await
        };
        trace!(groups = groups.len(), version = self.version, "published");
        true
    }

    /// The ticket of all writes so far; without a store one that is never synced.
    fn last_ticket(&self) -> Ticket {
        self.store
            .as_ref()
            .map_or(Ticket(u64::MAX), |store| store.writer.last_ticket())
    }

    /// Does what waited for writes that are on disk by now; all of it, without a store.
    fn finish_deferred(&mut self) {
        let synced = match &self.store {
            Some(store) => {
                let state = store.writer.synced();
                let state = state.borrow();
                match state.failure {
                    None => state.synced,
                    Some(_) => Ticket(u64::MAX),
                }
            }
            None => Ticket(u64::MAX),
        };
        let now_ms = self.now_ms();
        while let Some(due) = self.deferred.pop_due(synced) {
            self.publisher.apply_deaths(&due.deaths, now_ms);
            let Some(store) = &self.store else {
                continue;
            };
            for request in due.unneeded {
                store.unneeded.close(&request, || {
                    let incarnation = request.0.clone();
                    // Refused only by a store that has failed.
                    let _ = store.writer.write(vec![Write::Forget { incarnation }]);
                });
            }
        }
    }

    /// How many of our groups each neighbour lags behind that is connected, has caught up once since
    /// it was, and has reported lately.
    fn lags(&mut self) -> Vec<u64> {
        let mut lags = Vec::new();
        for neighbour in self.links.neighbours() {
            let name = &neighbour.config.name;
            let Some(incarnation) = neighbour.status().borrow().up.clone() else {
                self.pending_links.remove(name);
                continue;
            };
            let age_max = 2 * REPORT_INTERVAL;
            let Some(merged) = neighbour.merged_lately(self.engine.incarnation(), age_max) else {
                continue;
            };
            let version = self.version;
            let fresh = || CatchUp {
                incarnation: incarnation.clone(),
                version,
                done: false,
            };
            let catch_up = self.pending_links.entry(name.clone()).or_insert_with(fresh);
            if catch_up.incarnation != incarnation {
                *catch_up = fresh();
            }
            catch_up.done |= merged >= catch_up.version;
            if catch_up.done {
                lags.push(version.saturating_sub(merged));
            }
        }
        lags
    }

    /// How many of our groups the best of the connected neighbours lags behind.
    fn connected_lag(&self) -> Option<u64> {
        let neighbours = self.links.neighbours().iter();
        let connected = neighbours.filter(|neighbour| neighbour.is_up());
        let merged = connected.map(|neighbour| {
            let merged = neighbour.merged_lately(self.engine.incarnation(), 2 * REPORT_INTERVAL);
            merged.unwrap_or(0)
        });
        merged
            .max()
            .map(|merged| self.version.saturating_sub(merged))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_to_forget_waits_once_however_long_the_disk_hangs() {
        let mut deferred = Deferred::default();
        let smith = Incarnation {
            server: "Smith".into(),
            generation: 1,
        };
        let request = || BTreeSet::from([(smith.clone(), 1)]);
        for round in 1..1_000 {
            deferred.push(Ticket(round), Vec::new(), request());
        }
        assert_eq!(deferred.rounds.len(), 1);
        assert!(deferred.pop_due(Ticket(0)).is_none());
        let due = deferred.pop_due(Ticket(1)).unwrap();
        assert_eq!(due.unneeded, request());
        // Asked for again, it waits again.
        deferred.push(Ticket(1_000), Vec::new(), request());
        assert!(deferred.pop_due(Ticket(1_000)).is_some());
    }
}
