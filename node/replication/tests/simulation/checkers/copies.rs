//! What a server keeps for others is bounded by what lives: its slots, and its copies of the dead.

use herd_crdt::group::GROUP_BYTES_MAX;
use herd_crdt::{COMPACTED_SLOTS, CROWDED_TIERS_SLOTS_MAX, ROOM_FACTOR};
use herd_replica::status::{MemberStatus, SlotsStatus};
use herd_topology::incarnation::Incarnation;

use super::super::ledger::Map;
use super::Found;

/// What a record takes in a group besides its texts, in bytes, at most.
const RECORD_OVERHEAD_BYTES: usize = 13;

/// Slots that one round and one compaction fill before what they replace is free.
const IN_TRANSIT_MAX: usize = COMPACTED_SLOTS + 2;

/// The slots of a server that publishes at most what is in `map` are bounded by that, however often it was
/// updated. `waiting_max` is how many of them may have waited for the disk at once.
pub(in super::super) fn slots_are_bounded(
    who: &str,
    slots: &SlotsStatus,
    map: &Map,
    waiting_max: usize,
) -> Found {
    let live_bytes: usize = map
        .values()
        .map(|record| record.text_len() + RECORD_OVERHEAD_BYTES)
        .sum();
    let in_use_max = ROOM_FACTOR * live_bytes.div_ceil(GROUP_BYTES_MAX) + CROWDED_TIERS_SLOTS_MAX;
    let in_use = slots.slots - slots.free;
    if in_use > in_use_max {
        return Err(format!(
            "{who} uses {in_use} slots for {live_bytes} bytes, {in_use_max} are allowed"
        ));
    }
    let slots_max = in_use_max + IN_TRANSIT_MAX + waiting_max;
    if slots.slots > slots_max {
        return Err(format!(
            "{who} has {} slots for {live_bytes} bytes, {slots_max} are allowed",
            slots.slots
        ));
    }
    Ok(())
}

/// The copies of incarnations that cannot come back, for a newer one of their server is alive, are empty
/// once they have been gone for long.
pub(in super::super) fn the_superseded_are_buried(who: &str, members: &[MemberStatus]) -> Found {
    for member in members {
        let Incarnation { server, generation } = &member.sighting.incarnation;
        let superseded = members.iter().any(|other| {
            other.sighting.live
                && other.sighting.incarnation.server == *server
                && other.sighting.incarnation.generation > *generation
        });
        if member.gone && superseded && member.sighting.holds_slots {
            return Err(format!(
                "{who} still holds a copy of {}, which is gone for good",
                member.sighting.incarnation
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use herd_replica::membership::Sighting;

    use super::super::samples::{map, record};
    use super::*;

    #[test]
    fn uncompacted_and_unused_slots_are_found() {
        let map = map(&[record("kiwi", "1")]);
        let check = |slots, free| {
            let slots = SlotsStatus {
                slots,
                free,
                ..SlotsStatus::default()
            };
            slots_are_bounded("Hill", &slots, &map, 3)
        };
        assert_eq!(check(23, 0), Ok(()));
        assert!(check(24, 0).is_err());
        assert_eq!(check(36, 20), Ok(()));
        assert!(check(37, 20).is_err());
    }

    #[test]
    fn a_dead_copy_is_found_once_a_newer_incarnation_lives() {
        let member = |generation, live, gone, holds_slots| MemberStatus {
            last_live: tokio::time::Instant::now().into_std(),
            sighting: Sighting {
                incarnation: Incarnation {
                    server: "Hill".into(),
                    generation,
                },
                live,
                heartbeat: 0,
                max_version: 0,
                holds_slots,
            },
            gone,
            relied_on_by: 0,
            links: None,
        };
        let (dead, buried) = (member(1, false, true, true), member(1, false, true, false));
        let alive = member(2, true, false, true);
        let check = |members: &[MemberStatus]| the_superseded_are_buried("Smith", members);
        assert!(check(&[dead.clone(), alive.clone()]).is_err());
        assert_eq!(check(&[buried, alive]), Ok(()));
        assert_eq!(check(&[dead]), Ok(()));
    }
}
