//! Which ids of a message chitchat gets to see.

use std::sync::atomic::Ordering;

use chitchat::{ChitchatId, ChitchatMessage};

use super::digests::{self, chitchat_id, incarnation_of};
use super::links::Links;
use herd_replica::known_ids::Admission;
use herd_topology::NAME_BYTES_MAX;

impl Links {
    /// A message for chitchat without the ids that it must not learn: those that were forgotten, those for which
    /// there is no room, and those that no server has.
    pub(crate) fn admit(&self, message: ChitchatMessage) -> ChitchatMessage {
        let mut ids = self.ids.lock();
        let mut refused = 0;
        let (message, _) = digests::retain(message, |id| {
            let incarnation = incarnation_of(id);
            if !is_of_server(id) {
                return false;
            }
            if !ids.contains(&incarnation) && !self.is_plausible(incarnation.generation) {
                return false;
            }
            let admission = ids.admit(&incarnation);
            refused += u64::from(admission == Admission::Full);
            admission == Admission::Admitted
        });
        self.ids_refused.fetch_add(refused, Ordering::Relaxed);
        message
    }

    /// How often there was no room for an incarnation that a neighbour spoke of.
    pub fn ids_refused(&self) -> u64 {
        self.ids_refused.load(Ordering::Relaxed)
    }
}

/// Whether an id is one that a server could have: its address follows from its name.
fn is_of_server(id: &ChitchatId) -> bool {
    (1..=NAME_BYTES_MAX).contains(&id.node_id.len()) && chitchat_id(&incarnation_of(id)) == *id
}
