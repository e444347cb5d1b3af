//! The publisher: moves records from the map's outbox into slots, in rounds.
//!
//! A round is a few steps, each of which may hand out groups: pending records, some of the backlog, records that
//! compaction moves, and empty groups for idle slots. The driver sets the groups of a step, and asks for the next.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use herd_crdt::{Death, Publisher, ServerMap, SlotGroup, Work};

use self::deferred::Deferred;
use self::lagging::{Lagging, NeighbourProgress};
use self::slot_search::SlotSearch;
use crate::backlog::{BacklogOut, BacklogPace};
use crate::backpressure::is_overloaded;
use crate::erasure::Question;
use crate::publish_gap::publish_gap;
use crate::status::SlotsStatus;
use crate::store::{Request, WriteNumber};
use crate::timing::{
    BACKLOG_GAP, BACKLOG_GROUPS_MAX, BACKLOG_PIECE_RECORDS, EXPIRED_DRAINED_AFTER, LAG_GROUPS_MAX,
    PUBLISH_GAP, PUBLISHER_TICK,
};
use herd_marks::{self as marks, Mark};

mod deferred;
pub mod lagging;
mod slot_search;
#[cfg(test)]
mod tests;

/// Compactions in one round: each moves the live records of a few slots.
const COMPACTIONS_PER_ROUND_MAX: usize = 4;

/// For so many groups that a round publishes, one compaction for want of room, and one at least: it frees more slots than
/// these take. What is synced once a second makes many slots worth it at once, and all of them in one round were a burst
/// that the whole herd had to merge: at 50,000 updates/s on disk it doubled the p99 of the lag.
const GROUPS_PER_COMPACTION: usize = 2;

/// What the publisher sees at a step.
pub struct Surroundings<'a> {
    /// The time.
    pub now: Instant,
    /// Everything up to this write is on disk; all, without a store.
    pub synced: WriteNumber,
    /// The last write; one that is never synced, without a store.
    pub last_write: WriteNumber,
    /// How far the neighbours have come.
    pub neighbours: &'a dyn Fn() -> Vec<NeighbourProgress>,
}

/// How a round begins.
pub struct RoundStart {
    /// Its number.
    pub round: u64,
    /// The generation of this incarnation.
    pub generation: u64,
    /// The last question that neighbours were asked.
    pub question: u64,
    /// Neighbours are to be asked whether they are there.
    pub asks: bool,
    /// Incarnations that the store is to forget.
    pub unneeded: BTreeSet<Request>,
    /// The eraser asks this.
    pub forgotten: Option<Question>,
}

/// What was pending when a round began is in the store's queue and in gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenRound {
    /// Its number; rounds are counted over all incarnations.
    pub round: u64,
    /// The last write to the store before that; [`WriteNumber::LAST`], which is never synced, if there is no store, or it
    /// takes nothing any more.
    pub last_write: WriteNumber,
    /// The generation that published it.
    pub generation: u64,
    /// The version of that generation's published state then.
    pub version: u64,
    /// The last question to the neighbours whether they are there, this round's included.
    pub question: u64,
    /// The backlog was not empty when the round began: records of older reports may be in it.
    pub behind: bool,
}

/// What the publisher wants to be done.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Everything that was pending when the round began is in the store's queue and in gossip.
    Written(WrittenRound),
    /// Ask every neighbour this.
    Ask(u64),
    /// There is news for every neighbour.
    KickAll,
    /// What replaced this incarnation's groups is on disk: the store may forget it.
    Forget(Request),
    /// So many slots hold locations of forgotten clients, and are to be written anew.
    LookedThrough(usize),
    /// A long backlog is out.
    BacklogOut(BacklogOut),
    /// What this incarnation publishes is this now.
    Show(SlotsStatus),
    /// Clients are to be slowed down, or not any more.
    SlowClients(bool),
}

