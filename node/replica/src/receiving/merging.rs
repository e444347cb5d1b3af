//! What others have published is joined into the map, and handed to the store.

use std::ops::ControlFlow;
use std::time::Instant;

use herd_crdt::group::{GroupError, ReadGroup};
use herd_crdt::{Delivery, ServerMap, SlotAddress};
use tracing::warn;

use super::{Effect, Ground, Known, Receiving};
use crate::changes::Change;
use crate::incarnation::Incarnation;
use crate::store::StoreGroup;
use herd_marks::{self as marks, Mark};

/// Groups that are merged between two looks at whether other tasks want the processor.
pub const GROUPS_PER_YIELD: usize = 16;

/// A group that was read, with the hash of each record's client.
struct Hashed<'a> {
    group: ReadGroup<'a>,
    hashes: Vec<u64>,
}

impl Receiving {
    /// Merges these changes, at most [`GROUPS_PER_YIELD`]; says whether anything was news, or who has buried us.
    pub fn merge(
        &mut self,
        changes: &[(Incarnation, Change)],
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) -> ControlFlow<Incarnation, bool> {
        let groups: Vec<_> = changes
            .iter()
            .map(|(incarnation, change)| self.read_change(incarnation, change, ground))
            .collect();
        let read = groups
            .iter()
            .filter_map(|group| group.as_ref()?.as_ref().ok());
        let hashes = read.flat_map(|group| &group.hashes).copied().collect();
        ground.map.prefetch(hashes);
        let mut news = false;
        for ((incarnation, change), group) in changes.iter().zip(groups) {
            match change {
                Change::Group { .. } => {
                    news |= self.merge_change(incarnation, change, group, now, ground);
                }
                Change::Buried(buried) if buried.contains(&self.me) => {
                    return ControlFlow::Break(incarnation.clone());
                }
                Change::Buried(_) => {}
                Change::Tells(reads_up_to) => {
                    ground.settlements.note_tells(incarnation);
                    ground.known.readers.note(incarnation, *reads_up_to);
                }
                Change::Settled(told) => ground.settlements.note(incarnation, *told),
                Change::Links(words) => {
                    let words = words.as_slice().into();
                    self.links_of.insert(incarnation.clone(), words);
                }
            }
        }
        ControlFlow::Continue(news)
    }

    /// Everything up to these versions is merged.
    pub fn note_merged(&mut self, versions: Vec<(Incarnation, u64)>) {
        self.merged = versions;
    }

    /// Merges one slot that was set; says whether that changed the map.
    fn merge_change(
        &mut self,
        incarnation: &Incarnation,
        change: &Change,
        group: Option<Result<Hashed<'_>, GroupError>>,
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) -> bool {
        let Change::Group {
            slot,
            version,
            group: text,
        } = change
        else {
            return false;
        };
        let is_garbled = match &group {
            Some(Ok(_) | Err(GroupError::UnknownVersion(_))) => false,
            Some(Err(_)) => true,
            None => text.is_none(),
        };
        self.garbled.note(incarnation, *slot, *version, is_garbled);
        let is_read = matches!(group, Some(Ok(_)));
        let publisher = ground.known.membership.id_of(incarnation, now);
        let place = SlotAddress {
            publisher,
            slot: *slot,
        };
        let news = group.is_some_and(|group| self.merge_group(incarnation, place, group, ground));
        if is_read {
            let held = &mut ground.known.feed.held;
            held.note_merged(incarnation, *slot, *version);
        }
        news
    }

