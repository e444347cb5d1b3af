//! Which incarnations chitchat may know, and which it has forgotten for good.
//!
//! Each id that chitchat knows takes its place in every digest, and a digest shares a message with the
//! news. So ids are admitted here, before chitchat sees them: a bounded number of each server, of servers that the
//! topology lacks, and in all. What was forgotten does not come back: of each server there is a generation up to which every
//! incarnation is forgotten, however long a neighbour still speaks of it.

use std::collections::{BTreeMap, BTreeSet};

use herd_crdt::ServerName;

use super::incarnation::Incarnation;
use super::timing::{IDS_MAX, IDS_PER_SERVER_MAX, STRANGERS_MAX};

/// What an id that a neighbour speaks of is to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// chitchat knows it, or may.
    Admitted,
    /// It was superseded long ago, and is forgotten.
    Forgotten,
    /// There is no room for it until others are forgotten.
    Full,
}

/// See the module.
#[derive(Debug)]
pub struct KnownIds {
    /// The servers of the topology.
    servers: BTreeSet<ServerName>,
    /// The generations of each server that chitchat may know. A superset of what it does know.
    admitted: BTreeMap<ServerName, BTreeSet<u64>>,
    /// How many these are.
    count: usize,
    /// By server, the greatest generation that was forgotten.
    forgotten_up_to: BTreeMap<ServerName, u64>,
    /// One was turned away for want of room since the last look.
    was_full: bool,
}

impl KnownIds {
    /// Nothing is known yet of these servers, which are those of the topology.
    pub fn new(servers: &[ServerName]) -> Self {
        KnownIds {
            servers: servers.iter().cloned().collect(),
            admitted: BTreeMap::new(),
            count: 0,
            forgotten_up_to: BTreeMap::new(),
            was_full: false,
        }
    }

    /// chitchat begins anew, as this incarnation. What was forgotten stays so.
    pub fn begin(&mut self, me: &Incarnation) {
        self.admitted = BTreeMap::new();
        self.count = 0;
        self.insert(me);
    }

    /// Whether chitchat may know this id already.
    pub fn contains(&self, incarnation: &Incarnation) -> bool {
        let of_server = self.admitted.get(&incarnation.server);
        of_server.is_some_and(|generations| generations.contains(&incarnation.generation))
    }

    /// Asks whether chitchat may know this id, which it does from now on if it may.
    pub fn admit(&mut self, incarnation: &Incarnation) -> Admission {
        let server = &incarnation.server;
        if self.contains(incarnation) {
            return Admission::Admitted;
        }
        let of_server = self.admitted.get(server);
        if self.is_forgotten(incarnation) {
            return Admission::Forgotten;
        }
        let is_full = match of_server {
            Some(generations) => generations.len() >= IDS_PER_SERVER_MAX,
            None => !self.servers.contains(server) && self.strangers() >= STRANGERS_MAX,
        };
        if is_full || self.count >= IDS_MAX {
            self.was_full = true;
            return Admission::Full;
        }
        self.insert(incarnation);
        Admission::Admitted
    }

    /// How many servers are known that the topology lacks.
    fn strangers(&self) -> usize {
        let known = self.admitted.keys();
        known.filter(|name| !self.servers.contains(*name)).count()
    }

    fn insert(&mut self, incarnation: &Incarnation) {
        let of_server = self.admitted.entry(incarnation.server.clone()).or_default();
        self.count += usize::from(of_server.insert(incarnation.generation));
    }

    /// Whether this incarnation was forgotten, or would have been: a later one of its server was.
    pub fn is_forgotten(&self, incarnation: &Incarnation) -> bool {
        let up_to = self.forgotten_up_to.get(&incarnation.server);
        up_to.is_some_and(|&up_to| incarnation.generation <= up_to)
    }

