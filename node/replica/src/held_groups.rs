//! Which clients the stored groups of other servers hold: what tells a record that loses its place in the
//! store from one that has another.

use std::collections::{BTreeMap, HashMap};

use herd_crdt::group::GroupFormat;
use herd_crdt::{PublisherId, Record, ServerMap, SlotAddress, SlotId};

use super::incarnation::Incarnation;
use super::store::StoreGroup;

/// For each stored group of another server the hashes of its clients, 8 bytes each.
#[derive(Debug, Default)]
pub struct HeldGroups {
    of: BTreeMap<Incarnation, HashMap<SlotId, HeldGroup>>,
}

#[derive(Debug)]
struct HeldGroup {
    version: u64,
    /// Its records are in the map. The receiver may end between the store and the map, and a group of a later format is
    /// in the store alone.
    is_merged: bool,
    /// In order.
    hashes: Box<[u64]>,
}

/// Records that groups about to be stored overwrite, and that have no other place in the store, as far as is
/// known.
#[derive(Debug, Default)]
pub struct Overwritten {
    /// The records.
    pub records: Vec<Record>,
    /// Their slots.
    pub places: Vec<LostPlace>,
}

/// A slot that was overwritten, and the hashes of clients that had no other place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostPlace {
    /// Who published the slot.
    pub incarnation: Incarnation,
    /// The slot.
    pub place: SlotAddress,
    /// The hashes of the clients.
    pub hashes: Vec<u64>,
}

impl HeldGroups {
    /// The store holds a group of clients with these hashes in place of what the slot held; returns the hashes of
    /// that.
    pub fn hold(
        &mut self,
        incarnation: &Incarnation,
        slot: SlotId,
        version: u64,
        mut hashes: Vec<u64>,
    ) -> Box<[u64]> {
        hashes.sort_unstable();
        let slots = match self.of.get_mut(incarnation) {
            Some(slots) => slots,
            None => self.of.entry(incarnation.clone()).or_default(),
        };
        let hashes = hashes.into_boxed_slice();
        let held = HeldGroup {
            version,
            is_merged: false,
            hashes,
        };
        let former = slots.insert(slot, held);
        former.map_or_else(Box::default, |former| former.hashes)
    }

    /// The group of this version is in the map.
    pub fn note_merged(&mut self, incarnation: &Incarnation, slot: SlotId, version: u64) {
        let slots = self.of.get_mut(incarnation);
        let held = slots.and_then(|slots| slots.get_mut(&slot));
        if let Some(held) = held.filter(|held| held.version == version) {
            held.is_merged = true;
        }
    }

    /// Whether the map has something later of this slot: whoever delivered this is behind it.
    pub fn has_later(&self, incarnation: &Incarnation, slot: SlotId, version: u64) -> bool {
        let held = self.of.get(incarnation).and_then(|slots| slots.get(&slot));
        held.is_some_and(|held| held.is_merged && held.version > version)
    }

    /// Leaves those of the clients that still have no other place: nothing greater has come, no other server
    /// has delivered their records, and they have not come back to their slot.
    pub fn retain_lost(&self, lost: &mut LostPlace, map: &impl ServerMap) {
        let slots = self.of.get(&lost.incarnation);
        let held = slots.and_then(|slots| slots.get(&lost.place.slot));
        let is_held = |hash: &u64| held.is_some_and(|held| held.hashes.binary_search(hash).is_ok());
        lost.hashes
            .retain(|hash| !is_held(hash) && map.stands_in(*hash, lost.place));
    }

    /// The store needs nothing of this incarnation any more.
    pub fn forget(&mut self, incarnation: &Incarnation) {
        self.of.remove(incarnation);
    }

    /// The store is about to hold these groups, each from its place; what loses its only place with that. To be
    /// called before any of them is merged.
    pub fn overwrite(
        &mut self,
        groups: &[(SlotAddress, StoreGroup)],
        format: GroupFormat,
        map: &impl ServerMap,
    ) -> Overwritten {
        let mut dropped: Vec<LostPlace> = Vec::new();
        let mut held: Vec<(PublisherId, Vec<u64>)> = Vec::new();
        for (place, delivered) in groups {
            let mut now = hashes_in(&delivered.group, format, map);
            now.sort_unstable();
            let StoreGroup {
                incarnation,
                slot,
                version,
                ..
            } = delivered;
            let former = self.hold(incarnation, *slot, *version, now.clone());
            let mut hashes = former.into_vec();
            hashes.dedup();
            hashes.retain(|hash| now.binary_search(hash).is_err() && map.stands_in(*hash, *place));
            if !hashes.is_empty() {
                dropped.push(LostPlace {
                    incarnation: incarnation.clone(),
                    place: *place,
                    hashes,
                });
            }
            held.push((place.publisher, now));
        }
        let mut overwritten = Overwritten::default();
        for mut lost in dropped {
            let place = lost.place;
            // Compaction moves records; or what one of these groups has of the client is greater.
            lost.hashes.retain(|hash| {
                !held.iter().any(|(publisher, hashes)| {
                    *publisher == place.publisher && hashes.binary_search(hash).is_ok()
                })
            });
            for hash in &lost.hashes {
                overwritten.records.extend(map.standing(*hash, place));
            }
            if !lost.hashes.is_empty() {
                overwritten.places.push(lost);
            }
        }
        overwritten
    }
}

