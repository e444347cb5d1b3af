//! What the map holds of one client.

use super::{Again, Death, Place, Publication, PublisherId, Publishers};
use crate::record::{Incoming, Record};
use crate::slots::{SlotId, Weight};

/// A client's greatest record, and who publishes it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) publisher: PublisherId,
    /// Which of its slots.
    pub(super) publisher_slot: SlotId,
    /// The slot of ours that holds the record, if one does.
    pub(super) slot: SlotId,
    pub(super) state: State,
    /// We published this very record, or were about to, and left it to a server of lower rank.
    pub(super) yielded: bool,
}

/// [`Publication`] without its slot, which every entry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Elsewhere,
    /// Ours to publish, behind all that is pending.
    Backlog,
    Pending,
    InSlot,
}

impl Entry {
    pub(super) fn heard(record: Record) -> Self {
        Entry {
            state: State::Pending,
            ..Entry::delivered(record, PublisherId::NOBODY.into())
        }
    }

    pub(super) fn delivered(record: Record, from: Place) -> Self {
        Entry {
            record,
            publisher: from.publisher,
            publisher_slot: from.slot,
            slot: from.slot,
            state: State::Elsewhere,
            yielded: false,
        }
    }

    pub(super) fn publication(&self) -> Publication {
        match self.state {
            State::Elsewhere => Publication::Elsewhere,
            State::Backlog | State::Pending => Publication::Pending,
            State::InSlot => Publication::InSlot(self.slot),
        }
    }

    pub(super) fn place(&mut self, slot: SlotId) {
        self.state = State::InSlot;
        self.slot = slot;
    }

    pub(super) fn set_publisher(&mut self, from: Place) {
        self.publisher = from.publisher;
        self.publisher_slot = from.slot;
    }

    /// A greater record was heard here.
    pub(super) fn hear(&mut self, record: impl Incoming) {
        record.replace(&mut self.record);
        self.set_publisher(PublisherId::NOBODY.into());
        self.state = State::Pending;
        self.yielded = false;
    }

    /// A greater record was delivered.
    pub(super) fn take(&mut self, record: impl Incoming, from: Place) {
        record.replace(&mut self.record);
        self.set_publisher(from);
        self.state = State::Elsewhere;
        self.yielded = false;
    }

    /// Whether, as far as we know, the record would stand nowhere without this slot of another server.
    pub(super) fn stands_in(&self, place: Place) -> bool {
        let Place { publisher, slot } = place;
        self.state != State::InSlot && self.publisher == publisher && self.publisher_slot == slot
    }

    /// The publisher that this entry's safety hangs on: `None` while one of our slots holds it.
    pub(super) fn relies_on(&self) -> Option<PublisherId> {
        match self.state {
            State::InSlot => None,
            State::Elsewhere | State::Backlog | State::Pending => Some(self.publisher),
        }
    }

    /// Makes it pending, if `again` says so; says whether it is to be queued.
    pub(super) fn publish_again(&mut self, again: Again) -> bool {
        let is_meant = match self.state {
            State::Pending | State::InSlot => false,
            // A reply that waits for this record does not wait for the backlog.
            State::Elsewhere | State::Backlog => again == Again::Learnt,
        };
        if is_meant {
            self.state = State::Pending;
        }
        is_meant
    }

    /// Leaves the publication to a server of lower rank.
    pub(super) fn give_up(&mut self) -> Option<Death> {
        self.yielded = true;
        self.withdraw()
    }

    /// Ends our publication, if any.
    pub(super) fn withdraw(&mut self) -> Option<Death> {
        match std::mem::replace(&mut self.state, State::Elsewhere) {
            State::InSlot => Some(Death {
                slot: self.slot,
                weight: Weight::of(&self.record),
            }),
            State::Elsewhere | State::Backlog | State::Pending => None,
        }
    }

    /// Exactly this record was delivered.
    pub(super) fn note_delivery(
        &mut self,
        from: Place,
        publishers: &impl Publishers,
    ) -> Option<Death> {
        let publisher = from.publisher;
        if publisher == PublisherId::NOBODY {
            return None;
        }
        if publisher == self.publisher {
            // It moves its records from slot to slot.
            self.publisher_slot = from.slot;
        }
        let live = publishers.presumed_live(publisher);
        let outranks = publishers.outranks(publisher, &self.record);
        if self.state == State::Elsewhere {
            let known_live = publishers.presumed_live(self.publisher);
            // One that outranks us is kept: should we publish this record too, we give it up to that one.
            let known_kept =
                known_live && !outranks && publishers.outranks(self.publisher, &self.record);
            if (outranks || !self.yielded) && (live || !known_live) && !known_kept {
                self.set_publisher(from);
            }
            return None;
        }
        if !outranks {
            return None;
        }
        // Remembered even if it is gone: should it come back, the publication is yielded then.
        self.set_publisher(from);
        if live { self.give_up() } else { None }
    }
}
