//! Tells watchers of what changes in the map.

use herd_crdt::{Merged, QuantizedLocation, Record};
use herd_watch::{Change, Wakes, Watchers};

use super::shard::Shard;

/// A record of a client with this hash was merged, and its location is `to`. To be called under the lock of its shard,
/// after the merge and after the index knows where the client is.
///
/// Whether anyone watches is asked last. A watcher registers before it looks at the index or the map: so if its look
/// missed this change, the watcher is seen here.
pub(super) fn merged(
    watchers: &Watchers,
    shard: &Shard,
    hash: u64,
    merged: &Merged,
    to: QuantizedLocation,
) -> Wakes {
    let mut wakes = Wakes::default();
    if !merged.outcome.changed() || !watchers.is_any() {
        return wakes;
    }
    // Nearly always one. A client that has not changed gets a mark for nothing.
    for record in shard.map.with_hash(hash) {
        wakes.add(watchers.changed(&Change {
            client: record.client(),
            from: merged.replaced,
            to: Some(to),
        }));
    }
    wakes
}

/// The change that the removal of a record is.
pub(super) fn removal(record: &Record) -> Change<'_> {
    Change {
        client: record.client(),
        from: Some(record.quantized()),
        to: None,
    }
}