/// The hashes of a group's clients; of none if it cannot be read, for what it holds was never in the map then.
fn hashes_in(group: &[u8], format: GroupFormat, map: &impl ServerMap) -> Vec<u64> {
    let Ok(group) = format.read(group) else {
        return Vec::new();
    };
    let records = group.records();
    records.map(|record| map.hash_of(record.client())).collect()
}

#[cfg(test)]
mod tests {
    use herd_crdt::Publication;
    use herd_crdt::group::GroupBuilder;

    use super::*;
    use crate::testing::{AllLive, PlainMap};

    const SMITH: PublisherId = PublisherId(1);
    const FORMAT: GroupFormat = GroupFormat::PRESENT;

    fn record(client: &str, time: &str) -> Record {
        let (client, time) = (client.as_bytes(), time.as_bytes());
        Record::new(client, b"+1+1", time, "Smith".into(), 0).unwrap()
    }

    fn delivered(slot: u32, clients: &[(&str, &str)]) -> (SlotAddress, StoreGroup) {
        let mut builder = GroupBuilder::default();
        for (client, time) in clients {
            assert!(builder.try_push(&record(client, time)));
        }
        let slot = SlotId(slot);
        let group = StoreGroup {
            incarnation: Incarnation {
                server: "Smith".into(),
                generation: 1,
            },
            slot,
            version: 1,
            group: builder.finish().into(),
        };
        let publisher = SMITH;
        (SlotAddress { publisher, slot }, group)
    }

    struct HoldingServer {
        held: HeldGroups,
        map: PlainMap,
    }

    impl HoldingServer {
        fn new() -> Self {
            HoldingServer {
                held: HeldGroups::default(),
                map: PlainMap::default(),
            }
        }

        /// Takes in groups as the receiver does; returns what was overwritten, and how much of it still stood
        /// when all was merged.
        fn take(&mut self, groups: &[(SlotAddress, StoreGroup)]) -> (Vec<Record>, usize) {
            let overwritten = self.held.overwrite(groups, FORMAT, &self.map);
            for (place, delivered) in groups {
                let group = FORMAT.read(&delivered.group).unwrap();
                self.map.deliver(group.records(), *place, &AllLive);
            }
            let mut taken = 0;
            for mut lost in overwritten.places {
                self.held.retain_lost(&mut lost, &self.map);
                taken += self.map.take_over(lost.hashes, lost.place);
            }
            (overwritten.records, taken)
        }
    }

    #[test]
    fn a_later_group_counts_once_it_is_in_the_map() {
        let mut held = HeldGroups::default();
        let incarnation = delivered(3, &[]).1.incarnation;
        let slot = SlotId(3);
        held.hold(&incarnation, slot, 7, vec![1]);
        // The receiver ended before it merged that, or cannot read it.
        assert!(!held.has_later(&incarnation, slot, 5));
        held.note_merged(&incarnation, slot, 5);
        assert!(!held.has_later(&incarnation, slot, 5));
        held.note_merged(&incarnation, slot, 7);
        assert!(held.has_later(&incarnation, slot, 5));
        assert!(!held.has_later(&incarnation, slot, 7));
        held.hold(&incarnation, slot, 8, vec![1]);
        assert!(!held.has_later(&incarnation, slot, 5));
    }

    #[test]
    fn a_record_that_its_slot_drops_too_early_is_taken_over() {
        let mut server = HoldingServer::new();
        let first = delivered(3, &[("kiwi", "1"), ("emu", "1")]);
        assert_eq!(server.take(&[first]), (Vec::new(), 0));
        let overwritten = server.take(&[delivered(3, &[("emu", "1")])]);
        assert_eq!(overwritten, (vec![record("kiwi", "1")], 1));
        let (publication, publisher) = server.map.publication(b"kiwi").unwrap();
        assert_eq!(
            (publication, publisher),
            (Publication::Pending, PublisherId::NOBODY)
        );
        // It is nobody's now.
        assert_eq!(server.take(&[delivered(3, &[])]).0, [record("emu", "1")]);
        assert_eq!(server.take(&[delivered(3, &[])]), (Vec::new(), 0));
    }

    #[test]
    fn what_has_moved_and_what_is_superseded_loses_no_place() {
        let mut server = HoldingServer::new();
        server.take(&[delivered(3, &[("kiwi", "1"), ("emu", "1"), ("moa", "1")])]);
        // One was moved before, and one moves now, one has a greater record from elsewhere.
        server.take(&[delivered(4, &[("kiwi", "1")])]);
        server.map.report(record("moa", "2"));
        let groups = [delivered(3, &[]), delivered(5, &[("emu", "1")])];
        assert_eq!(server.take(&groups), (Vec::new(), 0));
        // A greater one of the same publisher comes with what overwrites it.
        let groups = [delivered(4, &[]), delivered(6, &[("kiwi", "2")])];
        assert_eq!(server.take(&groups), (Vec::new(), 0));
    }

    #[test]
    fn a_record_superseded_in_the_same_change_is_not_taken_over() {
        let mut server = HoldingServer::new();
        server.take(&[delivered(3, &[("kiwi", "1")])]);
        let (mut place, mut other) = delivered(3, &[("kiwi", "2")]);
        place.publisher = PublisherId(2);
        other.incarnation.server = "Hill".into();
        let groups = [delivered(3, &[]), (place, other)];
        assert_eq!(server.take(&groups), (vec![record("kiwi", "1")], 0));
    }
}
