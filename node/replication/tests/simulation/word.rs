//! What the disk of a process has to keep when the process ends: the next one is compared with it.

use std::collections::BTreeSet;

use herd_crdt::Publication;
use herd_locations::Locations;

use super::herd::Herd;
use super::ledger::Map;
use super::operation::Position;
use super::promise::{GOSSIP_BEGINS_WITHIN, Held};

/// What a process published when it ended.
pub(super) struct Published {
    /// Records that stood in its slots.
    in_slots: Map,
    /// Clients whose records waited for one.
    pending: BTreeSet<Vec<u8>>,
}

impl Published {
    pub(super) fn of(map: Map, locations: &Locations) -> Self {
        let mut published = Published {
            in_slots: Map::new(),
            pending: BTreeSet::new(),
        };
        for (client, record) in map {
            match locations.publication(&client) {
                Some((Publication::InSlot(_), _)) => {
                    published.in_slots.insert(client, record);
                }
                Some((Publication::Pending, _)) => {
                    published.pending.insert(client);
                }
                Some((Publication::Elsewhere, _)) | None => {}
            }
        }
        published
    }
}

impl Herd {
    /// When a process has ended, its disk has to keep what it had acknowledged, and what it held when the herd
    /// was last quiet; or something greater, whoever publishes it.
    ///
    /// After a disk has written in any order, that holds for what the process had published itself: what others
    /// overwrote may be gone before what superseded it was there. A real store reads its journal up to the first
    /// hole. And a server whose replies do not wait for its disk writes nothing before its gossip begins.
    pub(super) fn note_word(&mut self, server: Position, published: &Published) {
        let now = self.now();
        let reordered_at = self.servers[server].reordered_at;
        let ledger = self.ledger.lock();
        let held = if self.scenario.level.needs_disk() {
            Held::Synced
        } else {
            Held::Merged
        };
        let acked = ledger
            .acked
            .iter()
            .filter(|acked| acked.server == server && self.harms.holds(server, acked.at, held));
        let acked = acked.map(|acked| {
            let why = format!("acknowledged at {:?}", acked.at);
            (&acked.record, acked.at, why)
        });
        let settled = self.harms.holds(server, ledger.settled_at, Held::Synced);
        let settled = ledger.settled.values().filter(|_| settled);
        let settled_at = ledger.settled_at;
        let settled = settled.map(|record| (record, settled_at, "on every disk".to_owned()));
        let word = acked
            .chain(settled)
            .filter(|_| self.scenario.has_disks)
            .filter(|(record, at, _)| {
                let in_order = reordered_at.is_none_or(|reordered_at| *at > reordered_at);
                in_order || published.in_slots.get(record.client()) == Some(record)
            })
            .filter(|(record, at, _)| {
                held == Held::Synced
                    || *at + GOSSIP_BEGINS_WITHIN < now
                    || !published.pending.contains(record.client())
            })
            .map(|(record, _, why)| (record.clone(), why))
            .collect();
        drop(ledger);
        self.servers[server].word = word;
    }
}
