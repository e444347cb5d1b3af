//! Tiers, free slots and their counters.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const HEALTHY_FLOOR: u32 = SLOT_WEIGHT_FULL / HEALTHY_FRACTION;

fn recount(slots: &Slots) -> [usize; TIERS] {
    let mut tiers = [0; TIERS];
    for tier in slots.slots.iter().filter_map(|slot| slot.tier()) {
        tiers[tier] += 1;
    }
    tiers
}

/// A slot with one record of this weight.
fn slot_with(slots: &mut Slots, weight: u32) -> SlotId {
    let slot = slots.take_free();
    slots.record_placed(slot, Weight(weight), 0);
    slot
}

#[test]
fn a_death_where_nothing_lives_changes_nothing() {
    let mut slots = Slots::default();
    let slot = slot_with(&mut slots, 100);
    let other = slot_with(&mut slots, 100);
    for weight in [100, 100, 7] {
        slots.record_died(slot, Weight(weight), 1);
    }
    // And one that weighs more than all that lives.
    slots.record_died(other, Weight(1_000), 1);
    slots.record_died(SlotId(99), Weight(1), 1);
    assert_eq!((slots.live_records_in(slot), slots.live_bytes()), (0, 0));
    let free = [slots.take_free(), slots.take_free(), slots.take_free()];
    assert_eq!(
        std::collections::BTreeSet::from(free).len(),
        3,
        "none is free twice"
    );
    assert_eq!(recount(&slots), slots.tiers);
}

#[test]
fn a_tier_is_the_part_that_lives() {
    let tier = |live_weight, full_weight| {
        let slot = Slot {
            live_weight,
            live_records: 1,
            full_weight,
            drained: false,
            outdated: false,
            cleared: false,
            oldest_ns: 0,
        };
        slot.tier()
    };
    for (live, expected) in [
        (SLOT_WEIGHT_FULL, None),
        (HEALTHY_FLOOR, None),
        (HEALTHY_FLOOR - 1, Some(0)),
        (HEALTHY_FLOOR / 8, Some(0)),
        (HEALTHY_FLOOR / 8 - 1, Some(1)),
        (HEALTHY_FLOOR / 8 / 8, Some(1)),
        (HEALTHY_FLOOR / 8 / 8 - 1, Some(2)),
        (1, Some(2)),
    ] {
        assert_eq!(tier(live, SLOT_WEIGHT_FULL), expected, "{live} lives");
    }
    assert_eq!(tier(2_000, 4_000), None, "half of what it can hold");
    assert_eq!(tier(1_999, 4_000), Some(0));
    assert_eq!(Slot::FREE.tier(), None);
}

/// As many slots with one record of this weight as there is room for.
fn fill_with(slots: &mut Slots, weight: u32) {
    while slots.compaction_sources().is_empty() {
        slot_with(slots, weight);
    }
}

#[test]
fn nothing_is_compacted_while_there_is_room() {
    let mut slots = Slots::default();
    fill_with(&mut slots, 1);
    assert_eq!(slots.len(), SPARE_SLOTS + ROOM_FACTOR + 1);
    let mut slots = Slots::default();
    let half = SLOT_WEIGHT_FULL / ROOM_FACTOR as u32;
    for _ in 0..10 * SPARE_SLOTS {
        slot_with(&mut slots, half);
        assert_eq!(slots.compaction_sources(), [], "each makes room for itself");
    }
    let full = slots.len();
    fill_with(&mut slots, 1);
    assert_eq!(slots.len(), full + SPARE_SLOTS + ROOM_FACTOR + 1);
}

#[test]
fn the_emptiest_tier_with_enough_slots_is_compacted() {
    let mut slots = Slots::default();
    let tier_1 = HEALTHY_FLOOR / 8 - 1;
    let heavier: Vec<SlotId> = (1..COMPACTED_SLOTS as u32)
        .map(|less| slot_with(&mut slots, tier_1 - less))
        .collect();
    for _ in 1..COMPACTED_SLOTS {
        slot_with(&mut slots, 1);
    }
    fill_with(&mut slots, HEALTHY_FLOOR / 2);
    let sources = slots.compaction_sources();
    assert_eq!(sources.len(), COMPACTED_SLOTS);
    let in_tier_0 = |slot: &SlotId| slots.slots[slot.0 as usize].tier() == Some(0);
    assert!(sources.iter().all(in_tier_0), "no other tier has enough");
    let heaviest = slot_with(&mut slots, tier_1);
    let sources = slots.compaction_sources();
    assert_eq!(sources.len(), COMPACTED_SLOTS);
    assert!(heavier.iter().all(|slot| sources.contains(slot)));
    assert_eq!(sources.last(), Some(&heaviest));
    slot_with(&mut slots, 1);
    let emptiest = slots.compaction_sources();
    assert!(!emptiest.contains(&heaviest) && emptiest.len() == COMPACTED_SLOTS);
}

