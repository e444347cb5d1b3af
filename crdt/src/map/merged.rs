//! The result of a merge: its effect on an entry, and the work that it leaves for the publisher.

use std::cmp::Ordering;

use crate::quantized::QuantizedLocation;
use crate::record::{BorrowedRecord, Record};
use crate::slots::{SlotId, Weight};

/// Whether this server publishes an entry's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Another server does, as far as this server knows.
    Elsewhere,
    /// This server will: the record waits for the next group, or in the backlog.
    Pending,
    /// This server does, in this slot.
    InSlot(SlotId),
}

/// Whether a repeat (a report that is not greater than the record of the map) makes this server publish that record.
/// A server that tells a client that its report is safe must know that the record of the map is safe: another server
/// heard it and passed it on, which does not say where it is now. A record in one of our slots is out already, and need
/// not be sent anew to find out who has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepublishPolicy {
    /// A repeat publishes nothing.
    #[default]
    Never,
    /// A repeat publishes the record, unless one of our slots holds it.
    UnlessInSlot,
}

/// A record that is no longer live in one of our slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// The slot that held it.
    pub slot: SlotId,
    /// Its weight there.
    pub weight: Weight,
}

/// How a record compared with the one that the map held.
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

/// The entries that a rise of the floor removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// How many entries.
    pub records: usize,
    /// Those of them that stood in slots of ours.
    pub deaths: Vec<Death>,
    /// The hashes of all of them that had a location, and about where they were.
    pub locations: Vec<(u64, QuantizedLocation)>,
}

/// The result of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// How the record compared.
    pub outcome: Outcome,
    /// This server's publication of the older record has ended.
    pub death: Option<Death>,
    /// The entry has become [`Publication::Pending`] and must be queued for the next group.
    pub queue: bool,
    /// About where the record was whose place this one took; `None` if it took nobody's, or that of a tombstone.
    pub replaced: Option<QuantizedLocation>,
}

impl Merged {
    /// The result for a record below the floor.
    pub(super) const EXPIRED: Merged = Merged {
        outcome: Outcome::Expired,
        death: None,
        queue: false,
        replaced: None,
    };
}
