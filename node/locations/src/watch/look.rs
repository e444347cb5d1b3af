//! Looks at records for a watch, each under the lock of its shard, where its mark is taken back too: a change before the
//! look is seen, and one behind it leaves a new mark.

use herd_crdt::Record;
use herd_grid::Area;
use herd_watch::{Registration, Told};

use super::super::Locations;

/// The record of a client at the moment of a look.
pub(super) enum Looked {
    /// There is none, or a tombstone.
    Unknown,
    /// There is one that counts no more, since it is below the floor, and is about to be removed.
    Expiring,
    /// This.
    Known(Record),
}

impl Locations {
    /// Waits for changes that have begun: each is under the lock of a shard, from the question whether anybody watches, or
    /// the change of the index, until its marks are set.
    pub(super) fn await_changes_under_way(&self) {
        for shard in &self.shards {
            drop(shard.lock());
        }
    }

    /// Looks at the record of a client.
    pub(super) fn look(&self, client: &[u8], registration: &Registration) -> Looked {
        let hash = self.hash(client);
        let shard = self.shard(hash).lock();
        registration.unmark(client);
        match shard.map.find(hash, client) {
            None => Looked::Unknown,
            Some(record) if record.is_tombstone() => Looked::Unknown,
            // Under the lock, because a removal that has begun has this shard still to come.
            Some(record) if record.expires_ns() < self.floor_ns() => Looked::Expiring,
            Some(record) => Looked::Known(record.clone()),
        }
    }

    /// Looks at the records of clients with this hash that may be in an area, and that the watcher was not told are inside.
    pub(super) fn look_near(
        &self,
        hash: u64,
        area: &Area,
        (told, registration): (&Told, &Registration),
    ) -> Vec<Record> {
        let mut found = Vec::new();
        let floor_ns = self.floor_ns();
        let shard = self.shard(hash).lock();
        for record in shard.map.perhaps_with_hash(hash) {
            let client = record.client();
            let may_be_inside = |at| area.bound_at(at) <= area.bound_max();
            if record.expires_ns() >= floor_ns
                && record.quantized().is_some_and(may_be_inside)
                && self.hash(client) == hash
                && !told.is_inside(client)
                && !told.is_centre(client)
            {
                registration.unmark(client);
                found.push(record.clone());
            }
        }
        found
    }
}
