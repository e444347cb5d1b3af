//! The slot of another server that holds a record, and the fate of the record when that slot is overwritten before a
//! greater record has come.

use std::hash::BuildHasher;

use super::{EntryState, LocationMap, PublisherId, recount};
use crate::record::Record;
use crate::slots::SlotId;

/// A slot of one publisher: the place from which a record was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotAddress {
    /// The publisher.
    pub publisher: PublisherId,
    /// Its slot.
    pub slot: SlotId,
}

/// No slot: for a publisher whose slots do not count.
impl From<PublisherId> for SlotAddress {
    fn from(publisher: PublisherId) -> Self {
        SlotAddress {
            publisher,
            slot: SlotId(u32::MAX),
        }
    }
}

impl<S: BuildHasher> LocationMap<S> {
    /// The records with this hash that only this slot of another server holds, as far as this server knows: without the
    /// slot they would be in memory only.
    pub fn standing(&self, hash: u64, place: SlotAddress) -> impl Iterator<Item = &Record> {
        let hasher = &self.hasher;
        let entries = self.table.iter_hash(hash);
        entries
            .filter(move |entry| {
                entry.stands_in(place) && hasher.hash_one(entry.record.client()) == hash
            })
            .map(|entry| &entry.record)
    }

    /// Whether [`LocationMap::standing`] finds any.
    pub fn stands_in(&self, hash: u64, place: SlotAddress) -> bool {
        self.standing(hash, place).next().is_some()
    }

    /// The slot does not hold its records any more: makes the records of [`LocationMap::standing`] pending, with nobody
    /// as their publisher. Returns how often the hash is to be queued.
    pub fn take_over(&mut self, hash: u64, place: SlotAddress) -> usize {
        let Self {
            table,
            hasher,
            relying,
            ..
        } = self;
        let mut queue = 0;
        for entry in table.iter_hash_mut(hash) {
            if !entry.stands_in(place) || hasher.hash_one(entry.record.client()) != hash {
                continue;
            }
            let relied_on = entry.relies_on();
            queue += usize::from(entry.state != EntryState::Pending);
            entry.state = EntryState::Pending;
            entry.set_publisher(PublisherId::NOBODY.into());
            entry.yielded = false;
            recount(relying, relied_on, entry.relies_on());
        }
        queue
    }
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use super::super::{Outcome, Publication, Publishers};
    use super::*;

    /// Nobody is gone; the second publisher outranks us.
    struct Ranks;

    const HIGHER: PublisherId = PublisherId(1);
    const LOWER: PublisherId = PublisherId(2);

    impl Publishers for Ranks {
        fn presumed_live(&self, _: PublisherId) -> bool {
            true
        }

        fn outranks(&self, publisher: PublisherId, _: &Record) -> bool {
            publisher == LOWER
        }
    }

    struct Map {
        map: LocationMap<RandomState>,
        hash: u64,
    }

    fn record(time: &str) -> Record {
        Record::new(b"kiwi", b"+1+1", time.as_bytes(), "Hill".into(), 0).unwrap()
    }

    fn place(publisher: PublisherId, slot: u32) -> SlotAddress {
        let slot = SlotId(slot);
        SlotAddress { publisher, slot }
    }

    impl Map {
        fn new() -> Self {
            let map = LocationMap::new(RandomState::new());
            let hash = map.hash(b"kiwi");
            Map { map, hash }
        }

        fn deliver(&mut self, time: &str, from: SlotAddress) -> Outcome {
            let merged = self
                .map
                .merge_delivered(self.hash, record(time), from, &Ranks);
            merged.outcome
        }

        fn stands(&self, place: SlotAddress) -> bool {
            self.map.standing(self.hash, place).count() > 0
        }

        fn publication(&self) -> (Publication, PublisherId) {
            self.map.publication(self.hash, b"kiwi").unwrap()
        }
    }

    #[test]
    fn a_record_is_taken_over_from_its_last_slot_only() {
        let mut map = Map::new();
        map.deliver("1", place(HIGHER, 3));
        assert!(map.stands(place(HIGHER, 3)));
        assert!(!map.stands(place(HIGHER, 4)) && !map.stands(place(LOWER, 3)));
        // Compaction moves it.
        assert_eq!(map.deliver("1", place(HIGHER, 4)), Outcome::Same);
        assert!(!map.stands(place(HIGHER, 3)));
        assert_eq!(map.map.take_over(map.hash, place(HIGHER, 3)), 0);
        // Something greater has come.
        map.deliver("2", place(LOWER, 7));
        assert!(!map.stands(place(HIGHER, 4)) && map.stands(place(LOWER, 7)));
        assert_eq!(map.map.take_over(map.hash, place(LOWER, 7)), 1);
        let taken = (Publication::Pending, PublisherId::NOBODY);
        assert_eq!(map.publication(), taken);
        assert_eq!((map.map.relying_on(LOWER), map.map.len()), (0, 1));
        assert_eq!(map.map.take_over(map.hash, place(LOWER, 7)), 0);
    }

    #[test]
    fn a_pending_record_stands_in_its_publishers_slot() {
        let mut map = Map::new();
        map.deliver("1", place(HIGHER, 3));
        map.map.adopt(|_, _| true);
        assert!(map.stands(place(HIGHER, 3)));
        map.map.place_pending(map.hash, |_| SlotId(3));
        assert!(!map.stands(place(HIGHER, 3)));
        // It is given up to one that has it.
        map.deliver("1", place(LOWER, 8));
        assert_eq!(map.publication(), (Publication::Elsewhere, LOWER));
        assert!(map.stands(place(LOWER, 8)) && !map.stands(place(LOWER, 3)));
    }

    #[test]
    fn a_given_up_publication_stands_where_it_stood() {
        let mut map = Map::new();
        map.map.merge_heard(map.hash, record("1"));
        map.map.place_pending(map.hash, |_| SlotId(3));
        /// The one that outranks this server is gone, and back.
        struct Gone;
        impl Publishers for Gone {
            fn presumed_live(&self, _: PublisherId) -> bool {
                false
            }
            fn outranks(&self, _: PublisherId, _: &Record) -> bool {
                true
            }
        }
        let hash = map.hash;
        map.map
            .merge_delivered(hash, record("1"), place(LOWER, 8), &Gone);
        assert!(!map.stands(place(LOWER, 8)), "a slot of ours has it");
        assert_eq!(map.map.yield_publications(&Ranks)[0].slot, SlotId(3));
        assert!(map.stands(place(LOWER, 8)) && !map.stands(place(LOWER, 9)));
        map.deliver("1", place(LOWER, 9));
        assert!(!map.stands(place(LOWER, 8)) && map.stands(place(LOWER, 9)));
    }
}
