//! The publisher's bookkeeping: from pending records to groups in slots, and compaction.
//!
//! The caller owns the map, the groups that are out (in gossip and in a store) and the clock; this
//! module decides which record goes into which slot. It relies on three things, in this order, for each round:
//! deaths are taken from the map before pending records are; all pending records that were taken
//! are published; and only then are the deaths applied, those of a compaction too. So a slot is
//! never overwritten before the successors of its records are out. A caller with a store applies
//! deaths later still, when these successors are on disk.

use crate::group::{GroupBuilder, GroupFormat};
use crate::map::{Death, LocationMap};
use crate::record::Record;
use crate::slots::{SlotId, Slots, Weight};
use std::hash::BuildHasher;

/// A map in which publications can be moved. Implemented by one [`LocationMap`], and by a map that is split into
/// shards.
pub trait Publications {
    /// See [`LocationMap::place_pending`].
    fn place_pending(&mut self, hash: u64, place: &mut dyn FnMut(&Record) -> SlotId);

    /// See [`LocationMap::relocate`].
    fn relocate(&mut self, hash: u64, from: SlotId, place: &mut dyn FnMut(&Record) -> SlotId);
}

impl<S: BuildHasher> Publications for LocationMap<S> {
    fn place_pending(&mut self, hash: u64, place: &mut dyn FnMut(&Record) -> SlotId) {
        LocationMap::place_pending(self, hash, place);
    }

    fn relocate(&mut self, hash: u64, from: SlotId, place: &mut dyn FnMut(&Record) -> SlotId) {
        LocationMap::relocate(self, hash, from, place);
    }
}

/// An encoded group and the slot that it is to be set in. Groups must go out in the order in which
/// they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotGroup {
    /// The slot to overwrite.
    pub slot: SlotId,
    /// The encoded group.
    pub group: Vec<u8>,
}

/// Decides which slot holds which records, for one incarnation of this server.
#[derive(Debug, Default)]
pub struct Publisher {
    slots: Slots,
    /// The hashes of the clients in each slot's group, whether their records live there still or not: with
    /// them a slot is compacted without reading its group.
    contents: Vec<Vec<u64>>,
    format: GroupFormat,
    /// Empty between rounds, and kept for their room: for records with a location, and for tombstones.
    builders: [GroupBuilder; 2],
}

impl Publisher {
    /// No slots yet; groups will be of this format.
    #[must_use]
    pub fn new(format: GroupFormat) -> Self {
        Publisher {
            slots: Slots::default(),
            contents: Vec::new(),
            format,
            builders: [GroupBuilder::new(format), GroupBuilder::new(format)],
        }
    }

    /// As [`Publisher::new`], with `spare` spare slots instead of [`crate::SPARE_SLOTS`].
    #[must_use]
    pub fn with_spare_slots(format: GroupFormat, spare: usize) -> Self {
        Publisher {
            slots: Slots::with_spare(spare),
            ..Publisher::new(format)
        }
    }

    /// Puts all pending records with these hashes into groups.
    pub fn publish(&mut self, pending: &[u64], map: &mut impl Publications) -> Vec<SlotGroup> {
        let mut packer = Packer::new(&mut self.slots, &mut self.contents, &mut self.builders);
        for &hash in pending {
            map.place_pending(hash, &mut |record| packer.place(hash, record));
        }
        packer.finish()
    }

    /// Counts records that died in their slots.
    pub fn apply_deaths(&mut self, deaths: &[Death], now_ms: u64) {
        for death in deaths {
            self.slots.record_died(death.slot, death.weight, now_ms);
        }
    }

    /// Slots that are worth compacting now, by [`Publisher::compact`]. Empty when there is nothing to do.
    #[must_use]
    pub fn compaction_sources(&self) -> Vec<SlotId> {
        self.slots.compaction_sources()
    }

    /// Slots to be compacted because their groups hold something older than `below_ns`, at most
    /// [`crate::COMPACTED_SLOTS`]; see [`Slots::outdated_sources`]. With a time that lies a while below the
    /// map's floor, no live record moves twice in that while for this reason: the records that it moves with
    /// are above the floor.
    #[must_use]
    pub fn outdated_sources(&mut self, below_ns: i64) -> Vec<SlotId> {
        self.slots.outdated_sources(below_ns)
    }

    /// The groups of these slots hold records that must leave soon: each slot with live records becomes one of
    /// [`Publisher::outdated_sources`], and the others are cleared as always. Slots that do not exist are passed over.
    pub fn mark_outdated(&mut self, slots: impl IntoIterator<Item = SlotId>) {
        for slot in slots {
            self.slots.mark_outdated(slot);
        }
    }

