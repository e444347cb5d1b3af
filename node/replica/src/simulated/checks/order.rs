//! The order of a client's reports, written down once more: a herd that is wrong about it is consistent with itself.

use std::cmp::Reverse;

use herd_crdt::Record;

/// Sorts the reports of a client as `docs/replication.md` says it.
pub(in super::super) fn order_key(record: &Record) -> impl Ord + use<> {
    (
        record.time().ns(),
        record.is_tombstone(),
        record.server().to_string(),
        record.location_text().to_vec(),
        record.time_text().to_vec(),
        Reverse(record.received_ns()),
    )
}

/// What a record says, word for word.
pub(in super::super) fn words(record: &Record) -> String {
    format!("{record:?}")
}
