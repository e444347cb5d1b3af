//! What comes true of a herd once it is whole and quiet.

use std::collections::BTreeMap;

use herd_crdt::Publication;

use super::super::herd::Herd;
use super::super::server::Server;
use super::order::words;

/// The record of each client that a server answers with, word for word, but for those below a floor.
fn map_of(herd: &Herd, server: &Server, floor_ns: i64) -> BTreeMap<Vec<u8>, String> {
    let clients = herd.reported.keys();
    let found = clients.filter_map(|client| Some((client, server.map.held(client)?)));
    let found = found.filter(|(_, record)| record.time().ns() >= floor_ns);
    found
        .map(|(client, record)| (client.clone(), words(&record)))
        .collect()
}

/// All servers that are up hold the same, of what was reported, and each record has one publisher.
///
/// # Errors
/// What is not so.
pub(in super::super) fn is_settled(herd: &Herd) -> Result<(), String> {
    let servers: Vec<&Server> = herd.servers.iter().flatten().collect();
    // A server that has started lately may forget later than others.
    let floors = servers.iter().map(|server| server.map.floor_ns());
    let floor_ns = floors.max().unwrap_or(i64::MIN);
    let first = map_of(herd, servers[0], floor_ns);
    for server in &servers {
        let map = map_of(herd, server, floor_ns);
        let clients = first.keys().chain(map.keys());
        let mut apart = clients.filter(|client| first.get(*client) != map.get(*client));
        if let Some(client) = apart.next() {
            let [one, other] = [&first, &map].map(|map| map.get(client));
            let names = (&servers[0].name, &server.name);
            return Err(format!("{names:?} disagree: {one:?} and {other:?}"));
        }
    }
    for (client, record) in &first {
        if !herd.reported[client]
            .iter()
            .any(|heard| words(heard) == *record)
        {
            return Err(format!("nobody reported {record}"));
        }
        let publishers = servers.iter().filter(|server| {
            let publication = server.map.publication(client);
            matches!(publication, Some((Publication::InSlot(_), _)))
        });
        let publishers: Vec<_> = publishers.map(|server| &*server.name).collect();
        if publishers.len() != 1 {
            return Err(format!("{publishers:?} publish {record}"));
        }
    }
    Ok(())
}
