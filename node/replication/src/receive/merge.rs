//! What others have published is joined into the map, and handed to the store.

use std::ops::ControlFlow;
use std::time::Duration;

use herd_crdt::group::{GroupError, ReadGroup};
use herd_crdt::{ServerName, SlotAddress, SlotId};
use tokio::time::Instant;
use tracing::warn;

use super::{Known, Receiver};
use crate::engine::Change;
use crate::incarnation::Incarnation;
use crate::store_feed::DeliveredGroup;
use herd_locations::Delivery;
use herd_telemetry::marks::{self, Mark};

/// Groups that are merged between two looks at whether other tasks want the processor.
const GROUPS_PER_YIELD: usize = 16;

/// A group that was read, with the hash of each record's client.
struct Hashed<'a> {
    group: ReadGroup<'a>,
    hashes: Vec<u64>,
}

impl Receiver {
    /// Merges all that came in, after what was noted again. Returns who has buried us, if anyone has.
    pub(super) async fn merge_changes(&mut self) -> Option<Incarnation> {
        let mut news_again = false;
        while let Some(again) = self.engine.take_again().await {
            // The store has it: how far it has come changes nothing.
            self.store_changes(&again, None);
            match self.merge(&again).await {
                ControlFlow::Continue(news) => news_again |= news,
                ControlFlow::Break(buried_by) => return Some(buried_by),
            }
        }
        if news_again {
            self.links.kick_others(&[]);
        }
        let taken = self.engine.take_changes().await;
        self.store_changes(&taken.changes, Some(&taken.versions));
        match self.merge(&taken.changes).await {
            ControlFlow::Continue(true) => self.links.kick_others(&taken.senders),
            ControlFlow::Continue(false) => {}
            ControlFlow::Break(buried_by) => return Some(buried_by),
        }
        self.merged = taken.versions;
        None
    }

    /// Merges these changes; says whether anything was news, or who has buried us.
    async fn merge(&mut self, all: &[(Incarnation, Change)]) -> ControlFlow<Incarnation, bool> {
        let me = self.engine.incarnation().clone();
        let mut news = false;
        for changes in all.chunks(GROUPS_PER_YIELD) {
            let groups: Vec<_> = changes
                .iter()
                .map(|(incarnation, change)| self.read_change(incarnation, change))
                .collect();
            let read = groups
                .iter()
                .filter_map(|group| group.as_ref()?.as_ref().ok());
            let hashes = read.flat_map(|group| &group.hashes).copied().collect();
            self.locations.prefetch(hashes);
            for ((incarnation, change), group) in changes.iter().zip(groups) {
                match change {
                    Change::Group {
                        slot,
                        version,
                        group: text,
                    } => {
                        let is_garbled = match &group {
                            Some(Ok(_) | Err(GroupError::UnknownVersion(_))) => false,
                            Some(Err(_)) => true,
                            None => text.is_none(),
                        };
                        self.garbled.note(incarnation, *slot, *version, is_garbled);
                        let is_read = matches!(group, Some(Ok(_)));
                        news |=
                            group.is_some_and(|group| self.merge_group(incarnation, *slot, group));
                        if is_read {
                            let held = &mut self.known.feed.held;
                            held.note_merged(incarnation, *slot, *version);
                        }
                    }
                    Change::Buried(buried) if buried.contains(&me) => {
                        return ControlFlow::Break(incarnation.clone());
                    }
                    Change::Buried(_) => {}
                    Change::Tells => self.settlements.lock().note_tells(incarnation),
                    Change::Settled(told) => {
                        self.settlements.lock().note(incarnation, *told);
                    }
                    Change::Links(words) => {
                        self.links_of
                            .insert(incarnation.clone(), words.as_slice().into());
                    }
                }
            }
            if changes.len() == GROUPS_PER_YIELD {
                self.watched.heartbeat();
                tokio::task::yield_now().await;
            }
        }
        ControlFlow::Continue(news)
    }

    /// The group of a change that is to be merged, if it is one.
    fn read_change<'a>(
        &self,
        incarnation: &Incarnation,
        change: &'a Change,
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
        if *version != 0 && self.known.feed.held.has_later(incarnation, *slot, *version) {
            return None;
        }
        let Some(group) = group else {
            warn!(%incarnation, "a group that it published is garbled and left out; records in it are missing here until it publishes them again: restart that server");
            return None;
        };
        let hashed = |group: ReadGroup<'a>| {
            let clients = group.records().map(|record| record.client());
            let hashes = clients
                .map(|client| self.locations.hash_of(client))
                .collect();
            Hashed { group, hashes }
        };
        Some(self.format.read(group).map(hashed))
    }

    /// Joins one group into the map; says whether that changed the map.
    fn merge_group(
        &mut self,
        incarnation: &Incarnation,
        slot: SlotId,
        group: Result<Hashed<'_>, GroupError>,
    ) -> bool {
        let publisher = self.known.membership.id_of(incarnation, Instant::now());
        match group {
            Ok(Hashed { group, hashes }) => {
                // When its server heard the last of those that are its own.
                let mut heard_ns = None;
                let records = group.records().inspect(|record| {
                    if *record.server() == incarnation.server {
                        heard_ns = heard_ns.max(Some(record.received_ns()));
                    }
                });
                let delivery = self.locations.deliver_hashed(
                    hashes.into_iter().zip(records),
                    SlotAddress { publisher, slot },
                    &self.known.membership,
                );
                let news = delivery.changed > 0;
                if let Some(heard_ns) = heard_ns.filter(|_| news) {
                    self.note_travel(&incarnation.server, heard_ns);
                }
                mark(delivery);
                news
            }
            Err(GroupError::UnknownVersion(version)) => {
                self.known.feed.note_undecoded(incarnation);
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
    fn store_changes(
        &mut self,
        changes: &[(Incarnation, Change)],
        versions: Option<&[(Incarnation, u64)]>,
    ) {
        let Known { membership, feed } = &mut *self.known;
        let now = Instant::now();
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
                let delivered = DeliveredGroup {
                    incarnation: incarnation.clone(),
                    slot,
                    version,
                    group: group.clone(),
                };
                groups.push((SlotAddress { publisher, slot }, delivered));
            }
        }
        let overwritten = feed.held.overwrite(&groups, self.format, &self.locations);
        if !overwritten.places.is_empty() {
            marks::reach(Mark::OverwrittenKept);
        }
        let kept = self.kept.keep(overwritten, now);
        // All of it in one write: a part alone could lack what another part replaces.
        let groups = groups.into_iter().map(|(_, group)| group);
        feed.put(groups, kept, versions);
    }

    /// The latest report of a group was heard then, by the clock of its server. What was heard before
    /// this server listened did not travel until now, but waited.
    fn note_travel(&self, origin: &ServerName, heard_ns: i64) {
        let Some(propagation) = self.figures.propagation().get(origin) else {
            return;
        };
        if heard_ns >= self.listens_since_ns {
            let travelled_ns = self.links.chance.now_ns().saturating_sub(heard_ns);
            let travelled = Duration::from_nanos(u64::try_from(travelled_ns).unwrap_or(0));
            propagation.observe(travelled, 1);
        }
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
