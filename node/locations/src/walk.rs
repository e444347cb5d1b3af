//! A walk over all records, a piece at a time, while the map goes on changing.

use herd_crdt::Record;
use parking_lot::Mutex;

use super::Locations;
use super::shard::Shard;

mod counting;

/// A piece is complete with this many records, or
const PIECE_RECORDS_MAX: usize = 256;

/// with this many bytes in their texts. The last record may exceed it.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// A piece of IDs is complete with this many clients looked at.
const PIECE_CLIENTS: usize = 128;

/// The most hashes that a frugal walk notes at a time. A shard with more is gone over again for the next.
const FRUGAL_HASHES_MAX: usize = 4 * 1024;

/// Where a walk over all records has come to.
///
/// Every client that is known when the walk starts, and as long as it lasts, comes exactly once; one
/// that becomes known or is forgotten meanwhile may come or not. Each record is the current one of
/// some moment during the walk, not all of the same.
///
/// One shard is locked at a time: once to note the next hashes of its clients (8 bytes for each), then once for each
/// piece.
#[derive(Debug)]
pub struct Walk {
    /// The most hashes that are noted at a time.
    hashes_max: usize,
    /// Shards of which all hashes were noted.
    shards_done: usize,
    /// The shard that the noted hashes are of.
    shard: usize,
    /// The least hash of that shard that was not noted yet; `None` at its beginning.
    from: Option<u64>,
    /// Noted hashes that are still to come, the greatest first.
    hashes: Vec<u64>,
}

impl Default for Walk {
    fn default() -> Self {
        Walk {
            hashes_max: usize::MAX,
            shards_done: 0,
            shard: 0,
            from: None,
            hashes: Vec::new(),
        }
    }
}

impl Walk {
    /// One that takes little memory, for there may be many: some 32 KiB, and not 8 bytes for each client of a shard.
    #[must_use]
    pub fn frugal() -> Self {
        Walk {
            hashes_max: FRUGAL_HASHES_MAX,
            ..Walk::default()
        }
    }

    /// The next records, none of them twice; an empty piece is not the end. `None` at the end.
    pub fn next_piece(&mut self, locations: &Locations) -> Option<Vec<Record>> {
        let shard = self.next_shard(locations)?.lock();
        let mut records = Vec::new();
        let mut bytes = 0;
        while records.len() < PIECE_RECORDS_MAX
            && bytes < PIECE_BYTES_MAX
            && let Some(hash) = self.hashes.pop()
        {
            for record in shard.map.with_hash(hash) {
                bytes += record.text_len();
                records.push(record.clone());
            }
        }
        Some(records)
    }

    /// The same with the IDs of those clients only whose records are `wanted`, which is asked under a lock.
    pub fn next_ids(
        &mut self,
        locations: &Locations,
        wanted: impl Fn(&Record) -> bool,
    ) -> Option<Vec<Box<[u8]>>> {
        let shard = self.next_shard(locations)?.lock();
        let mut ids = Vec::new();
        let mut bytes = 0;
        for _ in 0..PIECE_CLIENTS {
            if bytes >= PIECE_BYTES_MAX {
                break;
            }
            let Some(hash) = self.hashes.pop() else { break };
            for record in shard.map.with_hash(hash) {
                if wanted(record) {
                    bytes += record.client().len();
                    ids.push(record.client().into());
                }
            }
        }
        Some(ids)
    }

    /// The shard of the next hashes, which are noted. `None` at the end.
    fn next_shard<'a>(&mut self, locations: &'a Locations) -> Option<&'a Mutex<Shard>> {
        while self.hashes.is_empty() {
            self.shard = self.shards_done;
            let shard = locations.shards.get(self.shard)?;
            self.note(shard);
        }
        locations.shards.get(self.shard)
    }

    /// Notes the next hashes of a shard.
    fn note(&mut self, shard: &Mutex<Shard>) {
        let from = self.from.unwrap_or(0);
        let hashes = &mut self.hashes;
        hashes.extend(shard.lock().map.hashes().filter(|&hash| hash >= from));
        // The least hashes come first; the others are not sorted, for they are noted again.
        self.from = None;
        if hashes.len() > self.hashes_max {
            let (_, &mut next, _) = hashes.select_nth_unstable(self.hashes_max);
            hashes.truncate(self.hashes_max);
            hashes.shrink_to_fit();
            // One that shares the next hash comes with it.
            hashes.retain(|hash| *hash < next);
            self.from = Some(next);
            if hashes.is_empty() {
                // All of them share it.
                hashes.push(next);
                self.from = next.checked_add(1);
            }
        }
        // Clients that share a hash come together, once.
        hashes.sort_unstable_by(|a, b| b.cmp(a));
        hashes.dedup();
        if self.from.is_none() {
            self.shards_done += 1;
        }
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
        walk_over_growing(50_000, usize::MAX, PIECE_RECORDS_MAX);
        // So that each shard is gone over many times.
        walk_over_growing(20_000, 50, 10);
    }

    fn walk_over_growing(known: usize, hashes_max: usize, added_a_piece: usize) {
        let locations = Locations::default();
        for number in 0..known {
            report(&locations, &client(number));
        }
        let mut walk = Walk {
            hashes_max,
            ..Walk::default()
        };
        let mut seen = Vec::new();
        let mut added = known;
        while let Some(piece) = walk.next_piece(&locations) {
            assert!(piece.len() <= PIECE_RECORDS_MAX);
            seen.extend(piece.iter().map(|record| record.client().to_vec()));
            // The tables inside grow, and all their entries move.
            for _ in 0..added_a_piece {
                report(&locations, &client(added));
                added += 1;
            }
        }
        let distinct: BTreeSet<&Vec<u8>> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "some came twice");
        for number in 0..known {
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
