//! The entry of one client in the map.

use super::{Death, Publication, PublisherId, Publishers, RepublishPolicy, SlotAddress};
use crate::record::{Incoming, Record};
use crate::slots::{SlotId, Weight};

/// A client's greatest record, and its publisher.
#[derive(Debug)]
pub(super) struct ClientEntry {
    pub(super) record: Record,
    /// The incarnation that delivered the record last.
    pub(super) publisher: PublisherId,
    /// The slot of `publisher` that delivered it.
    pub(super) publisher_slot: SlotId,
    /// The slot of this server that holds the record in the state [`EntryState::InSlot`].
    pub(super) slot: SlotId,
    pub(super) state: EntryState,
    /// This server published this very record, or was about to, and gave it up to a server of lower rank.
    pub(super) yielded: bool,
}

/// [`Publication`] without its slot, which every entry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryState {
    /// Another server publishes it, as far as this server knows.
    Elsewhere,
    /// This server is to publish it, behind all pending entries.
    Backlog,
    /// This server is to publish it in its next round.
    Pending,
    /// This server publishes it in a slot.
    InSlot,
}

impl ClientEntry {
    pub(super) fn heard(record: Record) -> Self {
        ClientEntry {
            state: EntryState::Pending,
            ..ClientEntry::delivered(record, PublisherId::NOBODY.into())
        }
    }

    pub(super) fn delivered(record: Record, from: SlotAddress) -> Self {
        ClientEntry {
            record,
            publisher: from.publisher,
            publisher_slot: from.slot,
            slot: from.slot,
            state: EntryState::Elsewhere,
            yielded: false,
        }
    }

    pub(super) fn publication(&self) -> Publication {
        match self.state {
            EntryState::Elsewhere => Publication::Elsewhere,
            EntryState::Backlog | EntryState::Pending => Publication::Pending,
            EntryState::InSlot => Publication::InSlot(self.slot),
        }
    }

    pub(super) fn place(&mut self, slot: SlotId) {
        self.state = EntryState::InSlot;
        self.slot = slot;
    }

    pub(super) fn set_publisher(&mut self, from: SlotAddress) {
        self.publisher = from.publisher;
        self.publisher_slot = from.slot;
    }

    /// A greater record was heard here.
    pub(super) fn hear(&mut self, record: impl Incoming) {
        record.replace(&mut self.record);
        self.set_publisher(PublisherId::NOBODY.into());
        self.state = EntryState::Pending;
        self.yielded = false;
    }

    /// A greater record was delivered.
    pub(super) fn take(&mut self, record: impl Incoming, from: SlotAddress) {
        record.replace(&mut self.record);
        self.set_publisher(from);
        self.state = EntryState::Elsewhere;
        self.yielded = false;
    }

    /// Whether this slot of another server is the only one that holds the record, as far as this server knows.
    pub(super) fn stands_in(&self, place: SlotAddress) -> bool {
        let SlotAddress { publisher, slot } = place;
        self.state != EntryState::InSlot
            && self.publisher == publisher
            && self.publisher_slot == slot
    }

    /// The publisher that this entry relies on: `None` while a slot of this server holds the record.
    pub(super) fn relies_on(&self) -> Option<PublisherId> {
        match self.state {
            EntryState::InSlot => None,
            EntryState::Elsewhere | EntryState::Backlog | EntryState::Pending => {
                Some(self.publisher)
            }
        }
    }

    /// A report repeats the record: makes the entry pending if `policy` says so. Returns whether it is to be queued.
    pub(super) fn repeat(&mut self, policy: RepublishPolicy) -> bool {
        let is_meant = match self.state {
            EntryState::Pending | EntryState::InSlot => false,
            // A reply that waits for this record does not wait for the backlog.
            EntryState::Elsewhere | EntryState::Backlog => policy == RepublishPolicy::UnlessInSlot,
        };
        if is_meant {
            self.state = EntryState::Pending;
        }
        is_meant
    }

    /// Gives the publication up to a server of lower rank.
    pub(super) fn give_up(&mut self) -> Option<Death> {
        self.yielded = true;
        self.withdraw()
    }

    /// Ends the publication of this server, if there is one.
    pub(super) fn withdraw(&mut self) -> Option<Death> {
        match std::mem::replace(&mut self.state, EntryState::Elsewhere) {
            EntryState::InSlot => Some(Death {
                slot: self.slot,
                weight: Weight::of(&self.record),
            }),
            EntryState::Elsewhere | EntryState::Backlog | EntryState::Pending => None,
        }
    }

    /// Exactly this record was delivered.
    pub(super) fn note_delivery(
        &mut self,
        from: SlotAddress,
        publishers: &impl Publishers,
    ) -> Option<Death> {
        let publisher = from.publisher;
        if publisher == PublisherId::NOBODY {
            return None;
        }
        if publisher == self.publisher {
            // A publisher moves its records from slot to slot.
            self.publisher_slot = from.slot;
        }
        let live = publishers.presumed_live(publisher);
        let outranks = publishers.outranks(publisher, &self.record);
        if self.state == EntryState::Elsewhere {
            let known_live = publishers.presumed_live(self.publisher);
            // A publisher that outranks this server stays: it is the one that this server would give a publication up
            // to.
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
        // Remembered even if it is gone: if it comes back, the publication is given up to it.
        self.set_publisher(from);
        if live { self.give_up() } else { None }
    }
}