#[test]
fn a_closed_slot_is_healthy_until_half_of_it_is_dead() {
    let mut slots = Slots::default();
    let slot = slot_with(&mut slots, 2_000);
    slots.record_placed(slot, Weight(2_100), 0);
    assert_eq!(slots.tiers, [1, 0, 0]);
    slots.closed_full(slot);
    assert_eq!(slots.tiers, [0, 0, 0]);
    slots.record_died(slot, Weight(2_100), 0);
    assert_eq!(slots.tiers, [1, 0, 0]);
    slots.record_died(slot, Weight(2_000), 0);
    assert_eq!(slots.tiers, [0, 0, 0]);
    // The next group in it starts anew.
    assert_eq!(slots.take_free(), slot);
    slots.record_placed(slot, Weight(5_000), 0);
    assert_eq!(slots.tiers, [1, 0, 0]);
}

#[test]
fn a_drained_slot_is_no_source_and_is_free_in_the_end() {
    let mut slots = Slots::default();
    let slot = slot_with(&mut slots, 100);
    slots.drained(slot);
    assert_eq!(slots.tiers, [0, 0, 0]);
    assert_eq!(slots.free_len(), 0);
    slots.record_died(slot, Weight(100), 0);
    assert_eq!(slots.free_len(), 1);
    assert_eq!(slot_with(&mut slots, 100), slot);
    assert_eq!(slots.tiers.iter().sum::<usize>(), 1, "drained no more");
}

#[test]
fn a_free_slot_is_used_again_and_cleared_once_if_it_is_not() {
    let mut slots = Slots::default();
    let (a, b) = (slot_with(&mut slots, 100), slot_with(&mut slots, 100));
    assert_eq!((a, b), (SlotId(0), SlotId(1)));
    slots.record_died(a, Weight(100), 1_000);
    slots.record_died(b, Weight(100), 1_500);
    assert_eq!(slots.clear_idle(999), [], "the clock may go back");
    assert_eq!(slots.clear_idle(999 + FREE_SLOT_CLEARED_AFTER_MS), []);
    assert_eq!(slots.clear_idle(1_000 + FREE_SLOT_CLEARED_AFTER_MS), [a]);
    assert_eq!(slots.clear_idle(1_000 + FREE_SLOT_CLEARED_AFTER_MS), []);
    assert_eq!(slot_with(&mut slots, 100), b, "the last to become free");
    assert_eq!(slot_with(&mut slots, 100), a);
    slots.record_died(a, Weight(100), 9_000);
    assert_eq!(slots.clear_idle(u64::MAX), [a], "it was written since");
    assert_eq!(slots.len(), 2);
}

#[test]
fn a_slot_with_anything_outdated_is_drained_once() {
    let mut slots = Slots::default();
    let (old, mixed, new) = (slots.take_free(), slots.take_free(), slots.take_free());
    slots.record_placed(old, Weight(100), 1);
    slots.record_placed(mixed, Weight(100), 2);
    slots.record_placed(mixed, Weight(5_000), 9);
    slots.record_placed(new, Weight(5_000), 9);
    assert_eq!(slots.outdated_sources(1), []);
    assert_eq!(slots.outdated_sources(2), [old]);
    slots.record_died(old, Weight(100), 0);
    assert_eq!(
        slots.outdated_sources(2),
        [],
        "it is free, and cleared as such"
    );
    // Superseded long before the floor passed it: its bytes are in the group still.
    slots.record_died(mixed, Weight(100), 0);
    assert_eq!(slots.outdated_sources(3), [mixed]);
    slots.drained(mixed);
    assert_eq!(slots.outdated_sources(9), []);
    slots.record_died(mixed, Weight(5_000), 0);
    let again = slots.take_free();
    assert_eq!(again, mixed);
    slots.record_placed(again, Weight(5_000), 9);
    assert_eq!(slots.outdated_sources(9), [], "written anew");
    assert_eq!(slots.outdated_sources(10), [mixed, new]);
}

#[test]
fn outdated_slots_come_a_few_at_a_time() {
    let mut slots = Slots::default();
    for time_ns in 0..COMPACTED_SLOTS as i64 + 2 {
        let slot = slots.take_free();
        slots.record_placed(slot, Weight(9_000), time_ns);
    }
    let first = slots.outdated_sources(100);
    assert_eq!(first.len(), COMPACTED_SLOTS);
    first.iter().for_each(|&slot| slots.drained(slot));
    assert_eq!(slots.outdated_sources(100).len(), 2);
}

