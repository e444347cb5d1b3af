//! Erasing the locations of forgotten clients from gossip and from the disk: when a server looks where they still are, and
//! when its store is to purge.
//!
//! It works in cycles, each for the clients that were forgotten before it. A cycle is a number of looks, with a step of
//! time behind each. A look has the publisher write this server's slots anew that hold a location of one of the clients,
//! and counts the groups of other servers that do: those servers write them anew themselves. Each further look takes in the
//! clients that were forgotten meanwhile. A cycle ends when a look finds nothing, and the store has purged after it.
//!
//! A step is an eighth of the time within which locations have to be erased. So a client that is forgotten right behind the
//! beginning of a cycle is erased in time too. Another server may publish a location for longer: one that is gone does so
//! until it is buried.

use std::sync::Arc;

use herd_crdt::SlotId;

/// Steps in the time within which locations have to be erased. A client waits for the first look, for the second, for the
/// step behind it and for the store; and for twice as many with another cycle before it.
pub const STEPS: u32 = 8;

/// Looks after which the store is told, though other servers still publish locations.
const LOOKS_BEFORE_STORE: u32 = 2;

/// Looks between two purges of a store that could not do the first, at most.
const LOOKS_BETWEEN_PURGES_MAX: u32 = 8;

/// Says of a record in one of this server's slots, by the slot and the hash of the record's client, whether it is dead and
/// holds a location that has to go.
pub type IsErased = dyn Fn(SlotId, u64) -> bool + Send + Sync;

/// What the publisher is asked. Each answer is [`crate::publishing::Effect::LookedThrough`].
pub enum Question {
    /// To write the slots anew that hold such records. The answer is their number.
    Begin(Arc<IsErased>),
    /// How many of them are left.
    Left,
}

/// What the publisher is to be asked in a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// [`Question::Begin`], with all clients of the cycle.
    ForAll,
    /// [`Question::Left`].
    ForTheRest,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Cycle {
    /// The number of the present look; the first is 1.
    look: u32,
    /// It found nothing.
    is_last: bool,
    purges: Purges,
}

impl Cycle {
    /// The next look begins. `has_more`: clients were forgotten since the last one began, and are attended to from now on.
    pub fn begin_look(&mut self, has_more: bool) -> Look {
        self.look += 1;
        if !has_more && self.look > 1 {
            return Look::ForTheRest;
        }
        self.purges.note_more(self.look);
        Look::ForAll
    }

    /// The step behind the look is over, which found so many slots and groups. Those of this server are written anew by
    /// now, or counted by the next look. Says whether the store is to purge; if not, the next look begins.
    pub fn end_look(&mut self, found: usize) -> bool {
        self.is_last = found == 0;
        self.purges.is_due(self.look, self.is_last)
    }

    /// The store has purged, or could not. Says whether the cycle is over; if not, the next look begins.
    pub fn note_purged(&mut self, is_success: bool) -> bool {
        self.purges.note_purged(self.look, is_success);
        is_success && self.is_last
    }
}

/// When the store is to purge.
#[derive(Debug, Default)]
struct Purges {
    /// The look that the oldest clients came before whose locations may be on the disk.
    oldest: Option<u32>,
    /// The same of the latest.
    latest: u32,
    /// Purges that failed one after the other, and the look before which there is no other.
    failed: u32,
    not_before: u32,
}

impl Purges {
    /// More clients are attended to from this look on.
    fn note_more(&mut self, look: u32) {
        self.oldest.get_or_insert(look);
        self.latest = look;
    }

    /// Whether the store is to purge behind this look. Behind the last of a cycle it is in any case: others have written
    /// their slots anew since it did last.
    fn is_due(&self, look: u32, is_last: bool) -> bool {
        let is_awaited = self.oldest.is_some_and(|oldest| {
            // Slots are written anew in the time behind a look.
            look + 1 >= oldest + LOOKS_BEFORE_STORE
        });
        (is_awaited || is_last) && look >= self.not_before
    }

    /// How the purge behind this look ended.
    fn note_purged(&mut self, look: u32, is_success: bool) {
        if is_success {
            // Those of this look have been given one look less than the others.
            self.oldest = (self.latest == look).then_some(look + 1);
            self.failed = 0;
        } else {
            self.failed += 1;
            let looks = 2_u32.saturating_pow(self.failed);
            self.not_before = look + looks.min(LOOKS_BETWEEN_PURGES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_told_behind_the_second_look_and_for_later_clients() {
        let mut purges = Purges::default();
        purges.note_more(1);
        assert!(!purges.is_due(1, false) && purges.is_due(2, false));
        assert!(purges.is_due(1, true), "all slots are written anew");
        // Others came right before the purge.
        purges.note_more(2);
        purges.note_purged(2, true);
        assert!(!purges.is_due(3, false) && purges.is_due(4, false));
        purges.note_purged(4, true);
        assert!(!purges.is_due(9, false), "nothing is left for the store");
        assert!(purges.is_due(9, true), "slots of others are written anew");
        purges.note_more(10);
        assert!(!purges.is_due(10, false) && purges.is_due(11, false));
    }

    #[test]
    fn a_purge_that_failed_is_tried_again_ever_more_rarely() {
        let mut purges = Purges::default();
        purges.note_more(1);
        let mut tried = Vec::new();
        for look in 1..40 {
            if purges.is_due(look, true) {
                tried.push(look);
                purges.note_purged(look, false);
            }
        }
        assert_eq!(tried, [1, 3, 7, 15, 23, 31, 39]);
        purges.note_purged(47, true);
        purges.note_purged(48, false);
        assert!(!purges.is_due(49, true) && purges.is_due(50, true));
    }

    #[test]
    fn a_cycle_ends_when_nothing_is_found_and_the_store_has_purged() {
        let mut cycle = Cycle::default();
        assert_eq!(
            cycle.begin_look(false),
            Look::ForAll,
            "of the cycle's own clients"
        );
        assert!(!cycle.end_look(3));
        assert_eq!(cycle.begin_look(false), Look::ForTheRest);
        // Another server goes on to publish a location.
        assert!(cycle.end_look(1));
        assert!(!cycle.note_purged(true));
        assert_eq!(cycle.begin_look(true), Look::ForAll);
        assert!(cycle.end_look(0));
        assert!(!cycle.note_purged(false), "it is on the disk");
        for _ in 0..2 {
            cycle.begin_look(false);
        }
        assert!(cycle.end_look(0));
        assert!(cycle.note_purged(true));
    }
}