/// Where a round stands.
#[derive(Debug, Default)]
enum Phase {
    #[default]
    Over,
    /// What was pending is handed out.
    Pending(PendingOut),
    /// So much of the backlog is handed out.
    Backlog { records: usize, groups: usize },
    /// So many compactions are done, of those that are allowed for want of room; the last one moved these.
    Compaction {
        done: usize,
        for_room_max: usize,
        moved: Vec<Death>,
    },
    /// Slots that were free for long are handed out.
    Clearing,
}

#[derive(Debug)]
struct PendingOut {
    start: WrittenRound,
    asks: bool,
    deaths: Vec<Death>,
    unneeded: BTreeSet<Request>,
}

/// See the module.
pub struct Publishing {
    publisher: Publisher,
    /// Records of the backlog that one round publishes.
    backlog_records_max: usize,
    replies_wait: bool,
    deferred: Deferred,
    started: Instant,
    /// The version of our published state.
    version: u64,
    rounds: u64,
    phase: Phase,
    /// Groups that this round has handed out, and whether any of them is news that neighbours were not told of.
    groups: usize,
    is_news: bool,
    /// Records that were pending when it began.
    pending: usize,
    /// The last round had something left in the backlog.
    is_behind: bool,
    backlog: BacklogPace,
    forgotten: Option<SlotSearch>,
    lagging: Lagging,
    /// Even the best neighbour was some way behind in the last round.
    neighbours_lag: bool,
    /// By how many groups the best of the connected neighbours was behind after the last round, whether it has caught up
    /// yet or not.
    connected_lag: Option<u64>,
    /// When the last round began that had anything to publish, and the least time to the next.
    last_round: Instant,
    gap: Duration,
}

impl Publishing {
    /// A publisher without slots. Of a backlog it publishes so many records in a round; `replies_wait` says that clients
    /// wait for its rounds.
    pub fn new(
        publisher: Publisher,
        backlog_records_max: usize,
        replies_wait: bool,
        now: Instant,
    ) -> Self {
        Publishing {
            publisher,
            backlog_records_max,
            replies_wait,
            deferred: Deferred::default(),
            started: now,
            version: 0,
            rounds: 0,
            phase: Phase::Over,
            groups: 0,
            is_news: false,
            pending: 0,
            is_behind: false,
            backlog: BacklogPace::default(),
            forgotten: None,
            lagging: Lagging::default(),
            neighbours_lag: false,
            connected_lag: None,
            last_round: now,
            gap: publish_gap(0, Duration::ZERO, replies_wait),
        }
    }

    /// How long to wait for something to publish before the next round. Whoever waits for a round asks for it; this is
    /// for free slots and lags only.
    pub fn tick(&self, are_clients_slowed: bool) -> Duration {
        if are_clients_slowed {
            PUBLISH_GAP
        } else if self.is_behind {
            // For the next piece, and then for the round that says that nothing is left.
            BACKLOG_GAP
        } else {
            PUBLISHER_TICK
        }
    }

    /// When the next round is due, if there is something to publish.
    pub fn due(&self) -> Instant {
        self.last_round + self.gap
    }

    /// Whether a round may begin earlier, once the disk has synced all there is: a disk may be quicker than the gap, and
    /// replies would wait for nothing but that. The more rounds, the more groups are under way to a distant neighbour,
    /// and those are what slows clients down.
    pub fn may_hurry(&self) -> bool {
        !self.neighbours_lag
    }

    /// The version of our published state.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Groups that were handed out are set, and our published state has this version.
    pub fn note_set(&mut self, version: u64) {
        self.version = version;
    }