proptest! {
    #[test]
    fn counters_agree_with_a_recount(
        // Miri takes some hundred times as long.
        steps in vec((0..6_u8, any::<Index>(), 1..9_000_u32), 1..if cfg!(miri) { 30 } else { 400 }),
    ) {
        let mut slots = Slots::default();
        let mut open: Option<SlotId> = None;
        let mut live: Vec<(SlotId, Weight)> = Vec::new();
        for (now_ms, (what, which, weight)) in (0..).zip(steps) {
            match what {
                0 => open = None,
                1 => if let Some(slot) = open.take() {
                    slots.closed_full(slot);
                },
                2 | 3 => {
                    let slot = *open.get_or_insert_with(|| slots.take_free());
                    slots.record_placed(slot, Weight(weight), i64::from(weight));
                    live.push((slot, Weight(weight)));
                }
                _ if live.is_empty() => {}
                4 => {
                    let (slot, weight) = live.swap_remove(which.index(live.len()));
                    slots.record_died(slot, weight, now_ms);
                    // As in a round: deaths are counted when all groups are closed.
                    open = None;
                }
                _ => {
                    slots.drained(live[which.index(live.len())].0);
                    open = None;
                }
            }
            prop_assert_eq!(slots.tiers, recount(&slots));
            let in_use = slots.slots.iter().filter(|slot| slot.is_in_use());
            prop_assert_eq!(slots.in_use, in_use.clone().count());
            prop_assert_eq!(slots.live_parts, in_use.map(|slot| slot.live_part()).sum::<u64>());
            let least = slots.slots.iter().filter(|slot| slot.is_outdated(i64::MAX));
            let least = least.map(|slot| slot.oldest_ns).min().unwrap_or(i64::MAX);
            prop_assert!(slots.oldest_ns_min <= least);
            prop_assert_eq!(slots.outdated_sources(4_500).is_empty(), least >= 4_500);
            prop_assert_eq!(slots.live_records(), live.len());
            let bytes: u64 = live.iter().map(|(_, weight)| u64::from(weight.0)).sum();
            prop_assert_eq!(slots.live_bytes(), bytes);
            for slot in (0..slots.len() as u32).map(SlotId) {
                let records = live.iter().filter(|(of, _)| *of == slot).count();
                prop_assert_eq!(slots.live_records_in(slot), records);
                let free = slots.free.iter().filter(|free| free.slot == slot).count();
                prop_assert_eq!(free, usize::from(records == 0), "{:?}", slot);
            }
        }
    }
}

#[test]
fn a_marked_slot_is_drained_whatever_its_age_and_a_free_one_is_not() {
    let mut slots = Slots::default();
    let [one, other] = [slots.take_free(), slots.take_free()];
    let weight = Weight(100);
    slots.record_placed(one, weight, 5);
    slots.record_placed(one, weight, i64::MAX);
    slots.record_placed(other, weight, i64::MAX);
    assert!(slots.outdated_sources(i64::MIN).is_empty());
    slots.record_died(other, weight, 0);
    for slot in [one, other, SlotId(7)] {
        slots.mark_outdated(slot);
    }
    assert_eq!(slots.outdated_len(), 2, "the free one is not cleared yet");
    assert_eq!(slots.outdated_sources(i64::MIN), [one]);
    // As long as it is not drained.
    assert_eq!(slots.outdated_sources(i64::MIN), [one]);
    slots.drained(one);
    assert!(slots.outdated_sources(i64::MIN).is_empty());
    assert_eq!(slots.outdated_len(), 2);
    assert!(slots.shows_moved(one) && !slots.shows_moved(other));
    let cleared_ms = FREE_SLOT_CLEARED_AFTER_MS;
    slots.record_died(one, weight, cleared_ms);
    slots.record_died(one, weight, cleared_ms);
    assert_eq!(slots.clear_idle(cleared_ms), [other]);
    assert!(slots.is_cleared(other) && !slots.is_cleared(one));
    assert_eq!(slots.outdated_len(), 1);
    slots.mark_outdated(other);
    assert_eq!(slots.outdated_len(), 1, "an empty group holds nothing");
    // A slot that is used again is like any other.
    let again = [slots.take_free(), slots.take_free()];
    assert_eq!(slots.outdated_len(), 0);
    slots.record_placed(again[0], weight, 5);
    slots.record_placed(again[1], weight, 5);
    assert!(slots.outdated_sources(i64::MIN).is_empty());
}
