//! The slots that a server publishes its records in: how full each is, which are free, and which
//! are worth compacting.
//!
//! A slot is written as a whole, by one group. Its records die one by one, as newer ones for their clients arrive from
//! anywhere, and a slot without live records is free again at no cost. So, except for expiry (below), nothing is
//! compacted until slots take more than [`ROOM_FACTOR`] times the room of their live records, and [`SPARE_SLOTS`]
//! beside it: the longer a slot is left alone, the less there is to move (Rosenblum, Ousterhout, "The design and
//! implementation of a log-structured file system", 1992). Every record that moves is sent to and merged by the whole
//! herd once more.
//!
//! Then [`COMPACTED_SLOTS`] slots are written together into new groups. They are of one tier, by the small part of
//! them that lives, so that small groups become large ones in few steps (size-tiered compaction:
//! O'Neil et al., "The log-structured merge-tree", 1996). The emptiest tier that has enough slots is taken.
//!
//! The live part of a slot is measured against its capacity: a slot whose group was closed
//! because the next record did not fit holds no more than it did then, however little that is (long
//! client IDs, many server names). Measured against the size of a group, such slots would be
//! compacted into as many again, without end.
//!
//! With a floor (see [`crate::LocationMap::raise_floor`]) records leave, but their bytes stand in a
//! slot until it is written again. So each slot knows the oldest time in it, dead records included,
//! and is drained when the floor has passed that by far enough. Records of one group are mostly of
//! about the same time, so mostly there is little left to move.
//!
//! A slot whose group holds the location of a client that was forgotten is drained too, whatever its age.

use crate::group::GROUP_BYTES_MAX;
use crate::record::Record;

/// The number of one slot of this server. Slots are numbered from zero without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u32);

/// How much of a group a record takes, in bytes, roughly: the same each time it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u32);

impl Weight {
    /// Lengths, index and clock of a record in a group, in bytes.
    const OVERHEAD_BYTES: usize = 13;

    /// The weight of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let text = record.text_len() - record.server().len();
        // A record's texts are bounded far below 4 GiB.
        Weight((text + Self::OVERHEAD_BYTES) as u32)
    }
}

/// The weight of a full slot.
const SLOT_WEIGHT_FULL: u32 = GROUP_BYTES_MAX as u32;

/// The number of slots that are compacted together.
pub const COMPACTED_SLOTS: usize = 8;

/// Slots may take this many times the room of their live records. In a herd whose clients report at random, a
/// quarter of a record moves for each report then; with a factor of 3, an eighth. When every slot that was
/// half dead was compacted, it was more than one.
pub const ROOM_FACTOR: usize = 2;

/// Slots that may be in use beyond that: a server with few clients leaves small groups to die too.
pub const SPARE_SLOTS: usize = 32;

/// A slot in which at least one part in this many lives belongs to no tier.
const HEALTHY_FRACTION: u32 = 2;

/// From one tier to the next, the live part falls by this factor.
const TIER_FACTOR: u32 = 8;

/// Tiers below the healthy ones. The last takes all that is left.
const TIERS: usize = 3;

/// Slots of which less than half lives that compaction leaves, at most, when there is no room: with one more, a
/// tier would have enough.
pub const CROWDED_TIERS_SLOTS_MAX: usize = TIERS * (COMPACTED_SLOTS - 1);

// Slots that belong to no tier have room by their live records, so when there is no room a tier has enough.
const _: () = assert!(SPARE_SLOTS > CROWDED_TIERS_SLOTS_MAX);
const _: () = assert!(ROOM_FACTOR >= HEALTHY_FRACTION as usize);

/// The unit in which parts of slots are added up: a whole slot.
const WHOLE_SLOT: u64 = 1 << 20;

/// A slot that stays free this long is set to the empty group.
pub const FREE_SLOT_CLEARED_AFTER_MS: u64 = 1_000;

#[derive(Clone, Copy, Debug)]
struct Slot {
    live_weight: u32,
    live_records: u32,
    /// The weight of the slot when all its records live.
    full_weight: u32,
    /// All live records have moved away; records that still count as live have died, and their deaths are to come.
    drained: bool,
    /// The group that is out holds a record that must leave soon.
    outdated: bool,
    /// The group that is out is the empty one.
    cleared: bool,
    /// The least of the times at which the records in the slot's group expire, dead ones too; `i64::MAX` without any.
    oldest_ns: i64,
}

impl Slot {
    const FREE: Slot = Slot {
        live_weight: 0,
        live_records: 0,
        full_weight: SLOT_WEIGHT_FULL,
        drained: false,
        outdated: false,
        cleared: false,
        oldest_ns: i64::MAX,
    };

    /// Whether the live records have to move so that records that expire below this time leave, or other records that
    /// must.
    fn is_outdated(self, below_ns: i64) -> bool {
        self.is_in_use() && (self.outdated || self.oldest_ns < below_ns)
    }

    /// Whether compaction could free it.
    fn is_in_use(self) -> bool {
        self.live_records > 0 && !self.drained
    }