    /// Begins a round: the first groups to set, which may be none. [`Publishing::next`] goes on.
    pub fn begin(
        &mut self,
        start: RoundStart,
        around: &Surroundings<'_>,
        map: &mut impl ServerMap,
        effects: &mut Vec<Effect>,
    ) -> Vec<SlotGroup> {
        self.release(around, effects);
        match start.forgotten {
            Some(Question::Begin(is_erased)) => self.forgotten = Some(SlotSearch::new(is_erased)),
            Some(Question::Left) => {
                let left = self.publisher.slots().outdated_len();
                effects.push(Effect::LookedThrough(left));
            }
            None => {}
        }
        if let Some(mut search) = self.forgotten.take() {
            match search.step(&mut self.publisher) {
                Some(found) => effects.push(Effect::LookedThrough(found)),
                None => self.forgotten = Some(search),
            }
        }
        // After the requests: what takes the place of what the store is to forget may be in the backlog.
        self.is_behind = map.backlog_len() > 0;
        let unneeded = match self.is_behind {
            true => BTreeSet::new(),
            false => start.unneeded,
        };
        let Work { deaths, pending } = map.take_work();
        let groups = self.publisher.publish(&pending, map);
        self.pending = pending.len();
        self.groups = groups.len();
        self.is_news = false;
        self.phase = Phase::Pending(PendingOut {
            start: WrittenRound {
                round: start.round,
                // Known when the groups are set.
                last_write: WriteNumber::default(),
                version: 0,
                generation: start.generation,
                question: start.question + u64::from(start.asks),
                behind: self.is_behind,
            },
            asks: start.asks,
            deaths,
            unneeded,
        });
        self.hand_out(groups)
    }

    /// What was handed out is set: the next groups, or nothing when the round is over.
    pub fn next(
        &mut self,
        around: &Surroundings<'_>,
        map: &mut impl ServerMap,
        effects: &mut Vec<Effect>,
    ) -> Option<Vec<SlotGroup>> {
        loop {
            let groups = match std::mem::take(&mut self.phase) {
                Phase::Over => return None,
                Phase::Pending(out) => {
                    self.end_pending(out, around, map, effects);
                    continue;
                }
                Phase::Backlog { records, groups } => {
                    self.next_piece(records, groups, around, map, effects)
                }
                Phase::Compaction {
                    done,
                    for_room_max,
                    moved,
                } => {
                    self.deferred
                        .push(around.last_write, moved, BTreeSet::new());
                    self.next_compaction(done, for_room_max, around, map, effects)
                }
                Phase::Clearing => {
                    self.end(around, map, effects);
                    return None;
                }
            };
            if !groups.is_empty() {
                return Some(self.hand_out(groups));
            }
        }
    }

    /// The round is over, which began then; says how long the next one waits at least.
    pub fn note_round(&mut self, began: Instant) {
        // One that had nothing to publish keeps nobody waiting: the next record is the first for a while.
        if self.pending > 0 {
            let interval = began.saturating_duration_since(self.last_round);
            self.gap = publish_gap(self.pending, interval, self.replies_wait);
            self.last_round = began;
        }
    }

    fn hand_out(&mut self, groups: Vec<SlotGroup>) -> Vec<SlotGroup> {
        self.is_news |= !groups.is_empty();
        groups
    }

    /// What was pending is out. Other servers drop what it overwrites, so what superseded that has to be on our disk
    /// first.
    fn end_pending(
        &mut self,
        out: PendingOut,
        around: &Surroundings<'_>,
        map: &mut impl ServerMap,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(Effect::Written(WrittenRound {
            last_write: around.last_write,
            version: self.version,
            ..out.start
        }));
        if out.asks {
            effects.push(Effect::Ask(out.start.question));
        }
        self.deferred
            .push(around.last_write, out.deaths, out.unneeded);
        self.release(around, effects);
        let is_due = map.backlog_len() > 0 && self.backlog.is_due(self.connected_lag, around.now);
        if !is_due {
            self.begin_compaction();
            return;
        }
        if self.is_news {
            effects.push(Effect::KickAll);
        }
        self.phase = Phase::Backlog {
            records: 0,
            groups: 0,
        };
    }

