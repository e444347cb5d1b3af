//! Which versions of the group format other servers read: a client is forgotten only where all that are live can read of
//! it.

use std::collections::{BTreeMap, BTreeSet};

use herd_crdt::ServerName;
use herd_crdt::group::TOMBSTONES_VERSION;

use super::Receiving;
use crate::incarnation::Incarnation;
use crate::membership::Sighting;

/// The newest version that each incarnation says that it reads.
#[derive(Debug, Default)]
pub(super) struct Readers {
    reads_up_to: BTreeMap<Incarnation, u8>,
}

impl Readers {
    pub(super) fn note(&mut self, incarnation: &Incarnation, reads_up_to: u8) {
        self.reads_up_to.insert(incarnation.clone(), reads_up_to);
    }

    pub(super) fn retain(&mut self, in_gossip: &BTreeSet<&Incarnation>) {
        self.reads_up_to
            .retain(|incarnation, _| in_gossip.contains(incarnation));
    }
}

impl Receiving {
    /// A live server whose release does not read tombstones, if there is one. Of an incarnation of which nothing is
    /// merged yet nobody knows that.
    pub(super) fn tombstones_unread_by(&self, sightings: &[Sighting]) -> Option<ServerName> {
        if !self.format.has_tombstones() {
            return Some(self.me.server.clone());
        }
        let live = sightings.iter().filter(|sighting| sighting.live);
        let mut live = live.map(|sighting| &sighting.incarnation);
        let old = live.find(
            |&incarnation| match self.readers.reads_up_to.get(incarnation) {
                Some(&reads_up_to) => reads_up_to < TOMBSTONES_VERSION,
                // It says so before anything else, or is of a release that does not.
                None => self.has_merged(incarnation),
            },
        );
        old.map(|incarnation| incarnation.server.clone())
    }

    fn has_merged(&self, incarnation: &Incarnation) -> bool {
        let mut merged = self.merged.iter();
        merged.any(|(other, version)| other == incarnation && *version > 0)
    }
}
