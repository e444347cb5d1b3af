//! Before many records are merged, the entries of their clients are prefetched.

use super::sharded::{Locations, shard_of};

impl Locations {
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
