//! Which versions of the group format other servers read: a client is forgotten only where all that are live can read of
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use herd_crdt::ServerName;
use herd_crdt::group::TOMBSTONES_VERSION;

use super::{Known, Receiving};
use crate::incarnation::Incarnation;
use crate::membership::Sighting;
use crate::timing::GONE_AFTER;

/// The newest version that the latest incarnation of each server says that it reads. It outlives incarnations of this
/// server, which begin without knowing any other.
#[derive(Debug, Default)]
pub struct Readers {
    /// By server: the generation, and the version.
    reads_up_to: BTreeMap<ServerName, (u64, u8)>,
    /// All live servers read tombstones once: those that were there when this process began are known.
    were_all_known: bool,
}

impl Readers {
    pub(super) fn note(&mut self, incarnation: &Incarnation, reads_up_to: u8) {
        let generation = incarnation.generation;
        let known = self.reads_up_to.get(&incarnation.server);
        if known.is_none_or(|(known, _)| *known <= generation) {
            let server = incarnation.server.clone();
            self.reads_up_to.insert(server, (generation, reads_up_to));
        }
    }

    /// Keeps what is known of servers that the topology or gossip has.
    pub(super) fn retain(&mut self, servers: &[ServerName], in_gossip: &BTreeSet<&Incarnation>) {
        self.reads_up_to.retain(|server, _| {
            servers.contains(server) || in_gossip.iter().any(|other| other.server == *server)
        });
    }

    fn reads_up_to(&self, incarnation: &Incarnation) -> Option<u8> {
        let (generation, reads_up_to) = self.reads_up_to.get(&incarnation.server)?;
        (*generation == incarnation.generation).then_some(*reads_up_to)
    }
}

/// What is known of the servers that are live.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TombstonesRead {
    /// All read tombstones.
    ByAll,
    /// The release of this one does not.
    NotBy(ServerName),
    /// Of one of them nothing is known yet.
    Unknown,
}

impl Receiving {
    /// Whether all live servers read tombstones. Of an incarnation of which nothing is merged yet nobody knows that. A
    /// process that has just begun knows of nobody: it waits for a word of every server of the topology, for as long as it
    /// takes until a silent one counts as gone.
    pub(super) fn tombstones_read(
        &self,
        known: &mut Known,
        sightings: &[Sighting],
        now: Instant,
    ) -> TombstonesRead {
        let me = &self.me.server;
        if !self.format.has_tombstones() {
            return TombstonesRead::NotBy(me.clone());
        }
        let is_new =
            !known.readers.were_all_known && now.saturating_duration_since(self.began) < GONE_AFTER;
        let mut read = TombstonesRead::ByAll;
        for Sighting {
            incarnation, live, ..
        } in sightings
        {
            let id = known.membership.id_of(incarnation, now);
            let may_live = is_new && known.membership.gone_for(id, now).is_none();
            if !live && !may_live {
                continue;
            }
            match known.readers.reads_up_to(incarnation) {
                Some(reads_up_to) if reads_up_to >= TOMBSTONES_VERSION => {}
                // It says so before anything else, or is of a release that does not.
                None if !self.has_merged(incarnation) => read = TombstonesRead::Unknown,
                Some(_) | None => return TombstonesRead::NotBy(incarnation.server.clone()),
            }
        }
        let mut others = self.servers.iter().filter(|&server| server != me);
        if is_new && !others.all(|server| known.readers.reads_up_to.contains_key(server)) {
            return TombstonesRead::Unknown;
        }
        known.readers.were_all_known |= read == TombstonesRead::ByAll;
        read
    }

    fn has_merged(&self, incarnation: &Incarnation) -> bool {
        let mut merged = self.merged.iter();
        merged.any(|(other, version)| other == incarnation && *version > 0)
    }
}
