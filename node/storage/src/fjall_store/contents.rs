//! Which groups the database holds: a checksum of each, and of all.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use herd_crdt::SlotId;

use super::super::Write;
use super::layout::{Meta, group_hash, group_key, group_value};
use herd_topology::Incarnation;

/// The changes of one commit: for each key its new group, or `None` to delete it.
pub(super) type CommitChanges = BTreeMap<Vec<u8>, Option<Bytes>>;

/// Kept in memory, some 20 bytes for each group.
#[derive(Debug, Default)]
pub(super) struct Contents {
    hashes: HashMap<Incarnation, BTreeMap<SlotId, u64>>,
    pub(super) meta: Meta,
}

impl Contents {
    /// Counts a group in that lies there already.
    pub(super) fn insert(&mut self, incarnation: &Incarnation, slot: SlotId, hash: u64) {
        let slots = match self.hashes.get_mut(incarnation) {
            Some(slots) => slots,
            None => self.hashes.entry(incarnation.clone()).or_default(),
        };
        if let Some(before) = slots.insert(slot, hash) {
            self.meta.digest = self.meta.digest.wrapping_sub(before);
        } else {
            self.meta.groups += 1;
        }
        self.meta.digest = self.meta.digest.wrapping_add(hash);
    }

    /// Applies the writes of one commit, in their order. `None` if one cannot be stored; of no use
    /// any more then.
    pub(super) fn apply(&mut self, writes: &[Write]) -> Option<CommitChanges> {
        let mut changes = CommitChanges::new();
        for write in writes {
            match write {
                Write::Put {
                    incarnation,
                    slot,
                    version,
                    group,
                } => {
                    let key = group_key(incarnation, *slot)?;
                    let value = group_value(*version, group);
                    self.insert(incarnation, *slot, group_hash(&key, &value));
                    changes.insert(key, Some(value));
                }
                Write::Forget { incarnation } => {
                    for (slot, hash) in self.hashes.remove(incarnation).unwrap_or_default() {
                        self.meta.groups = self.meta.groups.saturating_sub(1);
                        self.meta.digest = self.meta.digest.wrapping_sub(hash);
                        changes.insert(group_key(incarnation, slot)?, None);
                    }
                }
                Write::Floor { time_ns } => {
                    self.meta.floor_ns = self.meta.floor_ns.max(Some(*time_ns));
                }
                Write::Generation { generation } => {
                    self.meta.own_generation = self.meta.own_generation.max(Some(*generation));
                }
                Write::Filler | Write::Purge(_) => {}
            }
        }
        self.meta.sequence += 1;
        Some(changes)
    }
}
