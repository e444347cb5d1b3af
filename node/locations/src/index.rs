//! The index of where clients are, looked at as a whole.

use std::collections::BTreeMap;

use herd_crdt::QuantizedLocation;
use herd_grid::Cell;

use super::Locations;

/// Where index and map do not agree: a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexFault {
    /// Clients of the map are not at their knots.
    #[error("{missing} clients of the map are not at their knots")]
    Missing {
        /// How many.
        missing: usize,
    },
    /// The index holds more than the map does.
    #[error("the index holds {index} clients, and the map {map}")]
    Surplus {
        /// Clients of the index.
        index: usize,
        /// Clients of the map.
        map: usize,
    },
}

impl Locations {
    /// How many clients the index holds, and how many of its nodes hold any: none before an area is asked for.
    pub fn index_size(&self) -> (usize, usize) {
        (self.grid.len(), self.grid.nodes())
    }

    /// How index and map differ, while nothing changes; clients that are not entered yet do not count. Looks at every
    /// record, and copies the hash of each: for tests, which call [`Locations::make_index`] first.
    pub fn index_fault(&self) -> Option<IndexFault> {
        let mut by_cell = BTreeMap::<Cell, Vec<_>>::new();
        let mut map = 0;
        for shard in &self.shards {
            let shard = shard.lock();
            for record in shard.map.records() {
                let hash = self.hash(record.client());
                let Some(at) = record.quantized().filter(|_| shard.indexed.has(hash)) else {
                    continue;
                };
                by_cell.entry(Cell::of(at)).or_default().push((hash, at));
                map += 1;
            }
        }
        let mut missing = 0;
        for (cell, mut expected) in by_cell {
            let mut held = self.grid.in_cell(cell);
            let order = |&(hash, at): &(u64, QuantizedLocation)| (hash, at.row(), at.column());
            expected.sort_unstable_by_key(order);
            held.sort_unstable_by_key(order);
            let mut held = held.into_iter().peekable();
            for member in expected {
                while held
                    .next_if(|other| order(other) < order(&member))
                    .is_some()
                {}
                missing += usize::from(held.next_if_eq(&member).is_none());
            }
        }
        let index = self.grid.len();
        match (missing, index == map) {
            (0, true) => None,
            (0, false) => Some(IndexFault::Surplus { index, map }),
            _ => Some(IndexFault::Missing { missing }),
        }
    }
}
