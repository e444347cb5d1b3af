//! The whole map, in shards.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicIsize, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use herd_crdt::{
    Delivery, Incoming, Merged, Outcome, Publication, Publications, PublisherId, Publishers,
    QuantizedLocation, Record, RepublishPolicy, SlotAddress, SlotId,
};
use herd_grid::Grid;
use herd_watch::{Wakes, Watchers};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::admission_control::AdmissionControl;
use super::changes::{self, removal};
use super::forgotten::{Forgettings, forgets_up_to_ns, kept_out_up_to_ns};
use super::hash_keys::HashKeys;
use super::indexing::Indexed;
use super::loading::Loading;
use super::memory::{ClientCounts, Full, Room};
use super::outcomes::{Merges, OutcomeCounts};
use super::shard::Shard;
use herd_marks::{self as marks, Mark};

/// A power of two: the shard of a hash is a few of its bits.
const SHARDS: usize = 64;

/// Bits that the hash tables inside the shards do not look at first.
const SHARD_SHIFT_BITS: u32 = 40;

/// All locations that this server knows, from its clients and from other servers.
///
/// Every method locks one shard at a time, briefly; none waits for anything else.
pub struct Locations {
    pub(super) shards: Box<[Mutex<Shard>]>,
    hasher: HashKeys,
    /// Which clients are where. A client enters a cell under its shard's lock, and leaves one later.
    pub(super) grid: Grid,
    /// All clients are in the grid.
    pub(super) is_indexed: AtomicBool,
    /// Who watches. They are told of changes under the lock of the client's shard.
    watchers: Arc<Watchers>,
    /// Wakes the publisher.
    pub(super) news: Notify,
    /// How many records wait for the publisher, for back-pressure. Below zero for moments, while some
    /// were taken that are not counted yet.
    pub(super) pending_len: AtomicIsize,
    /// How many hashes are in the backlogs of all shards; changed under their locks.
    pub(super) backlog_len: AtomicUsize,
    admission: AdmissionControl,
    loading: Loading,
    outcomes: OutcomeCounts,
    /// The number of records, and their memory.
    pub(super) counted: ClientCounts,
    /// Clients whose locations have to leave all groups.
    pub(super) forgettings: Forgettings,
    /// Nothing below this time is found, in nanoseconds since the epoch.
    floor_ns: AtomicI64,
    /// Whether a repeat publishes the record of the map.
    republish_policy: OnceLock<RepublishPolicy>,
    /// There was a repeat since the publisher asked last.
    pub(super) repeated: AtomicBool,
}

/// Reports of clients that are taken in together: counters are raised and the publisher is woken once,
/// when this is dropped. Not to be held over an await.
pub struct Reports<'a> {
    pub(super) locations: &'a Locations,
    /// Whether a repeat among them publishes the record of the map.
    pub(super) policy: RepublishPolicy,
    merges: Merges,
}

impl Reports<'_> {
    /// As [`Locations::report`].
    pub fn report(&mut self, record: impl Incoming) -> Outcome {
        let hash = self.locations.hash(record.borrowed().client());
        let shard = self.locations.shard(hash).lock();
        self.report_into(shard, hash, record)
    }

    /// Takes in a record of a client with this hash, whose shard this is.
    pub(super) fn report_into(
        &mut self,
        mut shard: MutexGuard<'_, Shard>,
        hash: u64,
        record: impl Incoming,
    ) -> Outcome {
        let locations = self.locations;
        let said = record.borrowed();
        let (at, time_ns) = (said.quantized(), said.time().ns());
        let before = shard.size();
        shard.index_before(&locations.grid, hash);
        let merged = shard.map.merge_heard_with(hash, record, self.policy);
        // A report that a tombstone keeps out is in no group.
        let is_forgetting = at.is_none();
        let noted_ns = is_forgetting
            .then(|| forgets_up_to_ns(&shard, hash, &merged, time_ns))
            .flatten();
        let left = locations.enter(&shard, hash, &merged, at);
        let wakes = changes::merged(&locations.watchers, &shard, hash, &merged, at);
        // Not with the other counters: how much there may be at most is looked up for each report.
        locations.counted.changed(before, shard.size());
        let queued = shard.note(hash, &merged);
        drop(shard);
        wakes.wake();
        locations.leave(hash, left);
        if let Some(noted_ns) = noted_ns {
            locations.forgettings.note(hash, noted_ns);
        }
        if !merged.outcome.changed() && self.policy != RepublishPolicy::Never {
            // At once: a round that begins later is told.
            locations.repeated.store(true, Ordering::SeqCst);
        }
        self.merges.count(&merged, queued);
        merged.outcome
    }
}

