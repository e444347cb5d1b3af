//! What a merge did to an entry, and what it leaves for the publisher.

use std::cmp::Ordering;

use crate::record::{BorrowedRecord, Record};
use crate::slots::{SlotId, Weight};

/// Whether this server publishes an entry's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Another server does, as far as we know.
    Elsewhere,
    /// We will: it waits for the next group, or in the backlog.
    Pending,
    /// We do, in this slot.
    InSlot(SlotId),
}

/// Whether a record is published once more because a client reported what is no greater. A server
/// that tells a client that its report is safe has to know that of the record that it holds in its
/// place: that another server heard it and passed it on does not say where it is now. One that stands in a slot of ours
/// is out already, and whoever asks where it has got to need not send it anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Again {
    /// It is not.
    #[default]
    Never,
    /// If no slot of ours holds it.
    Learnt,
}

/// A record that is no longer live in one of our slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// The slot that held it.
    pub slot: SlotId,
    /// What it weighed there.
    pub weight: Weight,
}

/// How a record compared with what the map held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client was unknown.
    New,
    /// The record has a later time.
    Newer,
    /// Equal times; the record is the greater by the rest of the order.
    TieWon,
    /// The very record that the map holds.
    Same,
    /// Equal times; the record is the lesser by the rest of the order.
    TieLost,
    /// The record has an earlier time.
    Stale,
    /// The record's time lies below the map's floor: see [`crate::LocationMap::raise_floor`]. A record that was heard
    /// here and has a greater one in the map is [`Outcome::Stale`] instead.
    Expired,
}

impl Outcome {
    /// Whether the map holds the record because of this merge.
    #[must_use]
    pub fn changed(self) -> bool {
        matches!(self, Outcome::New | Outcome::Newer | Outcome::TieWon)
    }

    pub(super) fn of(known: &Record, record: &BorrowedRecord<'_>) -> Self {
        match (
            record.order(&known.borrowed()),
            record.time() == known.time(),
        ) {
            (Ordering::Equal, _) => Outcome::Same,
            (Ordering::Greater, true) => Outcome::TieWon,
            (Ordering::Greater, false) => Outcome::Newer,
            (Ordering::Less, true) => Outcome::TieLost,
            (Ordering::Less, false) => Outcome::Stale,
        }
    }
}

/// What a rise of the floor removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// How many entries.
    pub records: usize,
    /// Those of them that stood in slots of ours.
    pub deaths: Vec<Death>,
}

/// What a merge did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// How the record compared.
    pub outcome: Outcome,
    /// Our publication of what was there before has ended.
    pub death: Option<Death>,
    /// The entry has become [`Publication::Pending`] and must be queued for the next group.
    pub queue: bool,
}

impl Merged {
    /// What comes of a record that is below the floor: nothing.
    pub(super) const EXPIRED: Merged = Merged {
        outcome: Outcome::Expired,
        death: None,
        queue: false,
    };
}
