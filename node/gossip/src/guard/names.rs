//! The names and addresses that ids may have.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use herd_crdt::ServerName;

use super::fault::Fault;
use super::wire::RawId;
use herd_topology::{gossip_address, is_name};

/// The servers of the topology with their addresses, which follow from their names. Servers of another topology may be
/// spoken of as well, while a herd's is changed server by server.
#[derive(Debug)]
pub(super) struct Names(BTreeMap<ServerName, SocketAddr>);

impl Names {
    pub(super) fn new(servers: &[ServerName]) -> Self {
        let addresses = servers
            .iter()
            .map(|name| (name.clone(), gossip_address(name)));
        Names(addresses.collect())
    }

    /// Whether a server can have this id at all.
    pub(super) fn check(&self, id: &RawId<'_>) -> Result<(), Fault> {
        let address = match self.0.get(id.name) {
            Some(address) => *address,
            None if is_name(id.name) => gossip_address(id.name),
            None => return Err(Fault::Name),
        };
        if id.address == address {
            Ok(())
        } else {
            Err(Fault::Address)
        }
    }

    /// The name as this server holds it, which costs no memory; `None` if no server can have it.
    pub(super) fn get(&self, name: &str) -> Option<ServerName> {
        match self.0.get_key_value(name) {
            Some((name, _)) => Some(name.clone()),
            None => is_name(name).then(|| name.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(&["Hill".into(), "Smith".into()])
    }

    #[test]
    fn an_id_is_a_name_and_the_address_of_that_name() {
        let names = names();
        let id = |name, address: &str| RawId {
            name,
            generation: 1,
            address: gossip_address(address),
        };
        assert_eq!(names.check(&id("Hill", "Hill")), Ok(()));
        assert_eq!(names.check(&id("Moved", "Moved")), Ok(()));
        assert_eq!(names.check(&id("Hill", "Smith")), Err(Fault::Address));
        assert_eq!(names.check(&id("Moved", "Hill")), Err(Fault::Address));
        let too_long = "n".repeat(65);
        for name in ["", "a b", &too_long] {
            assert_eq!(names.check(&id(name, name)), Err(Fault::Name));
        }
    }

    #[test]
    fn names_are_those_that_servers_can_have() {
        let names = names();
        assert_eq!(names.get("Hill").as_deref(), Some("Hill"));
        assert_eq!(names.get("Moved").as_deref(), Some("Moved"));
        assert_eq!(names.get("no name"), None);
        assert_eq!(names.get(""), None);
    }
}