    /// The part of it that lives, of [`WHOLE_SLOT`].
    fn live_part(self) -> u64 {
        u64::from(self.live_weight) * WHOLE_SLOT / u64::from(self.full_weight.max(1))
    }

    /// The tier that the slot belongs to; `None` for a free, a drained or a healthy one.
    fn tier(self) -> Option<usize> {
        if !self.is_in_use() {
            return None;
        }
        let mut floor = self.full_weight / HEALTHY_FRACTION;
        if self.live_weight >= floor {
            return None;
        }
        for tier in 0..TIERS - 1 {
            floor /= TIER_FACTOR;
            if self.live_weight >= floor {
                return Some(tier);
            }
        }
        Some(TIERS - 1)
    }
}

#[derive(Clone, Copy, Debug)]
struct FreeSlot {
    slot: SlotId,
    free_since_ms: u64,
    /// Its published group is the empty one already.
    cleared: bool,
}

/// All slots of one incarnation of this server.
#[derive(Debug)]
pub struct Slots {
    slots: Vec<Slot>,
    free: Vec<FreeSlot>,
    tiers: [usize; TIERS],
    /// Slots that compaction could free, and the parts of them that live: see [`Slot::live_part`].
    in_use: usize,
    live_parts: u64,
    /// See [`SPARE_SLOTS`].
    spare: usize,
    live_records: usize,
    /// No slot that could be drained holds an older record: it saves looking at all slots.
    oldest_ns_min: i64,
    /// Some slot that could be drained may be [`Slot::outdated`].
    any_outdated: bool,
}

impl Default for Slots {
    fn default() -> Self {
        Slots {
            slots: Vec::new(),
            free: Vec::new(),
            tiers: [0; TIERS],
            in_use: 0,
            live_parts: 0,
            spare: SPARE_SLOTS,
            live_records: 0,
            oldest_ns_min: i64::MAX,
            any_outdated: false,
        }
    }
}

impl Slots {
    /// As many spare slots as this instead of [`SPARE_SLOTS`].
    #[must_use]
    pub fn with_spare(spare: usize) -> Self {
        Slots {
            spare,
            ..Slots::default()
        }
    }

    /// A free slot to write a group into: one that was used before if there is any.
    pub fn take_free(&mut self) -> SlotId {
        if let Some(free) = self.free.pop() {
            self.slots[free.slot.0 as usize] = Slot::FREE;
            return free.slot;
        }
        // 2^32 slots of 12 KB would be 50 TB.
        let slot = SlotId(self.slots.len() as u32);
        self.slots.push(Slot::FREE);
        slot
    }

    /// A record that expires at this time, in nanoseconds since the epoch, was put into `slot`.
    pub fn record_placed(&mut self, slot: SlotId, weight: Weight, expires_ns: i64) {
        self.live_records += 1;
        self.oldest_ns_min = self.oldest_ns_min.min(expires_ns);
        self.change(slot, |slot| {
            slot.live_records += 1;
            slot.live_weight += weight.0;
            slot.oldest_ns = slot.oldest_ns.min(expires_ns);
        });
    }

    /// The group of `slot` holds a record that must leave soon. A free slot is cleared anyway, and one that is drained
    /// will be.
    pub fn mark_outdated(&mut self, slot: SlotId) {
        if let Some(slot) = self.slots.get_mut(slot.0 as usize)
            && !slot.cleared
        {
            slot.outdated = true;
            self.any_outdated |= slot.is_in_use();
        }
    }

    /// A record of `slot` died, or moved away. A slot whose last record goes is free from `now_ms`. A death in a slot
    /// where nothing lives changes nothing: counts that wrapped would keep the slot for ever.
    pub fn record_died(&mut self, slot: SlotId, weight: Weight, now_ms: u64) {
        if self.live_records_in(slot) == 0 {
            return;
        }
        self.live_records = self.live_records.saturating_sub(1);
        let is_free = self.change(slot, |slot| {
            slot.live_records = slot.live_records.saturating_sub(1);
            slot.live_weight = slot.live_weight.saturating_sub(weight.0);
        });
        if is_free {
            self.free.push(FreeSlot {
                slot,
                free_since_ms: now_ms,
                cleared: false,
            });
        }
    }

    /// The group of `slot` is complete: one more record did not fit. Its present weight counts as its capacity from now
    /// on.
    pub fn closed_full(&mut self, slot: SlotId) {
        self.change(slot, |slot| slot.full_weight = slot.live_weight);
    }

    /// All that lives in `slot` is moving away. It is no source of compaction any more, and becomes
    /// free when its last record is counted out.
    pub fn drained(&mut self, slot: SlotId) {
        self.change(slot, |slot| slot.drained = true);
    }

    /// How many slots still show their old group after [`Slots::mark_outdated`]: slots that are to be drained, and those
    /// that are drained or free, until they are used again or cleared.
    #[must_use]
    pub fn outdated_len(&self) -> usize {
        self.slots.iter().filter(|slot| slot.outdated).count()
    }

