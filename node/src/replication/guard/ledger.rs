//! Which incarnations gossip may know here: bounded for each name and in all, and none that was forgotten.
//!
//! chitchat makes a node of every id in a digest, and puts all its nodes into its own digests. So ids enter
//! this ledger before chitchat sees them, and leave it when chitchat has forgotten them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use herd_crdt::ServerName;
use tokio::time::Instant;

use super::bounds::{
    ADMITTED_HELD, DIGEST_BYTES_MAX, DIGEST_ENTRY_BYTES, INCARNATIONS_PER_NAME_MAX, STRANGERS_MAX,
};
use super::fault::{Fault, LeftOut};
use super::wire::RawId;
use crate::replication::incarnation::Incarnation;
use crate::topology::{gossip_address, is_name};

/// The incarnations of one server.
#[derive(Debug)]
struct Named {
    address: SocketAddr,
    /// The topology has it.
    is_known: bool,
    /// This incarnation and all before it were forgotten here, and are not let in again.
    forgotten_up_to: u64,
    /// Since when chitchat may know them.
    admitted: BTreeMap<u64, Instant>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ledger {
    of: BTreeMap<ServerName, Named>,
    /// Of a digest, by all that is admitted.
    digest_bytes: usize,
}

impl Ledger {
    /// Nobody is known yet of these servers, which are those of the topology.
    pub(super) fn new(servers: &[ServerName]) -> Self {
        let of = servers.iter().map(|name| {
            let named = Named::new(name, true);
            (name.clone(), named)
        });
        Ledger {
            of: of.collect(),
            digest_bytes: 0,
        }
    }

    /// Whether a server can have this id at all.
    pub(super) fn check(&self, id: &RawId<'_>) -> Result<(), Fault> {
        let address = match self.of.get(id.name) {
            Some(named) => named.address,
            None if is_name(id.name) => gossip_address(id.name),
            None => return Err(Fault::Name),
        };
        if id.address == address {
            Ok(())
        } else {
            Err(Fault::Address)
        }
    }

    /// Lets chitchat know an incarnation, if there is room.
    pub(super) fn admit(
        &mut self,
        name: &str,
        generation: u64,
        now: Instant,
    ) -> Result<(), LeftOut> {
        let bytes = DIGEST_ENTRY_BYTES + name.len();
        if !self.of.contains_key(name) {
            self.make_room_for_stranger()?;
            self.of.insert(name.into(), Named::new(name, false));
        }
        let Some(named) = self.of.get_mut(name) else {
            return Err(LeftOut::NoRoom);
        };
        if generation <= named.forgotten_up_to {
            return Err(LeftOut::Forgotten);
        }
        if named.admitted.contains_key(&generation) {
            return Ok(());
        }
        if named.admitted.len() >= INCARNATIONS_PER_NAME_MAX
            || self.digest_bytes + bytes > DIGEST_BYTES_MAX
        {
            return Err(LeftOut::NoRoom);
        }
        named.admitted.insert(generation, now);
        self.digest_bytes += bytes;
        Ok(())
    }

    /// A name that the topology lacks, and of which nothing is known any more, makes way for another one.
    fn make_room_for_stranger(&mut self) -> Result<(), LeftOut> {
        let strangers = || self.of.iter().filter(|(_, named)| !named.is_known);
        if strangers().count() < STRANGERS_MAX {
            return Ok(());
        }
        let idle = strangers().find(|(_, named)| named.admitted.is_empty());
        let idle = idle.map(|(name, _)| name.clone()).ok_or(LeftOut::NoRoom)?;
        self.of.remove(&idle);
        Ok(())
    }

    /// Whether chitchat may know an incarnation; if not, why.
    pub(super) fn has(&self, name: &str, generation: u64) -> Result<(), LeftOut> {
        match self.of.get(name) {
            Some(named) if generation <= named.forgotten_up_to => Err(LeftOut::Forgotten),
            Some(named) if named.admitted.contains_key(&generation) => Ok(()),
            _ => Err(LeftOut::NoRoom),
        }
    }

    /// Whether what another server says of this incarnation is of use here: the name is one that a server
    /// can have, and the incarnation was not forgotten.
    pub(super) fn may_speak_of(&self, name: &str, generation: u64) -> bool {
        match self.of.get(name) {
            Some(named) => generation > named.forgotten_up_to,
            None => is_name(name),
        }
    }

    /// The name as this server holds it, which costs no memory.
    pub(super) fn name_of(&self, name: &str) -> ServerName {
        let known = self.of.get_key_value(name);
        known.map_or_else(|| name.into(), |(name, _)| name.clone())
    }

    /// This incarnation and all before it are not let in again, and take no room.
    pub(super) fn forget_up_to(&mut self, incarnation: &Incarnation) {
        let Incarnation { server, generation } = incarnation;
        if let Some(named) = self.of.get_mut(server) {
            named.forgotten_up_to = named.forgotten_up_to.max(*generation);
            let left = named.admitted.split_off(&generation.saturating_add(1));
            let gone = std::mem::replace(&mut named.admitted, left).len();
            self.digest_bytes -= gone * (DIGEST_ENTRY_BYTES + server.len());
        }
    }

