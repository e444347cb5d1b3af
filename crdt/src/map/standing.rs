//! In which slot of another server a record stands, and what becomes of it when that slot is overwritten before
//! anything greater has come.

use std::hash::BuildHasher;

use super::{LocationMap, PublisherId, State, recount};
use crate::record::Record;
use crate::slots::SlotId;

/// Where a record was delivered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Who published it.
    pub publisher: PublisherId,
    /// In which of its slots.
    pub slot: SlotId,
}

/// In none of the publisher's slots: of a publisher whose slots do not count.
impl From<PublisherId> for Place {
    fn from(publisher: PublisherId) -> Self {
        Place {
            publisher,
            slot: SlotId(u32::MAX),
        }
    }
}

impl<S: BuildHasher> LocationMap<S> {
    /// The records with this hash that stand nowhere but in this slot of another server, as far as we know:
    /// without it they would be in memory only.
    pub fn standing(&self, hash: u64, place: Place) -> impl Iterator<Item = &Record> {
        let hasher = &self.hasher;
        let entries = self.table.iter_hash(hash);
        entries
            .filter(move |entry| {
                entry.stands_in(place) && hasher.hash_one(entry.record.client()) == hash
            })
            .map(|entry| &entry.record)
    }

    /// Whether [`LocationMap::standing`] finds any.
    pub fn stands_in(&self, hash: u64, place: Place) -> bool {
        self.standing(hash, place).next().is_some()
    }

    /// The slot does not hold them any more: makes pending what [`LocationMap::standing`] finds, with nobody as
    /// its publisher. Returns how often the hash is to be queued.
    pub fn take_over(&mut self, hash: u64, place: Place) -> usize {
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
            queue += usize::from(entry.state != State::Pending);
            entry.state = State::Pending;
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

    fn place(publisher: PublisherId, slot: u32) -> Place {
        let slot = SlotId(slot);
        Place { publisher, slot }
    }

    impl Map {
        fn new() -> Self {
            let map = LocationMap::new(RandomState::new());
            let hash = map.hash(b"kiwi");
            Map { map, hash }
        }

        fn deliver(&mut self, time: &str, from: Place) -> Outcome {
            let merged = self
                .map
                .merge_delivered(self.hash, record(time), from, &Ranks);
            merged.outcome
        }

        fn stands(&self, place: Place) -> bool {
            self.map.standing(self.hash, place).count() > 0
        }

        fn publication(&self) -> (Publication, PublisherId) {
            self.map.publication(self.hash, b"kiwi").unwrap()
        }
    }

    #[test]
    fn a_record_stands_where_it_was_delivered_last_and_is_taken_over_from_there_only() {
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
    fn what_waits_for_a_slot_of_ours_stands_with_its_publisher_until_then() {
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
    fn a_publication_given_up_later_stands_where_it_stood_all_the_time() {
        let mut map = Map::new();
        map.map.merge_heard(map.hash, record("1"));
        map.map.place_pending(map.hash, |_| SlotId(3));
        /// The one that outranks us is gone, and back.
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
