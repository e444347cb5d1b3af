//! The expected content of a store, as plain maps, and how to write it and read it back.

use std::collections::BTreeMap;

use bytes::Bytes;
use herd_crdt::SlotId;
use herd_storage::{LoadReport, Store, StoreError, StoredGroup, Write};
use herd_topology::Incarnation;

/// All that a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    /// By publisher and slot: the version, and the group.
    pub(crate) groups: BTreeMap<(Incarnation, SlotId), (u64, Bytes)>,
    pub(crate) floor_ns: Option<i64>,
    pub(crate) own_generation: Option<u64>,
}

impl Model {
    pub(crate) fn apply(&mut self, writes: &[Write]) {
        for write in writes.iter().cloned() {
            match write {
                Write::Put {
                    incarnation,
                    slot,
                    version,
                    group,
                } => {
                    self.groups.insert((incarnation, slot), (version, group));
                }
                Write::Forget { incarnation } => {
                    self.groups.retain(|(of, _), _| *of != incarnation);
                }
                Write::Floor { time_ns } => self.floor_ns = self.floor_ns.max(Some(time_ns)),
                Write::Filler | Write::Purge(_) => {}
                Write::Generation { generation } => {
                    self.own_generation = self.own_generation.max(Some(generation));
                }
            }
        }
    }
}

/// Loads a store.
pub(crate) fn load(store: &mut dyn Store) -> Result<(Model, LoadReport), StoreError> {
    let mut model = Model::default();
    let mut each = |stored: StoredGroup| {
        let key = (stored.incarnation, stored.slot);
        let twice = model.groups.insert(key, (stored.version, stored.group));
        assert_eq!(twice, None, "a slot came twice");
    };
    let report = store.load(&mut each)?;
    model.floor_ns = report.floor_ns;
    model.own_generation = report.own_generation;
    assert_eq!(report.groups, model.groups.len() as u64);
    let bytes: usize = model.groups.values().map(|(_, group)| group.len()).sum();
    assert_eq!(report.bytes, bytes as u64);
    Ok((model, report))
}

pub(crate) fn incarnation(server: &str, generation: u64) -> Incarnation {
    Incarnation {
        server: server.into(),
        generation,
    }
}

/// A group for a slot of Hill's incarnation 1.
pub(crate) fn put(slot: u32, group: &[u8]) -> Write {
    Write::Put {
        incarnation: incarnation("Hill", 1),
        slot: SlotId(slot),
        version: 7,
        group: Bytes::copy_from_slice(group),
    }
}

/// Bytes that differ from seed to seed.
pub(crate) fn noise(seed: u32, len: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let mut next = || {
        // xorshift64: not zero as long as it does not begin so.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}