    /// The group of a change that is to be merged, if it is one.
    fn read_change<'a>(
        &self,
        incarnation: &Incarnation,
        change: &'a Change,
        ground: &Ground<'_, impl ServerMap>,
    ) -> Option<Result<Hashed<'a>, GroupError>> {
        let Change::Group {
            slot,
            version,
            group,
        } = change
        else {
            return None;
        };
        // From a neighbour who has fallen behind our store, whose later group is in the map.
        if *version != 0
            && ground
                .known
                .feed
                .held
                .has_later(incarnation, *slot, *version)
        {
            return None;
        }
        let Some(group) = group else {
            warn!(%incarnation, "a group that it published is garbled and left out; records in it are missing here until it publishes them again: restart that server");
            return None;
        };
        let hashed = |group: ReadGroup<'a>| {
            let clients = group.records().map(|record| record.client());
            let hashes = clients.map(|client| ground.map.hash_of(client)).collect();
            Hashed { group, hashes }
        };
        Some(self.format.read(group).map(hashed))
    }

    /// Joins one group into the map; says whether that changed the map.
    fn merge_group(
        &mut self,
        incarnation: &Incarnation,
        place: SlotAddress,
        group: Result<Hashed<'_>, GroupError>,
        ground: &mut Ground<'_, impl ServerMap>,
    ) -> bool {
        match group {
            Ok(Hashed { group, hashes }) => {
                // When its server heard the last of those that are its own.
                let mut heard_ns = None;
                let records = group.records().inspect(|record| {
                    if *record.server() == incarnation.server {
                        heard_ns = heard_ns.max(Some(record.received_ns()));
                    }
                });
                let delivery = ground.map.deliver_hashed(
                    hashes.into_iter().zip(records),
                    place,
                    &ground.known.membership,
                );
                let news = delivery.changed > 0;
                // What was heard before this server listened did not travel until now, but waited.
                let is_travel = |heard_ns: &i64| news && *heard_ns >= self.listens_since_ns;
                if let Some(heard_ns) = heard_ns.filter(is_travel) {
                    let origin = incarnation.server.clone();
                    ground.effects.push(Effect::Travelled { origin, heard_ns });
                }
                mark(delivery);
                news
            }
            Err(GroupError::UnknownVersion(version)) => {
                ground.known.feed.note_undecoded(incarnation);
                let count = self.undecoded.entry(incarnation.clone()).or_insert(0);
                *count += 1;
                if *count == 1 {
                    warn!(
                        %incarnation, version,
                        "groups of a newer format are kept and passed on, but not merged: upgrade this server"
                    );
                }
                false
            }
            Err(error) => {
                warn!(%incarnation, %error, "a group that it published is left out; records in it are missing here until it publishes them again: restart that server");
                false
            }
        }
    }

    /// Gives the store what it wants of the changes. With it, what others overwrite although the store has nothing
    /// greater of its client yet. `versions` are how far each publisher's state has come with them.
    pub fn store(
        &mut self,
        changes: &[(Incarnation, Change)],
        versions: Option<&[(Incarnation, u64)]>,
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let Known {
            membership, feed, ..
        } = &mut *ground.known;
        let mut groups = Vec::new();
        for (incarnation, change) in changes {
            if let Change::Group {
                slot,
                version,
                group: Some(group),
            } = change
                && feed.wants(incarnation, *version)
            {
                let publisher = membership.id_of(incarnation, now);
                let (slot, version) = (*slot, *version);
                let delivered = StoreGroup {
                    incarnation: incarnation.clone(),
                    slot,
                    version,
                    group: group.clone(),
                };
                groups.push((SlotAddress { publisher, slot }, delivered));
            }
        }
        let overwritten = feed.held.overwrite(&groups, self.format, ground.map);
        if !overwritten.places.is_empty() {
            marks::reach(Mark::OverwrittenKept);
        }
        let kept = self.kept.keep(overwritten, now);
        // All of it in one write: a part alone could lack what another part replaces.
        let groups = groups.into_iter().map(|(_, group)| group);
        feed.put(groups.chain(kept), versions, ground.store);
    }
}

fn mark(delivery: Delivery) {
    if delivery.changed == 0 && delivery.unchanged > 0 {
        marks::reach(Mark::GroupRepeated);
    }
    if delivery.given_up > 0 {
        marks::reach(Mark::PublicationGivenUp);
    }
}
