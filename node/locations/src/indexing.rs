//! The index is made when an area is asked for the first time. A server that is never asked pays nothing for it.
//!
//! Shard by shard, the hashes of all clients are noted, and the clients are then entered in pieces. A client that changes
//! before its turn is entered first, so that every merge finds the index as the map is.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use herd_crdt::QuantizedLocation;
use herd_grid::Grid;

use super::Locations;
use super::shard::Shard;

/// How far the clients of a shard are in the index.
#[derive(Debug, Default)]
pub(super) enum Indexed {
    /// Nobody has asked for an area.
    #[default]
    No,
    /// All but these are.
    Partly(Left),
    /// All are, and every merge keeps it so.
    Yes,
}

/// Clients that are still to be entered, by their hashes.
#[derive(Debug)]
pub(super) struct Left {
    hashes: HashSet<u64>,
    /// The same, and some that were entered before their turn.
    turns: Vec<u64>,
}

impl Indexed {
    /// Whether the clients with this hash are in the index.
    pub(super) fn has(&self, hash: u64) -> bool {
        match self {
            Indexed::No => false,
            Indexed::Partly(left) => !left.hashes.contains(&hash),
            Indexed::Yes => true,
        }
    }
}

impl Shard {
    /// A client with this hash is about to change: it is entered now, if its turn was still to come.
    #[inline]
    pub(super) fn index_before(&mut self, grid: &Grid, hash: u64) {
        if let Indexed::Partly(left) = &mut self.indexed
            && left.hashes.remove(&hash)
        {
            self.enter_all(grid, hash);
        }
    }

    /// Enters about so many clients; returns how many it took as long as, or `None` if all are in the index.
    fn index_on(&mut self, grid: &Grid, clients_max: usize) -> Option<usize> {
        match &mut self.indexed {
            Indexed::Yes => None,
            Indexed::No => {
                let turns: Vec<u64> = self.map.hashes().collect();
                let count = turns.len();
                let hashes = turns.iter().copied().collect();
                self.indexed = Indexed::Partly(Left { hashes, turns });
                Some(count)
            }
            Indexed::Partly(left) => {
                let behind = left.turns.len().saturating_sub(clients_max);
                let mut piece = left.turns.split_off(behind);
                let is_last = left.turns.is_empty();
                piece.retain(|hash| left.hashes.remove(hash));
                for &hash in &piece {
                    self.enter_all(grid, hash);
                }
                if is_last {
                    self.indexed = Indexed::Yes;
                }
                Some(piece.len())
            }
        }
    }

    fn enter_all(&self, grid: &Grid, hash: u64) {
        for at in self
            .map
            .with_hash(hash)
            .filter_map(|record| record.quantized())
        {
            let left = grid.enter(hash, None, at);
            debug_assert!(
                left.is_none(),
                "BUG: a client that enters first was nowhere"
            );
        }
    }

    /// Of records that were removed, those that were in the index.
    pub(super) fn retain_indexed(&self, removed: &mut Vec<(u64, QuantizedLocation)>) {
        removed.retain(|&(hash, _)| self.indexed.has(hash));
    }
}

impl Locations {
    /// Carries on making the index by a piece of about this number of clients; says whether it is made. From then on every
    /// merge keeps it up to date.
    pub(super) fn carry_on_indexing(&self, piece: usize) -> bool {
        if self.is_indexed.load(Ordering::Acquire) {
            return true;
        }
        let mut done = 0;
        for shard in &self.shards {
            while done < piece {
                match shard.lock().index_on(&self.grid, piece - done) {
                    Some(count) => done += count.max(1),
                    None => break,
                }
            }
            if done >= piece {
                return false;
            }
        }
        self.is_indexed.store(true, Ordering::Release);
        true
    }

    /// Makes the index at once. For tests and benchmarks: a search makes it in pieces.
    pub fn make_index(&self) {
        while !self.carry_on_indexing(usize::MAX) {}
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::{Outcome, Record};
    use proptest::prelude::*;

    use super::*;

    fn record(client: u8, place: u8, time: u32) -> Record {
        let (client, time) = (format!("client{client}"), time.to_string());
        let location = format!("+{place}.00{place}+{place}");
        Record::new(
            client.as_bytes(),
            location.as_bytes(),
            time.as_bytes(),
            "Hill".into(),
            0,
        )
        .unwrap()
    }

    proptest! {
        #[test]
        fn the_index_is_as_the_map_while_it_is_made(
            before in prop::collection::vec((0_u8..40, 0_u8..9, 0_u32..50), 0..60),
            meanwhile in prop::collection::vec((0_u8..60, 0_u8..9, 0_u32..90, 1_usize..9, any::<bool>()), 0..80),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let locations = Locations::default();
            for (client, place, time) in before {
                locations.report(record(client, place, time));
            }
            prop_assert_eq!(locations.index_size(), (0, 0), "nobody has asked");
            for (client, place, time, piece, rises) in meanwhile {
                locations.carry_on_indexing(piece);
                locations.report(record(client, place, time));
                if rises {
                    let floor_ns = i64::from(time / 2) * herd_crdt::NANOSECONDS_PER_SECOND;
                    runtime.block_on(locations.raise_floor(floor_ns));
                }
                prop_assert_eq!(locations.index_fault(), None);
            }
            locations.make_index();
            prop_assert_eq!(locations.index_fault(), None);
            prop_assert_eq!(locations.index_size().0, locations.len());
        }
    }

    #[test]
    fn a_piece_enters_about_as_many_clients_as_it_may() {
        let locations = Locations::default();
        for client in 0..=u8::MAX {
            assert_eq!(locations.report(record(client, 5, 1)), Outcome::New);
        }
        let mut pieces = 0;
        while !locations.carry_on_indexing(20) {
            pieces += 1;
            assert!(locations.index_size().0 <= 20 * pieces);
        }
        assert_eq!(locations.index_size().0, 256);
        assert!(pieces >= 256 / 20, "{pieces}");
    }
}