    /// Whether the records in the group of `slot` have moved away, but that group is still out.
    #[must_use]
    pub fn shows_moved(&self, slot: SlotId) -> bool {
        let slot = self.slots.get(slot.0 as usize);
        slot.is_some_and(|slot| slot.drained && !slot.cleared)
    }

    /// Whether the group of `slot` that is out is the empty one.
    #[must_use]
    pub fn is_cleared(&self, slot: SlotId) -> bool {
        let slot = self.slots.get(slot.0 as usize);
        slot.is_some_and(|slot| slot.cleared)
    }

    /// Slots to be compacted together, least alive first; empty while there is room enough.
    ///
    /// Less than half of each lives. So the new groups take fewer slots than become free, or, where long records leave
    /// gaps, fill as many to the end: compacting while there are sources comes to an end.
    #[must_use]
    pub fn compaction_sources(&self) -> Vec<SlotId> {
        if self.has_room() {
            return Vec::new();
        }
        // With slots enough to spare there is one: healthy slots have room for themselves.
        let emptiest = self
            .tiers
            .iter()
            .rposition(|&count| count >= COMPACTED_SLOTS);
        let Some(tier) = emptiest else {
            return Vec::new();
        };
        let mut sources: Vec<(u64, SlotId)> = (0_u32..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.tier() == Some(tier))
            .map(|(number, slot)| (slot.live_part(), SlotId(number)))
            .collect();
        sources.sort_unstable();
        sources.truncate(COMPACTED_SLOTS);
        sources.into_iter().map(|(_, slot)| slot).collect()
    }

    fn has_room(&self) -> bool {
        let live = self.live_parts.div_ceil(WHOLE_SLOT) as usize;
        self.in_use <= self.spare + ROOM_FACTOR * live
    }

    /// Up to [`COMPACTED_SLOTS`] slots with live records whose groups hold something that expires before
    /// `below_ns`, or a record that must leave soon: once these are compacted, that is out of the slots in
    /// use. Empty if there are none, which is mostly known without a look at each slot.
    pub fn outdated_sources(&mut self, below_ns: i64) -> Vec<SlotId> {
        if self.oldest_ns_min >= below_ns && !self.any_outdated {
            return Vec::new();
        }
        let mut sources = Vec::new();
        let mut oldest_ns_min = i64::MAX;
        self.any_outdated = false;
        for (number, slot) in (0_u32..).zip(&self.slots) {
            if slot.is_outdated(i64::MAX) {
                oldest_ns_min = oldest_ns_min.min(slot.oldest_ns);
                self.any_outdated |= slot.outdated;
            }
            if slot.is_outdated(below_ns) && sources.len() < COMPACTED_SLOTS {
                sources.push(SlotId(number));
            }
        }
        self.oldest_ns_min = oldest_ns_min;
        sources
    }

    /// Slots that have been free for [`FREE_SLOT_CLEARED_AFTER_MS`] and still publish their old group: the caller sets
    /// each of them to the empty group.
    pub fn clear_idle(&mut self, now_ms: u64) -> Vec<SlotId> {
        let mut idle = Vec::new();
        for free in &mut self.free {
            let free_ms = now_ms.saturating_sub(free.free_since_ms);
            if !free.cleared && free_ms >= FREE_SLOT_CLEARED_AFTER_MS {
                free.cleared = true;
                if let Some(slot) = self.slots.get_mut(free.slot.0 as usize) {
                    slot.cleared = true;
                    slot.outdated = false;
                }
                idle.push(free.slot);
            }
        }
        idle
    }

    /// How many slots there are, free ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no slot at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many slots hold no live record.
    #[must_use]
    pub fn free_len(&self) -> usize {
        self.free.len()
    }

    /// How many records live in slots.
    #[must_use]
    pub fn live_records(&self) -> usize {
        self.live_records
    }

    /// How many bytes the live records take in their groups, roughly.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.slots
            .iter()
            .map(|slot| u64::from(slot.live_weight))
            .sum()
    }

    /// How many records live in `slot`; 0 for one that does not exist.
    #[must_use]
    pub fn live_records_in(&self, slot: SlotId) -> usize {
        self.slots
            .get(slot.0 as usize)
            .map_or(0, |slot| slot.live_records as usize)
    }

    /// Applies `change` and keeps the sums right; says whether the slot has become free.
    fn change(&mut self, slot: SlotId, change: impl FnOnce(&mut Slot)) -> bool {
        let slot = &mut self.slots[slot.0 as usize];
        if let Some(tier) = slot.tier() {
            self.tiers[tier] = self.tiers[tier].saturating_sub(1);
        }
        if slot.is_in_use() {
            self.in_use = self.in_use.saturating_sub(1);
            self.live_parts = self.live_parts.saturating_sub(slot.live_part());
        }
        change(slot);
        if let Some(tier) = slot.tier() {
            self.tiers[tier] += 1;
        }
        if slot.is_in_use() {
            self.in_use += 1;
            self.live_parts += slot.live_part();
        }
        slot.live_records == 0
    }
}

#[cfg(test)]
mod tests;