    /// The slots in whose groups `is_wanted` finds the hash of a client, whether its record lives there or not. Slots
    /// whose groups are out although all in them has moved count too: what they hold is not known any more. Slots
    /// are looked at from `first` on, `count` of them; the second part is the first of those that are left.
    #[must_use]
    pub fn slots_with(
        &self,
        first: SlotId,
        count: usize,
        mut is_wanted: impl FnMut(SlotId, u64) -> bool,
    ) -> (Vec<SlotId>, Option<SlotId>) {
        let first = first.0 as usize;
        let end = first.saturating_add(count).min(self.contents.len());
        let found = (first..end)
            .map(|number| SlotId(number as u32))
            .filter(|&slot| {
                let contents = self.contents.get(slot.0 as usize);
                let mut hashes = contents.into_iter().flatten();
                !self.slots.is_cleared(slot)
                    && (self.slots.shows_moved(slot) || hashes.any(|&hash| is_wanted(slot, hash)))
            })
            .collect();
        let left = (end < self.contents.len()).then_some(SlotId(end as u32));
        (found, left)
    }

    /// Moves the live records of `sources` into new groups. Returns these, and the deaths to apply when
    /// they are out: the emptied slots are free then.
    ///
    /// A record that died in the map, but whose death was not applied yet, is left where it is; its
    /// slot is not compacted again, and is free once that death is applied. So compacting while
    /// there are sources comes to an end, however the map changes meanwhile.
    pub fn compact(
        &mut self,
        sources: &[SlotId],
        map: &mut impl Publications,
    ) -> (Vec<SlotGroup>, Vec<Death>) {
        let contents: Vec<(SlotId, Vec<u64>)> = sources
            .iter()
            .filter_map(|&slot| {
                let contents = self.contents.get_mut(slot.0 as usize)?;
                Some((slot, std::mem::take(contents)))
            })
            .collect();
        let mut packer = Packer::new(&mut self.slots, &mut self.contents, &mut self.builders);
        let mut moved = Vec::new();
        for (slot, hashes) in contents {
            for hash in hashes {
                map.relocate(hash, slot, &mut |record| {
                    moved.push(Death {
                        slot,
                        weight: Weight::of(record),
                    });
                    packer.place(hash, record)
                });
            }
        }
        let groups = packer.finish();
        for &slot in sources {
            self.slots.drained(slot);
        }
        (groups, moved)
    }

    /// Groups that clear slots which have stayed free; see [`Slots::clear_idle`].
    pub fn clear_idle(&mut self, now_ms: u64) -> Vec<SlotGroup> {
        let idle = self.slots.clear_idle(now_ms);
        let format = self.format;
        idle.into_iter()
            .map(|slot| SlotGroup {
                slot,
                group: format.empty_group(),
            })
            .collect()
    }

    /// The slots, for figures about them.
    #[must_use]
    pub fn slots(&self) -> &Slots {
        &self.slots
    }
}

/// Fills groups one after the other, each in a free slot. Tombstones have groups of their own: a server of a release
/// before them reads all others.
struct Packer<'a> {
    slots: &'a mut Slots,
    contents: &'a mut Vec<Vec<u64>>,
    located: OpenGroup<'a>,
    tombstones: OpenGroup<'a>,
    done: Vec<SlotGroup>,
}

/// A group that may take more records.
struct OpenGroup<'a> {
    /// Its slot; `None` while it is empty.
    slot: Option<SlotId>,
    builder: &'a mut GroupBuilder,
}

impl OpenGroup<'_> {
    fn close(&mut self) -> Option<SlotGroup> {
        let slot = self.slot.take()?;
        Some(SlotGroup {
            slot,
            group: self.builder.finish(),
        })
    }
}

impl<'a> Packer<'a> {
    fn new(
        slots: &'a mut Slots,
        contents: &'a mut Vec<Vec<u64>>,
        builders: &'a mut [GroupBuilder; 2],
    ) -> Self {
        debug_assert!(
            builders.iter().all(GroupBuilder::is_empty),
            "BUG: a group was left unfinished"
        );
        let [located, tombstones] = builders;
        let open = |builder| OpenGroup {
            slot: None,
            builder,
        };
        Packer {
            slots,
            contents,
            located: open(located),
            tombstones: open(tombstones),
            done: Vec::new(),
        }
    }

    fn place(&mut self, hash: u64, record: &Record) -> SlotId {
        let open = match record.is_tombstone() {
            true => &mut self.tombstones,
            false => &mut self.located,
        };
        if !open.builder.try_push(record) {
            if let Some(slot) = open.slot {
                self.slots.closed_full(slot);
            }
            self.done.extend(open.close());
            let fits = open.builder.try_push(record);
            debug_assert!(fits, "BUG: a record does not fit into an empty group");
        }
        let slot = match open.slot {
            Some(slot) => slot,
            None => {
                let slot = begin_group(self.slots, self.contents);
                open.slot = Some(slot);
                slot
            }
        };
        self.slots
            .record_placed(slot, Weight::of(record), record.expires_ns());
        self.contents[slot.0 as usize].push(hash);
        slot
    }

    fn finish(mut self) -> Vec<SlotGroup> {
        self.done.extend(self.located.close());
        self.done.extend(self.tombstones.close());
        self.done
    }
}

/// A slot for a new group, with no contents yet.
fn begin_group(slots: &mut Slots, contents: &mut Vec<Vec<u64>>) -> SlotId {
    let slot = slots.take_free();
    let place = slot.0 as usize;
    // Slots are numbered without gaps.
    contents.resize_with(contents.len().max(place + 1), Vec::new);
    contents[place].clear();
    slot
}