    /// Publishes a piece of the backlog: behind what was pending, and no reply waits for it.
    fn next_piece(
        &mut self,
        records: usize,
        groups: usize,
        around: &Surroundings<'_>,
        map: &mut impl ServerMap,
        effects: &mut Vec<Effect>,
    ) -> Vec<SlotGroup> {
        if records < self.backlog_records_max && groups < BACKLOG_GROUPS_MAX {
            let piece_max = BACKLOG_PIECE_RECORDS.min(self.backlog_records_max);
            let piece = map.take_backlog(piece_max);
            if !piece.is_empty() {
                let out = self.publisher.publish(&piece, map);
                self.groups += out.len();
                self.phase = Phase::Backlog {
                    records: records + piece.len(),
                    groups: groups + out.len(),
                };
                return out;
            }
        }
        let left = map.backlog_len();
        let out = self.backlog.note_piece(records, left, around.now);
        effects.extend(out.map(Effect::BacklogOut));
        self.begin_compaction();
        Vec::new()
    }

    fn begin_compaction(&mut self) {
        self.phase = Phase::Compaction {
            done: 0,
            for_room_max: (self.groups / GROUPS_PER_COMPACTION).max(1),
            moved: Vec::new(),
        };
    }

    /// Moves what still lives in slots that are worth it to new groups, at most `for_room_max` times for want of room; then
    /// clears slots that were free for long.
    fn next_compaction(
        &mut self,
        done: usize,
        for_room_max: usize,
        around: &Surroundings<'_>,
        map: &mut impl ServerMap,
        effects: &mut Vec<Effect>,
    ) -> Vec<SlotGroup> {
        let mut sources = Vec::new();
        if done < COMPACTIONS_PER_ROUND_MAX.min(for_room_max) {
            sources = self.publisher.compaction_sources();
        }
        if done < COMPACTIONS_PER_ROUND_MAX && sources.is_empty() {
            let below_ns = outdated_below_ns(map);
            sources = self.publisher.outdated_sources(below_ns);
        }
        if sources.is_empty() {
            self.release(around, effects);
            self.phase = Phase::Clearing;
            return self.publisher.clear_idle(self.now_ms(around.now));
        }
        marks::reach(Mark::SlotCompacted);
        let (groups, moved) = self.publisher.compact(&sources, map);
        self.phase = Phase::Compaction {
            done: done + 1,
            for_room_max,
            moved,
        };
        groups
    }

    /// Says how far the round came, and how far behind the neighbours are.
    fn end(&mut self, around: &Surroundings<'_>, map: &impl ServerMap, effects: &mut Vec<Effect>) {
        if self.is_news {
            effects.push(Effect::KickAll);
        }
        self.rounds += 1;
        let slots = self.publisher.slots();
        effects.push(Effect::Show(SlotsStatus {
            slots: slots.len(),
            free: slots.free_len(),
            live_records: slots.live_records(),
            version: self.version,
            rounds: self.rounds,
        }));
        let neighbours = (around.neighbours)();
        let lags = self.lagging.look(&neighbours, self.version);
        let best = lags.iter().min();
        self.neighbours_lag = best.is_some_and(|&best| best > LAG_GROUPS_MAX / 4);
        self.connected_lag = lagging::connected_lag(&neighbours, self.version);
        let is_overloaded = is_overloaded(map.pending_len(), lags);
        effects.push(Effect::SlowClients(is_overloaded));
    }

    /// Does what waited for writes that are on disk by now; all of it, without a store.
    fn release(&mut self, around: &Surroundings<'_>, effects: &mut Vec<Effect>) {
        let now_ms = self.now_ms(around.now);
        while let Some(due) = self.deferred.pop_due(around.synced) {
            self.publisher.apply_deaths(&due.deaths, now_ms);
            effects.extend(due.unneeded.into_iter().map(Effect::Forget));
        }
    }

    fn now_ms(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.started);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}

/// What is older has been below the floor for so long that no group of ours may hold it.
fn outdated_below_ns(map: &impl ServerMap) -> i64 {
    let drained_after_ns = i64::try_from(EXPIRED_DRAINED_AFTER.as_nanos()).unwrap_or(i64::MAX);
    map.floor_ns().saturating_sub(drained_after_ns)
}