impl Drop for Reports<'_> {
    fn drop(&mut self) {
        self.locations.after(&mut self.merges);
    }
}

impl Default for Locations {
    fn default() -> Self {
        Locations::with_hash_keys(HashKeys::random())
    }
}

impl Locations {
    /// An empty map whose clients are hashed with these keys: the order in which it hands out clients follows from them.
    #[must_use]
    pub fn with_hash_keys(hasher: HashKeys) -> Self {
        let shards = (0..SHARDS)
            .map(|_| Mutex::new(Shard::new(hasher)))
            .collect();
        Locations {
            shards,
            hasher,
            grid: Grid::default(),
            is_indexed: AtomicBool::new(false),
            watchers: Arc::default(),
            news: Notify::new(),
            pending_len: AtomicIsize::new(0),
            backlog_len: AtomicUsize::new(0),
            admission: AdmissionControl::default(),
            loading: Loading::default(),
            outcomes: OutcomeCounts::default(),
            counted: ClientCounts::default(),
            forgettings: Forgettings::default(),
            floor_ns: AtomicI64::new(i64::MIN),
            republish_policy: OnceLock::new(),
            repeated: AtomicBool::new(false),
        }
    }

    /// Takes in a record that this server heard from a client. It is visible to every later
    /// [`Locations::find`] when this returns, and on its way to the other servers, if there are any.
    pub fn report(&self, record: impl Incoming) -> Outcome {
        self.begin_reports().report(record)
    }

