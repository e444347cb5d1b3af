//! Records by the hashes of their clients, for walks over a map that goes on changing: the place of an entry in the
//! table may change with every insertion, its hash never does.

use std::hash::BuildHasher;
use std::hint::black_box;

use super::LocationMap;
use crate::record::Record;

impl<S: BuildHasher> LocationMap<S> {
    /// The hash of every client, in no order. Two clients may have the same.
    pub fn hashes(&self) -> impl Iterator<Item = u64> {
        let hasher = &self.hasher;
        self.table
            .iter()
            .map(|entry| hasher.hash_one(entry.record.client()))
    }

    /// The current records of the clients with this hash; nearly always one at most.
    pub fn with_hash(&self, hash: u64) -> impl Iterator<Item = &Record> {
        let hasher = &self.hasher;
        self.table
            .iter_hash(hash)
            .map(|entry| &entry.record)
            // Others turn up here too.
            .filter(move |record| hasher.hash_one(record.client()) == hash)
    }

    /// The current records of clients that may have this hash: all records that [`LocationMap::with_hash`] finds, and
    /// one time in a hundred another record. No text is read.
    pub fn perhaps_with_hash(&self, hash: u64) -> impl Iterator<Item = &Record> {
        self.table.iter_hash(hash).map(|entry| &entry.record)
    }

    /// Prefetches into the processor's caches the memory that merges and look-ups of these hashes will read.
    ///
    /// In a large map each step of a merge waits for memory: for the table, for the entry, for its text. Here
    /// no read depends on an earlier one for another hash, so the processor waits for many at
    /// once (group prefetching: Chen, Ailamaki, Gibbons, Mowry, "Improving hash join performance through
    /// prefetching", 2004).
    pub fn prefetch(&self, hashes: impl IntoIterator<Item = u64>) {
        for hash in hashes {
            // Whichever entry comes first: nearly always the right one, and nothing is compared.
            let entry = self.table.find(hash, |_| true);
            black_box(entry.map(|entry| (entry.yielded, entry.record.text_ends())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use super::*;

    /// Hashes to the last byte that is written, so that many clients have the same hash.
    #[derive(Default)]
    struct LastByte(u8);

    impl Hasher for LastByte {
        fn write(&mut self, bytes: &[u8]) {
            self.0 = bytes.last().copied().unwrap_or_default();
        }

        fn finish(&self) -> u64 {
            u64::from(self.0)
        }
    }

    #[test]
    fn clients_that_share_a_hash_are_found_by_it_and_no_others() {
        let mut map = LocationMap::new(std::hash::BuildHasherDefault::<LastByte>::default());
        for number in 0..100 {
            let client = format!("client{number}");
            let record = Record::new(client.as_bytes(), b"+1+1", b"1", "Hill".into(), 0).unwrap();
            map.merge_heard(map.hash(client.as_bytes()), record);
        }
        let mut hashes: Vec<u64> = map.hashes().collect();
        assert_eq!(hashes.len(), 100);
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes, (b'0'..=b'9').map(u64::from).collect::<Vec<_>>());
        for hash in hashes {
            let found: Vec<&Record> = map.with_hash(hash).collect();
            assert_eq!(found.len(), 10);
            for record in found {
                assert_eq!(record.client().last().copied().map(u64::from), Some(hash));
            }
        }
    }
}
