//! Which versions of the group format other servers read: a client is forgotten only where all that are live can read of
//! it.

use std::collections::{BTreeMap, BTreeSet};

use herd_crdt::ServerName;
use herd_crdt::group::TOMBSTONES_VERSION;

use super::{Known, Receiving};
use crate::incarnation::Incarnation;
use crate::membership::Sighting;

/// The newest version that the latest incarnation of each server says that it reads. It outlives incarnations of this
/// server, which begin without knowing any other.
#[derive(Debug, Default)]
pub struct Readers {
    /// By server: the generation, and the version.
    reads_up_to: BTreeMap<ServerName, (u64, u8)>,
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
    /// Whether all live servers read tombstones. Of an incarnation of which nothing is merged yet nobody knows that.
    pub(super) fn tombstones_read(&self, known: &Known, sightings: &[Sighting]) -> TombstonesRead {
        if !self.format.has_tombstones() {
            return TombstonesRead::NotBy(self.me.server.clone());
        }
        let mut read = TombstonesRead::ByAll;
        for Sighting { incarnation, .. } in sightings.iter().filter(|sighting| sighting.live) {
            match known.readers.reads_up_to(incarnation) {
                Some(reads_up_to) if reads_up_to >= TOMBSTONES_VERSION => {}
                // It says so before anything else, or is of a release that does not.
                None if !self.has_merged(incarnation) => read = TombstonesRead::Unknown,
                Some(_) | None => return TombstonesRead::NotBy(incarnation.server.clone()),
            }
        }
        read
    }

    fn has_merged(&self, incarnation: &Incarnation) -> bool {
        let mut merged = self.merged.iter();
        merged.any(|(other, version)| other == incarnation && *version > 0)
    }
}
