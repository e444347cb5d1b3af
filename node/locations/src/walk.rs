//! A walk over all records, a piece at a time, while the map goes on changing.

use herd_crdt::Record;

use super::Locations;

/// A piece is complete with this many records, or
const PIECE_RECORDS_MAX: usize = 256;

/// with this many bytes in their texts. The last record may exceed it.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// Where a walk over all records has come to.
///
/// Every client that is known when the walk starts, and as long as it lasts, comes exactly once; one
/// that becomes known or is forgotten meanwhile may come or not. Each record is the current one of
/// some moment during the walk, not all of the same.
///
/// One shard is locked at a time: once to note the hashes of its clients (8 bytes for each, of this
/// shard alone), then once for each piece.
#[derive(Debug, Default)]
pub struct Walk {
    /// Shards whose hashes were noted.
    shards_begun: usize,
    /// Hashes of the last of them that are still to come.
    hashes: Vec<u64>,
}

impl Walk {
    /// The next records, none of them twice; an empty piece is not the end. `None` at the end.
    pub fn next_piece(&mut self, locations: &Locations) -> Option<Vec<Record>> {
        while self.hashes.is_empty() {
            let shard = locations.shards.get(self.shards_begun)?;
            self.shards_begun += 1;
            self.hashes.extend(shard.lock().map.hashes());
            // Clients that share a hash come together, once.
            self.hashes.sort_unstable();
            self.hashes.dedup();
        }
        let shard = locations.shards.get(self.shards_begun - 1)?;
        let mut records = Vec::new();
        let mut bytes = 0;
        let shard = shard.lock();
        while records.len() < PIECE_RECORDS_MAX
            && bytes < PIECE_BYTES_MAX
            && let Some(hash) = self.hashes.pop()
        {
            for record in shard.map.with_hash(hash) {
                bytes += record.text_len();
                records.push(record.clone());
            }
        }
        drop(shard);
        Some(records)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn report(locations: &Locations, client: &[u8]) {
        let record = Record::new(client, b"+1+1", b"1", "Hill".into(), 0).unwrap();
        locations.report(record);
    }

    fn client(number: usize) -> Vec<u8> {
        format!("client{number}").into_bytes()
    }

    #[test]
    fn a_walk_meets_each_client_once_while_the_map_grows() {
        const KNOWN: usize = 50_000;
        let locations = Locations::default();
        for number in 0..KNOWN {
            report(&locations, &client(number));
        }
        let mut walk = Walk::default();
        let mut seen = Vec::new();
        let mut added = KNOWN;
        while let Some(piece) = walk.next_piece(&locations) {
            assert!(piece.len() <= PIECE_RECORDS_MAX);
            seen.extend(piece.iter().map(|record| record.client().to_vec()));
            // The tables inside grow, and all their entries move.
            for _ in 0..PIECE_RECORDS_MAX {
                report(&locations, &client(added));
                added += 1;
            }
        }
        let distinct: BTreeSet<&Vec<u8>> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "some came twice");
        for number in 0..KNOWN {
            assert!(distinct.contains(&client(number)), "{number} did not come");
        }
    }

    #[test]
    fn a_piece_of_long_ids_is_a_short_one() {
        let locations = Locations::default();
        for number in 0..2_000_usize {
            report(&locations, format!("{number:08000}").as_bytes());
        }
        let mut walk = Walk::default();
        let mut count = 0;
        while let Some(piece) = walk.next_piece(&locations) {
            assert!(piece.len() <= PIECE_BYTES_MAX / 8_000 + 1);
            count += piece.len();
        }
        assert_eq!(count, 2_000);
    }

    #[test]
    fn an_empty_map_is_walked_over_at_once() {
        assert!(Walk::default().next_piece(&Locations::default()).is_none());
    }
}
