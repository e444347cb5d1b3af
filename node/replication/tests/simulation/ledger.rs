//! What clients were told: every report that was acknowledged, when, where and under which level; and what
//! all of them said.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use herd_crdt::Record;

use super::operation::Position;

/// The greatest record of each client.
pub(super) type Map = BTreeMap<Vec<u8>, Record>;

/// A report that a client was told is safe.
#[derive(Clone, Debug)]
pub(super) struct Acked {
    /// What the server answered for the client then: the report, or a greater record, which is as safe.
    pub(super) record: Record,
    pub(super) server: Position,
    pub(super) at: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Since the herd was last whole and quiet.
    pub(super) acked: Vec<Acked>,
    /// What all servers held and had synced when it was, and when that was.
    pub(super) settled: Map,
    pub(super) settled_at: Duration,
    /// Everything that was ever reported.
    pub(super) reported: BTreeMap<Vec<u8>, Vec<Record>>,
    /// Reports that got the error reply, or none.
    pub(super) unacknowledged: usize,
}

impl Ledger {
    pub(super) fn note_reported(&mut self, record: &Record) {
        let records = self.reported.entry(record.client().to_vec()).or_default();
        records.push(record.clone());
    }

    pub(super) fn note_acked(&mut self, acked: Acked) {
        self.acked.push(acked);
    }

    /// All servers hold this, synced.
    pub(super) fn settle(&mut self, map: Map, at: Duration) {
        self.settled = map;
        self.settled_at = at;
        self.acked.clear();
    }
}

/// Keeps the greater of `record` and what `map` holds.
pub(super) fn join(map: &mut Map, record: &Record) {
    match map.get_mut(record.client()) {
        Some(known) if record.order(known) != Ordering::Greater => {}
        Some(known) => *known = record.clone(),
        None => {
            map.insert(record.client().to_vec(), record.clone());
        }
    }
}
