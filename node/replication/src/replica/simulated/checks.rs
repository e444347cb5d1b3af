//! What must be true of a simulated herd once it is whole and quiet.

use std::collections::BTreeMap;

use herd_crdt::{Publication, Record};

use super::herd::Herd;
use super::server::Server;

/// The record of each client that a server answers with.
fn map_of(herd: &Herd, server: &Server) -> BTreeMap<Vec<u8>, Record> {
    let clients = herd.reported.keys();
    clients
        .filter_map(|client| Some((client.clone(), server.map.find(client)?)))
        .collect()
}

/// All servers hold the same, of what was reported, and each record has one publisher.
///
/// # Errors
/// What is not so.
pub(super) fn is_settled(herd: &Herd) -> Result<(), String> {
    let servers: Vec<&Server> = herd.servers.iter().flatten().collect();
    let first = map_of(herd, servers[0]);
    for server in &servers {
        let map = map_of(herd, server);
        if map != first {
            return Err(format!("{} and {} disagree", servers[0].name, server.name));
        }
    }
    for (client, record) in &first {
        if !herd.reported[client].contains(record) {
            return Err(format!("nobody reported {record:?}"));
        }
        let publishers = servers.iter().filter(|server| {
            let publication = server.map.publication(client);
            matches!(publication, Some((Publication::InSlot(_), _)))
        });
        let publishers: Vec<_> = publishers.map(|server| &*server.name).collect();
        if publishers.len() != 1 {
            return Err(format!("{publishers:?} publish {record:?}"));
        }
    }
    Ok(())
}

/// Every client has the greatest of its reports: to be asked where no process has ended.
///
/// # Errors
/// A record that is lost.
pub(super) fn nothing_is_lost(herd: &Herd) -> Result<(), String> {
    let servers = herd.servers.iter().flatten();
    for server in servers {
        for (client, records) in &herd.reported {
            let greatest = records.iter().max_by(|a, b| a.order(b));
            if server.map.find(client).as_ref() != greatest {
                return Err(format!("{} lacks {greatest:?}", server.name));
            }
        }
    }
    Ok(())
}
