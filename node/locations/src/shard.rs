//! One shard: a part of the map, and its work for the publisher.

use herd_crdt::{Death, LocationMap, Merged, QuantizedLocation, Record};

use super::hash_keys::HashKeys;
use super::indexing::Indexed;

/// The pending records of a shard that are prefetched when they are taken: those of all shards fill about the nearer
/// caches of the processor.
const PREFETCHED_PENDING_MAX: usize = 64;

/// A part of the map and its outbox, changed together under one lock.
pub(super) struct Shard {
    pub(super) map: LocationMap<HashKeys>,
    /// Whether its clients are in the index.
    pub(super) indexed: Indexed,
    /// Records that died in our slots, since the publisher last looked. Each entry dies at most
    /// once between two looks, so this is bounded by the size of the map.
    deaths: Vec<Death>,
    /// Hashes of clients that wait for the next group. An entry is queued when it becomes pending;
    /// twice, if its publication is given up and taken up again before the publisher looks.
    pending: Vec<u64>,
    /// Hashes of clients that this server takes over from others, or from its earlier incarnation, and for which nobody
    /// waits. Some may be pending by now, or published by another server.
    backlog: Vec<u64>,
    /// Whether there is a publisher; without one, nothing is queued for it.
    has_publisher: bool,
}

impl Shard {
    pub(super) fn new(hasher: HashKeys) -> Self {
        Shard {
            map: LocationMap::new(hasher),
            indexed: Indexed::No,
            deaths: Vec::new(),
            pending: Vec::new(),
            backlog: Vec::new(),
            has_publisher: true,
        }
    }

    /// Its records, and the bytes of their texts.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.map.len(), self.map.texts_bytes())
    }

    /// Notes the work that a merge leaves for the publisher; returns whether a record is newly pending.
    pub(super) fn note(&mut self, hash: u64, merged: &Merged) -> bool {
        if !self.has_publisher {
            return false;
        }
        self.deaths.extend(merged.death);
        if merged.queue {
            self.pending.push(hash);
        }
        merged.queue
    }

    /// Queues clients for publication; returns how many.
    pub(super) fn queue(&mut self, hashes: Vec<u64>) -> usize {
        if !self.has_publisher {
            return 0;
        }
        let count = hashes.len();
        self.pending.extend(hashes);
        count
    }

    /// Puts clients into the backlog; returns how many.
    pub(super) fn put_back(&mut self, hashes: Vec<u64>) -> usize {
        if !self.has_publisher {
            return 0;
        }
        let count = hashes.len();
        if self.backlog.is_empty() {
            self.backlog = hashes;
        } else {
            self.backlog.extend(hashes);
        }
        count
    }

    pub(super) fn note_deaths(&mut self, deaths: Vec<Death>) {
        if self.has_publisher {
            self.deaths.extend(deaths);
        }
    }

    /// Removes the records below the floor, and tells `removed` of each. Returns how many, the hashes of those that were in
    /// the index, and about where they were.
    pub(super) fn raise_floor(
        &mut self,
        floor_ns: i64,
        removed: impl FnMut(&Record),
    ) -> (usize, Vec<(u64, QuantizedLocation)>) {
        let mut expired = self.map.raise_floor_telling(floor_ns, removed);
        self.retain_indexed(&mut expired.locations);
        self.note_deaths(expired.deaths);
        (expired.records, expired.locations)
    }

    pub(super) fn take_deaths(&mut self, out: &mut Vec<Death>) {
        out.append(&mut self.deaths);
    }

    pub(super) fn take_pending(&mut self, out: &mut Vec<u64>) {
        // The caller looks them up one by one next. With more of them, the first would leave the caches before that.
        let soon = self.pending.iter().take(PREFETCHED_PENDING_MAX);
        self.map.prefetch(soon.copied());
        out.append(&mut self.pending);
    }

    /// Takes at most `max` clients of the backlog.
    pub(super) fn take_backlog(&mut self, max: usize, out: &mut Vec<u64>) {
        let left = self.backlog.len().saturating_sub(max);
        out.extend(self.backlog.drain(left..));
        if left == 0 {
            self.backlog = Vec::new();
        }
    }

    /// Every record that this server publishes is to be published anew, into slots that do not exist yet. Pending
    /// records stay pending, so they go first.
    pub(super) fn republish_all(&mut self) {
        self.has_publisher = true;
        self.deaths.clear();
        self.backlog = self.map.republish_all();
        let mut hastened = self.pending.clone();
        hastened.sort_unstable();
        for &hash in &hastened {
            self.map.hasten(hash);
        }
        self.backlog
            .retain(|hash| hastened.binary_search(hash).is_err());
    }

    /// There will be no publisher: its queues are emptied.
    pub(super) fn publish_nothing(&mut self) {
        self.has_publisher = false;
        self.deaths = Vec::new();
        self.pending = Vec::new();
        self.backlog = Vec::new();
    }

    pub(super) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn backlog_len(&self) -> usize {
        self.backlog.len()
    }
}
