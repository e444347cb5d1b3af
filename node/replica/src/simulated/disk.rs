//! A disk that loses nothing: what a server's store hands to its next process.

use std::time::Instant;

use herd_crdt::{Publication, PublisherId, Record};

use super::server::Server;
use crate::incarnation::Incarnation;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// The last generation of the server's own.
    pub(super) generation: u64,
    /// Each record with the incarnation whose group it is in.
    records: Vec<(Incarnation, Record)>,
}

impl Server {
    /// What is on its disk of these clients.
    pub(super) fn disk<'a>(&self, clients: impl Iterator<Item = &'a Vec<u8>>) -> Disk {
        let me = self.gossip.me();
        let stored = clients.filter_map(|client| {
            let record = self.map.held(client)?;
            let (publication, publisher) = self.map.publication(client)?;
            let is_own =
                matches!(publication, Publication::InSlot(_)) || publisher == PublisherId::NOBODY;
            let other = self.known.membership.incarnation(publisher);
            let incarnation = other.filter(|_| !is_own).unwrap_or(me);
            Some((incarnation.clone(), record))
        });
        Disk {
            generation: me.generation,
            records: stored.collect(),
        }
    }

    /// Reads the disk into the map.
    pub(super) fn load(&mut self, disk: Disk, now: Instant) {
        for (incarnation, record) in disk.records {
            self.signs.note_heard_of(&incarnation, now);
            let membership = &mut self.known.membership;
            let publisher = membership.id_of(&incarnation, now);
            self.map.deliver([record], publisher, &*membership);
        }
    }
}