    /// chitchat knows these now, and beside them at most those of messages that it has not processed yet.
    pub(super) fn retain(&mut self, known: &BTreeSet<&Incarnation>, now: Instant) {
        let mut digest_bytes = 0;
        for (server, named) in &mut self.of {
            named.admitted.retain(|&generation, since| {
                let server = server.clone();
                let incarnation = Incarnation { server, generation };
                let is_new = now.saturating_duration_since(*since) < ADMITTED_HELD;
                is_new || known.contains(&incarnation)
            });
            digest_bytes += named.admitted.len() * (DIGEST_ENTRY_BYTES + server.len());
        }
        self.digest_bytes = digest_bytes;
    }
}

impl Named {
    fn new(name: &str, is_known: bool) -> Self {
        Named {
            address: gossip_address(name),
            is_known,
            forgotten_up_to: 0,
            admitted: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hill(generation: u64) -> Incarnation {
        Incarnation {
            server: "Hill".into(),
            generation,
        }
    }

    fn ledger() -> Ledger {
        Ledger::new(&["Hill".into(), "Smith".into()])
    }

    #[test]
    fn a_name_has_room_for_so_many_incarnations() {
        let (mut ledger, now) = (ledger(), Instant::now());
        let max = INCARNATIONS_PER_NAME_MAX as u64;
        for generation in 1..=max {
            assert_eq!(ledger.admit("Hill", generation, now), Ok(()));
        }
        assert_eq!(ledger.admit("Hill", max + 1, now), Err(LeftOut::NoRoom));
        assert_eq!(ledger.admit("Hill", 1, now), Ok(()), "it is in already");
        assert_eq!(ledger.admit("Smith", 1, now), Ok(()));
        assert_eq!(ledger.has("Hill", max + 1), Err(LeftOut::NoRoom));
        // chitchat forgets all but one.
        let later = now + ADMITTED_HELD;
        ledger.retain(&BTreeSet::from([&hill(7)]), later);
        assert_eq!(ledger.admit("Hill", max + 1, later), Ok(()));
        assert_eq!(ledger.has("Hill", 7), Ok(()));
        assert_eq!(ledger.has("Hill", 8), Err(LeftOut::NoRoom));
    }

    #[test]
    fn what_chitchat_has_not_seen_yet_keeps_its_room() {
        let (mut ledger, now) = (ledger(), Instant::now());
        ledger.admit("Hill", 7, now).unwrap();
        ledger.retain(&BTreeSet::new(), now + ADMITTED_HELD / 2);
        assert_eq!(ledger.has("Hill", 7), Ok(()));
        ledger.retain(&BTreeSet::new(), now + ADMITTED_HELD);
        assert_eq!(ledger.has("Hill", 7), Err(LeftOut::NoRoom));
        assert_eq!(ledger.digest_bytes, 0);
    }

    #[test]
    fn all_ids_together_leave_room_in_a_digest() {
        let servers: Vec<ServerName> = (0..1_000)
            .map(|number| format!("{number:0>64}").into())
            .collect();
        let mut ledger = Ledger::new(&servers);
        let now = Instant::now();
        let admitted = servers
            .iter()
            .filter(|name| ledger.admit(name, 1, now).is_ok());
        let admitted = admitted.count();
        let bytes = DIGEST_ENTRY_BYTES + 64;
        assert_eq!(admitted, DIGEST_BYTES_MAX / bytes);
    }

    #[test]
    fn names_that_the_topology_lacks_have_little_room() {
        let (mut ledger, now) = (ledger(), Instant::now());
        let name = |number: usize| format!("new-{number}");
        for number in 0..STRANGERS_MAX {
            assert_eq!(ledger.admit(&name(number), 1, now), Ok(()));
        }
        assert_eq!(ledger.admit("one-more", 1, now), Err(LeftOut::NoRoom));
        assert_eq!(ledger.admit("Hill", 1, now), Ok(()));
        let later = now + ADMITTED_HELD;
        let (zero, one) = (name(0), name(1));
        let known = Incarnation {
            server: zero.as_str().into(),
            generation: 1,
        };
        ledger.retain(&BTreeSet::from([&known]), later);
        assert_eq!(ledger.admit("one-more", 1, later), Ok(()));
        assert_eq!(ledger.has(&zero, 1), Ok(()));
        assert_eq!(ledger.has(&one, 1), Err(LeftOut::NoRoom));
    }

    #[test]
    fn what_was_forgotten_stays_out() {
        let (mut ledger, now) = (ledger(), Instant::now());
        ledger.admit("Hill", 6, now).unwrap();
        ledger.forget_up_to(&hill(7));
        ledger.forget_up_to(&hill(5));
        assert_eq!(ledger.digest_bytes, 0, "it has left its room to others");
        assert_eq!(ledger.has("Hill", 6), Err(LeftOut::Forgotten));
        assert_eq!(ledger.admit("Hill", 7, now), Err(LeftOut::Forgotten));
        assert_eq!(ledger.admit("Hill", 8, now), Ok(()));
        assert!(!ledger.may_speak_of("Hill", 7));
        assert!(ledger.may_speak_of("Hill", 8));
        assert!(!ledger.may_speak_of("no name", 8));
    }

    #[test]
    fn an_id_is_a_name_and_the_address_of_that_name() {
        let ledger = ledger();
        let id = |name, address: &str| RawId {
            name,
            generation: 1,
            address: gossip_address(address),
        };
        assert_eq!(ledger.check(&id("Hill", "Hill")), Ok(()));
        assert_eq!(ledger.check(&id("Moved", "Moved")), Ok(()));
        assert_eq!(ledger.check(&id("Hill", "Smith")), Err(Fault::Address));
        assert_eq!(ledger.check(&id("Moved", "Hill")), Err(Fault::Address));
        let too_long = "n".repeat(65);
        for name in ["", "a b", &too_long] {
            assert_eq!(ledger.check(&id(name, name)), Err(Fault::Name));
        }
    }
}
