//! Before many records are merged, the entries of their clients are prefetched.

use super::shard::Shard;
use super::sharded::{Locations, shard_of};

/// With fewer clients most of the map is in the processor's caches, and prefetching costs more than it saves.
const CLIENTS_MIN: usize = 50_000;

/// With fewer records there is next to nothing to wait for at once.
const RECORDS_MIN: usize = 16;

impl Locations {
    /// As [`Locations::prefetch`], of the first `records_max` of these clients, if that saves time.
    pub fn prefetch_clients<'a>(
        &self,
        clients: impl Iterator<Item = &'a [u8]>,
        records_max: usize,
    ) {
        self.prefetch_hashes(clients.map(|client| self.hash_of(client)), records_max);
    }

    /// The same of clients by their hashes, which are made only if they are needed.
    pub fn prefetch_hashes(&self, hashes: impl Iterator<Item = u64>, records_max: usize) {
        if records_max < RECORDS_MIN || self.counted.clients() < CLIENTS_MIN {
            return;
        }
        let mut first = Vec::with_capacity(records_max);
        first.extend(hashes.take(records_max));
        if first.len() >= RECORDS_MIN {
            self.prefetch(first);
        }
    }

    /// Looks at the shards of these hashes, one hash after the other, once their entries are prefetched. Sorts the hashes.
    /// The shards of the hashes are locked together: a lock waits for all reads before it, so one lock for each hash would
    /// make the processor wait for one entry after the other. But a shard that is locked already is waited for when all
    /// others are unlocked again.
    pub(super) fn with_shards_of(&self, hashes: &mut [u64], mut look: impl FnMut(&Shard, u64)) {
        hashes.sort_unstable_by_key(|&hash| shard_of(hash));
        let of_shards = || hashes.chunk_by(|&a, &b| shard_of(a) == shard_of(b));
        let mut shards = Vec::with_capacity(hashes.len());
        let mut are_locked = false;
        for of_one in of_shards() {
            let shard = self.shards[shard_of(of_one[0])].try_lock();
            are_locked |= shard.is_none();
            shards.push(shard);
        }
        for (shard, of_one) in shards.iter().zip(of_shards()) {
            if let Some(shard) = shard {
                shard.map.prefetch(of_one.iter().copied());
            }
        }
        for (shard, of_one) in shards.iter().zip(of_shards()) {
            if let Some(shard) = shard {
                of_one.iter().for_each(|&hash| look(shard, hash));
            }
        }
        if !are_locked {
            return;
        }
        let missed: Vec<bool> = shards.iter().map(Option::is_none).collect();
        drop(shards);
        for (of_one, _) in of_shards().zip(missed).filter(|&(_, missed)| missed) {
            let shard = self.shards[shard_of(of_one[0])].lock();
            of_one.iter().for_each(|&hash| look(&shard, hash));
        }
    }

    /// See [`herd_crdt::LocationMap::prefetch`]. Locks each shard once.
    pub fn prefetch(&self, mut hashes: Vec<u64>) {
        hashes.sort_unstable_by_key(|&hash| shard_of(hash));
        for of_one in hashes.chunk_by(|&a, &b| shard_of(a) == shard_of(b)) {
            if let Some(&first) = of_one.first() {
                let shard = self.shards[shard_of(first)].lock();
                shard.map.prefetch(of_one.iter().copied());
            }
        }
    }
}