    /// A batch of reports; see [`Reports`].
    pub fn begin_reports(&self) -> Reports<'_> {
        Reports {
            locations: self,
            policy: self.republish_policy.get().copied().unwrap_or_default(),
            merges: Merges::default(),
        }
    }

    /// Sets whether a repeat in [`Locations::report`] publishes the record of the map; it does not before this call. It
    /// counts once, before the first report.
    pub fn set_republish_policy(&self, policy: RepublishPolicy) {
        // A second call is of a second replication of the same map, which has the same level.
        let _ = self.republish_policy.set(policy);
    }

    /// Takes in records that were delivered from this place.
    pub fn deliver(
        &self,
        records: impl IntoIterator<Item: Incoming>,
        from: impl Into<SlotAddress>,
        publishers: &impl Publishers,
    ) -> Delivery {
        let hashed = records
            .into_iter()
            .map(|record| (self.hash(record.borrowed().client()), record));
        self.deliver_hashed(hashed, from, publishers)
    }

    /// As [`Locations::deliver`], with the hash of each record's client by [`Locations::hash_of`].
    pub fn deliver_hashed(
        &self,
        records: impl IntoIterator<Item = (u64, impl Incoming)>,
        from: impl Into<SlotAddress>,
        publishers: &impl Publishers,
    ) -> Delivery {
        let from = from.into();
        let mut delivery = Delivery::default();
        let mut merges = Merges::default();
        for (hash, record) in records {
            let said = record.borrowed();
            let (at, time_ns) = (said.quantized(), said.time().ns());
            let mut shard = self.shard(hash).lock();
            let before = shard.size();
            shard.index_before(&self.grid, hash);
            let merged = shard.map.merge_delivered(hash, record, from, publishers);
            let noted_ns = match at {
                None => forgets_up_to_ns(&shard, hash, &merged, time_ns),
                Some(_) => kept_out_up_to_ns(&shard, hash, &merged),
            };
            let left = self.enter(&shard, hash, &merged, at);
            let wakes = changes::merged(&self.watchers, &shard, hash, &merged, at);
            self.counted.changed(before, shard.size());
            let queued = shard.note(hash, &merged);
            drop(shard);
            wakes.wake();
            self.leave(hash, left);
            merges.count(&merged, queued);
            if let Some(noted_ns) = noted_ns {
                self.forgettings.note(hash, noted_ns);
            }
            if merged.outcome.changed() {
                delivery.changed += 1;
            } else {
                delivery.unchanged += 1;
                delivery.given_up += usize::from(merged.death.is_some());
            }
        }
        self.after(&mut merges);
        delivery
    }

    /// The current record of a client, unless it is below the floor. A client that is forgotten has none.
    pub fn find(&self, client: &[u8]) -> Option<Record> {
        self.held(client).filter(|record| !record.is_tombstone())
    }

    /// As [`Locations::find`]; of a client that is forgotten the tombstone.
    pub fn held(&self, client: &[u8]) -> Option<Record> {
        let hash = self.hash(client);
        let record = self.shard(hash).lock().map.find(hash, client).cloned();
        record.filter(|record| record.expires_ns() >= self.floor_ns())
    }

    /// Who watches this map.
    pub fn watchers(&self) -> &Arc<Watchers> {
        &self.watchers
    }

    /// The time below which nothing is held, in nanoseconds since the epoch; `i64::MIN` if there is
    /// no such time.
    pub fn floor_ns(&self) -> i64 {
        self.floor_ns.load(Ordering::Acquire)
    }

    /// Raises the floor; a lower one than the present changes nothing. No [`Locations::find`] that
    /// begins after this call did returns a record below it, and when this resolves they have all
    /// left the map. Returns how many. Takes shard by shard, and lets other tasks run in between.
    pub async fn raise_floor(&self, floor_ns: i64) -> usize {
        let mut removed = 0;
        self.floor_ns.fetch_max(floor_ns, Ordering::AcqRel);
        for shard in &self.shards {
            let mut wakes = Wakes::default();
            let (records, located) = {
                let mut shard = shard.lock();
                let before = shard.size();
                let expired = shard.raise_floor(floor_ns, |record| {
                    if self.watchers.is_any()
                        && let Some(change) = removal(record)
                    {
                        wakes.add(self.watchers.changed(&change));
                    }
                });
                self.counted.changed(before, shard.size());
                expired
            };
            wakes.wake();
            removed += records;
            for (hash, at) in located {
                self.leave(hash, Some(at));
            }
            tokio::task::yield_now().await;
        }
        removed
    }

    /// The bound that a report of this client, with `texts_bytes` bytes of texts, would exceed; `None` if there is room
    /// or a record of the client is held already. Two tasks that ask at the same time may both hear that there is room.
    pub fn full_for(&self, client: &[u8], texts_bytes: usize, room: Room) -> Option<Full> {
        let full = self.counted.full_for(texts_bytes, room)?;
        let hash = self.hash(client);
        let is_held = self.shard(hash).lock().map.find(hash, client).is_some();
        (!is_held).then_some(full)
    }

    /// The memory of all clients, forgotten ones too, in bytes; see [`memory_bytes`](super::memory_bytes).
    pub fn memory_bytes(&self) -> usize {
        self.counted.bytes()
    }

    /// How many clients are known. Those that are forgotten are not.
    pub fn len(&self) -> usize {
        let known = |shard: &Mutex<Shard>| {
            let map = &shard.lock().map;
            map.len() - map.tombstones()
        };
        self.shards.iter().map(known).sum()
    }

    /// How many clients are forgotten: the number of tombstones.
    pub fn tombstones(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| shard.lock().map.tombstones()).sum()
    }

    /// Whether no client is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Resolves when replication keeps up with the reports of clients: at once in ordinary times. A feeder of the map
    /// waits for it before it goes on: so back-pressure reaches it.
    pub async fn ready_for_more(&self) {
        self.admission.admit(&mut None).await;
    }

    /// The admission control behind [`Locations::ready_for_more`].
    pub fn admission(&self) -> &AdmissionControl {
        &self.admission
    }

    /// Whether the store is still being read into the map.
    pub fn loading(&self) -> &Loading {
        &self.loading
    }

    /// How merges ended, since the start.
    pub fn outcomes(&self) -> &OutcomeCounts {
        &self.outcomes
    }

    /// How many entries rely on `publisher`; see [`herd_crdt::LocationMap::relying_on`].
    pub fn relying_on(&self, publisher: PublisherId) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().map.relying_on(publisher))
            .sum()
    }

    /// Publishers that entries rely on.
    pub fn relied_on(&self) -> BTreeSet<PublisherId> {
        let mut publishers = BTreeSet::new();
        for shard in &self.shards {
            publishers.extend(shard.lock().map.relied_on());
        }
        publishers
    }

    /// The hash by which a client is known to [`Locations::standing`].
    pub fn hash_of(&self, client: &[u8]) -> u64 {
        self.hash(client)
    }

    /// See [`herd_crdt::LocationMap::stands_in`].
    pub fn stands_in(&self, hash: u64, place: SlotAddress) -> bool {
        self.shard(hash).lock().map.stands_in(hash, place)
    }

    /// See [`herd_crdt::LocationMap::lives_in`].
    pub fn lives_in(&self, hash: u64, slot: SlotId) -> bool {
        self.shard(hash).lock().map.lives_in(hash, slot)
    }

    /// See [`herd_crdt::LocationMap::standing`].
    pub fn standing(&self, hash: u64, place: SlotAddress) -> Vec<Record> {
        let shard = self.shard(hash).lock();
        shard.map.standing(hash, place).cloned().collect()
    }

    /// See [`herd_crdt::LocationMap::take_over`]; returns how many records.
    pub fn take_over(&self, hashes: impl IntoIterator<Item = u64>, place: SlotAddress) -> usize {
        let (mut taken, mut queued) = (0, 0);
        for hash in hashes {
            let mut shard = self.shard(hash).lock();
            let count = shard.map.take_over(hash, place);
            taken += count;
            queued += shard.queue(vec![hash; count]);
        }
        self.queued(queued);
        taken
    }

    /// Gives up every publication that a live server of lower rank has too. Returns how many.
    pub fn yield_publications(&self, publishers: &impl Publishers) -> usize {
        let mut given_up = 0;
        for shard in &self.shards {
            let mut shard = shard.lock();
            let deaths = shard.map.yield_publications(publishers);
            given_up += deaths.len();
            shard.note_deaths(deaths);
        }
        given_up
    }

    /// See [`herd_crdt::LocationMap::forget_gone`].
    pub fn forget_gone(&self, publishers: &impl Publishers) -> usize {
        let shards = self.shards.iter();
        shards
            .map(|shard| shard.lock().map.forget_gone(publishers))
            .sum()
    }

    /// Where a client's record is published, and the publisher that delivered it last.
    pub fn publication(&self, client: &[u8]) -> Option<(Publication, PublisherId)> {
        let hash = self.hash(client);
        self.shard(hash).lock().map.publication(hash, client)
    }

    /// A merge has put a record here, or a tombstone, which is nowhere. Returns the knot that its client leaves
    /// thereby, which is to be told once the shard is unlocked.
    fn enter(
        &self,
        shard: &Shard,
        hash: u64,
        merged: &Merged,
        at: Option<QuantizedLocation>,
    ) -> Option<QuantizedLocation> {
        if !merged.outcome.changed() || matches!(shard.indexed, Indexed::No) {
            return None;
        }
        match at {
            Some(at) => self.grid.enter(hash, merged.replaced, at),
            None => merged.replaced,
        }
    }

    fn leave(&self, hash: u64, at: Option<QuantizedLocation>) {
        if let Some(at) = at {
            let was_there = self.grid.leave(hash, at);
            debug_assert!(was_there, "BUG: a client left a knot that it was not at");
        }
    }

    /// Tells all tasks the results of some merges, and forgets them.
    fn after(&self, merges: &mut Merges) {
        let merges = std::mem::take(merges);
        self.outcomes.add(&merges);
        if merges.count_of(Outcome::TieWon) + merges.count_of(Outcome::TieLost) > 0 {
            marks::reach(Mark::TieBroken);
        }
        if merges.count_of(Outcome::Stale) > 0 {
            marks::reach(Mark::StaleRefused);
        }
        self.queued(merges.queued);
    }

    fn queued(&self, count: usize) {
        if count > 0 {
            self.pending_len
                .fetch_add(count as isize, Ordering::Relaxed);
            self.news.notify_one();
        }
    }

    pub(super) fn hash(&self, client: &[u8]) -> u64 {
        self.hasher.hash_one(client)
    }

    pub(super) fn shard(&self, hash: u64) -> &Mutex<Shard> {
        &self.shards[shard_of(hash)]
    }
}

/// Which shard a client is in, by its hash.
pub(super) fn shard_of(hash: u64) -> usize {
    (hash >> SHARD_SHIFT_BITS) as usize % SHARDS
}

/// The publisher's view of the shared map.
impl Publications for &Locations {
    fn place_pending(&mut self, hash: u64, place: &mut dyn FnMut(&Record) -> SlotId) {
        self.shard(hash).lock().map.place_pending(hash, place);
    }

    fn relocate(&mut self, hash: u64, from: SlotId, place: &mut dyn FnMut(&Record) -> SlotId) {
        self.shard(hash).lock().map.relocate(hash, from, place);
    }
}

#[cfg(test)]
mod tests;
