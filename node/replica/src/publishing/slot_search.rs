//! A search for slots that hold locations of forgotten clients: records that are dead, in groups that are still out.

use std::sync::Arc;

use herd_crdt::{Publisher, SlotId};

use crate::erasure::IsErased;
use crate::timing::SLOTS_LOOKED_THROUGH;

/// Where a search has come to. Slots that are filled meanwhile hold none.
pub(super) struct SlotSearch {
    is_erased: Arc<IsErased>,
    next: SlotId,
    found: usize,
}

impl SlotSearch {
    pub(super) fn new(is_erased: Arc<IsErased>) -> Self {
        SlotSearch {
            is_erased,
            next: SlotId(0),
            found: 0,
        }
    }

    /// Looks through some slots, and has those that hold any written anew. At the end, how many slots that are.
    pub(super) fn step(&mut self, publisher: &mut Publisher) -> Option<usize> {
        let (slots, next) = publisher.slots_with(self.next, SLOTS_LOOKED_THROUGH, &*self.is_erased);
        self.found += slots.len();
        publisher.mark_outdated(slots);
        match next {
            Some(next) => {
                self.next = next;
                None
            }
            None => Some(self.found),
        }
    }
}
