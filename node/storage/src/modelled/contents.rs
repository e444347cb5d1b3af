//! The stored groups, as plain maps.

use std::collections::BTreeMap;

use bytes::Bytes;
use herd_crdt::SlotId;

use super::super::Write;
use herd_topology::Incarnation;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// By publisher and slot: the version, and the group.
    pub(super) groups: BTreeMap<Incarnation, BTreeMap<SlotId, (u64, Bytes)>>,
    pub(super) floor_ns: Option<i64>,
    pub(super) own_generation: Option<u64>,
}

impl Contents {
    /// Its groups alone.
    pub(super) fn into_groups(self) -> impl Iterator<Item = Bytes> {
        let slots = self.groups.into_values().flat_map(BTreeMap::into_values);
        slots.map(|(_, group)| group)
    }

    pub(super) fn apply(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Put {
                    incarnation,
                    slot,
                    version,
                    group,
                } => {
                    let slots = self.groups.entry(incarnation.clone()).or_default();
                    slots.insert(*slot, (*version, group.clone()));
                }
                Write::Forget { incarnation } => {
                    self.groups.remove(incarnation);
                }
                Write::Floor { time_ns } => self.floor_ns = self.floor_ns.max(Some(*time_ns)),
                Write::Filler | Write::Purge(_) => {}
                Write::Generation { generation } => {
                    self.own_generation = self.own_generation.max(Some(*generation));
                }
            }
        }
    }
}