    /// Forgets these, and from now on all that they superseded. `known` are all that chitchat knows then.
    pub fn forget<'a>(
        &mut self,
        incarnations: &BTreeSet<Incarnation>,
        known: impl Iterator<Item = &'a Incarnation>,
    ) {
        for Incarnation { server, generation } in incarnations {
            let up_to = self.forgotten_up_to.entry(server.clone()).or_insert(0);
            *up_to = (*up_to).max(*generation);
        }
        self.retain(known);
    }

    /// These are all that chitchat knows.
    pub fn retain<'a>(&mut self, known: impl Iterator<Item = &'a Incarnation>) {
        self.admitted.clear();
        self.count = 0;
        for incarnation in known {
            self.insert(incarnation);
        }
    }

    /// Whether one was turned away for want of room since the last call.
    pub fn take_was_full(&mut self) -> bool {
        std::mem::take(&mut self.was_full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hill(generation: u64) -> Incarnation {
        of("Hill", generation)
    }

    fn of(server: &str, generation: u64) -> Incarnation {
        Incarnation {
            server: server.into(),
            generation,
        }
    }

    fn known_ids() -> KnownIds {
        known_ids_of(&["Hill".into(), "Jaquez".into(), "Smith".into()])
    }

    fn known_ids_of(servers: &[ServerName]) -> KnownIds {
        let mut ids = KnownIds::new(servers);
        ids.begin(&of("Smith", 1));
        ids
    }

    #[test]
    fn what_was_forgotten_does_not_come_back() {
        let mut ids = known_ids();
        for generation in 1..=3 {
            assert_eq!(ids.admit(&hill(generation)), Admission::Admitted);
        }
        ids.forget(&[hill(1), hill(2)].into(), [hill(3)].iter());
        assert_eq!(ids.admit(&hill(2)), Admission::Forgotten);
        assert_eq!(ids.admit(&hill(3)), Admission::Admitted);
        assert_eq!(ids.admit(&hill(1)), Admission::Forgotten);
        // A new incarnation of this server remembers it.
        ids.begin(&of("Smith", 2));
        assert_eq!(ids.admit(&hill(2)), Admission::Forgotten);
        assert_eq!(ids.admit(&hill(3)), Admission::Admitted);
    }

    #[test]
    fn no_server_takes_more_than_its_share() {
        let mut ids = known_ids();
        let many: Vec<Incarnation> = (1..=IDS_PER_SERVER_MAX as u64).map(hill).collect();
        assert!(many.iter().all(|id| ids.admit(id) == Admission::Admitted));
        assert!(!ids.take_was_full());
        assert_eq!(ids.admit(&hill(1_000)), Admission::Full);
        assert!(ids.take_was_full());
        assert_eq!(ids.admit(&hill(1)), Admission::Admitted, "it is known");
        assert_eq!(ids.admit(&of("Jaquez", 1)), Admission::Admitted);
        ids.forget(&[hill(1)].into(), many[1..].iter());
        assert_eq!(ids.admit(&hill(1_000)), Admission::Admitted);
    }

    #[test]
    fn there_are_never_more_than_fit_into_a_digest() {
        let name = |number: usize| format!("server{number}");
        let servers: Vec<ServerName> = (1..IDS_MAX).map(|number| name(number).into()).collect();
        let mut ids = known_ids_of(&servers);
        for number in 1..IDS_MAX {
            assert_eq!(ids.admit(&of(&name(number), 1)), Admission::Admitted);
        }
        assert_eq!(ids.admit(&hill(1)), Admission::Full);
        ids.forget(&BTreeSet::new(), [of("Smith", 1)].iter());
        assert_eq!(ids.admit(&hill(1)), Admission::Admitted);
    }

    #[test]
    fn servers_that_the_topology_lacks_have_little_room() {
        let mut ids = known_ids();
        let name = |number: usize| format!("new-{number}");
        for number in 0..STRANGERS_MAX {
            assert_eq!(ids.admit(&of(&name(number), 1)), Admission::Admitted);
        }
        assert_eq!(ids.admit(&of("one-more", 1)), Admission::Full);
        assert!(ids.take_was_full());
        assert_eq!(ids.admit(&of(&name(0), 2)), Admission::Admitted);
        assert_eq!(ids.admit(&hill(1)), Admission::Admitted);
        // chitchat has lost all of them but one.
        ids.retain([of("Smith", 1), of(&name(0), 2)].iter());
        assert_eq!(ids.admit(&of("one-more", 1)), Admission::Admitted);
    }
}
