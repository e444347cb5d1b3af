//! Tells watchers of what changes in the map.

use herd_crdt::{Merged, QuantizedLocation, Record};
use herd_watch::{Change, Wakes, Watchers};

use super::shard::Shard;

/// A record of a client with this hash was merged, and its location is `to`; a tombstone has none. To be called under the
/// lock of its shard, after the merge and after the index knows where the client is: a look at them sees the change, or
/// began before the marks are set.
pub(super) fn merged(
    watchers: &Watchers,
    shard: &Shard,
    hash: u64,
    merged: &Merged,
    to: Option<QuantizedLocation>,
) -> Wakes {
    let mut wakes = Wakes::default();
    // A tombstone changes nothing for a client that was not known before.
    let was_or_is_known = merged.replaced.is_some() || to.is_some();
    if !merged.outcome.changed() || !was_or_is_known || !watchers.is_any() {
        return wakes;
    }
    // Nearly always one. A client that has not changed gets a mark for nothing.
    for record in shard.map.with_hash(hash) {
        wakes.add(watchers.changed(&Change {
            client: record.client(),
            from: merged.replaced,
            to,
        }));
    }
    wakes
}

/// The change that the removal of a record is; that of a tombstone is none.
pub(super) fn removal(record: &Record) -> Option<Change<'_>> {
    Some(Change {
        client: record.client(),
        from: Some(record.quantized()?),
        to: None,
    })
}
