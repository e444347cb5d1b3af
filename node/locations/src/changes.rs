//! Tells watchers of what changes in the map.

use herd_crdt::{Incoming, Merged, QuantizedLocation, Record};
use herd_watch::{Change, Wakes, Watchers};

/// Room for the ID of a client whose record is merged, so that watchers can be told of it afterwards.
#[derive(Debug, Default)]
pub(super) struct Telling {
    client: Vec<u8>,
}

/// A merge that somebody may watch.
pub(super) struct Watched<'a> {
    watchers: &'a Watchers,
    client: &'a [u8],
}

impl Telling {
    /// A record is about to be merged. Nothing, if nobody watches. To be called under the lock of its shard.
    pub(super) fn begin<'a>(
        &'a mut self,
        watchers: &'a Watchers,
        record: &impl Incoming,
    ) -> Option<Watched<'a>> {
        if !watchers.is_any() {
            return None;
        }
        self.client.clear();
        self.client.extend_from_slice(record.borrowed().client());
        Some(Watched {
            watchers,
            client: &self.client,
        })
    }
}

impl Watched<'_> {
    /// It was merged, and its location is `to`. To be called under the lock of its shard.
    pub(super) fn merged(&self, merged: &Merged, to: QuantizedLocation) -> Wakes {
        if !merged.outcome.changed() {
            return Wakes::default();
        }
        self.watchers.changed(&Change {
            client: self.client,
            from: merged.replaced,
            to: Some(to),
        })
    }
}

/// The change that the removal of a record is.
pub(super) fn removal(record: &Record) -> Change<'_> {
    Change {
        client: record.client(),
        from: Some(record.quantized()),
        to: None,
    }
}
