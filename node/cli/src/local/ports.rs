//! Whether every port of a herd is free.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::answers;
use super::error::{LocalError, Neighbourhood, TakenPort};
use herd_server::listeners::{self, Listen, Purpose};
use herd_topology::Topology;

/// How far the ports of another herd are from those that are taken.
const NEXT_BASE: u16 = 100;

/// How long the search for the herd that holds the ports may take.
const SEARCH_WAIT_MAX: Duration = Duration::from_secs(2);

/// Binds every port of every server once, all of them at a time, and gives them back; `resp` are those for Redis clients.
/// `is_builtin` tells whether bases of ports can be chosen. Must run inside a tokio runtime.
///
/// # Errors
/// Every port that cannot be bound, with its server and its purpose, and the herd that has them if it is one.
pub(super) async fn check(
    topology: &Topology,
    resp: &[SocketAddr],
    is_builtin: bool,
) -> Result<(), LocalError> {
    let ports = taken(topology, resp);
    if ports.is_empty() {
        return Ok(());
    }
    // The ports of this check are free again: otherwise it would talk to itself.
    let search = async {
        for server in topology.servers() {
            let address = answers::http_address(server);
            if let Some((cluster, _)) = answers::who(address).await {
                return Some(Neighbourhood { cluster, address });
            }
        }
        None
    };
    let herd = timeout(SEARCH_WAIT_MAX, search).await.ok().flatten();
    let first = topology.servers().first().filter(|_| is_builtin);
    let next_base = first.and_then(|first| first.client.port.checked_add(NEXT_BASE));
    Err(LocalError::Ports {
        ports,
        herd,
        next_base,
    })
}

fn taken(topology: &Topology, resp: &[SocketAddr]) -> Vec<TakenPort> {
    let mut held = Vec::new();
    let mut taken = Vec::new();
    for (place, server) in topology.servers().iter().enumerate() {
        let mut ports = vec![
            (Purpose::Clients, Listen::from(&server.client)),
            (Purpose::Peers, Listen::from(&server.peer)),
            (Purpose::Http, Listen::from(&server.http)),
        ];
        let resp = resp.get(place);
        ports.extend(resp.map(|&address| (Purpose::Resp, Listen::Address(address))));
        for (purpose, listen) in ports {
            match listeners::bind(purpose, listen) {
                Ok(listener) => held.push(listener),
                Err(error) => taken.push(TakenPort {
                    server: server.name.clone(),
                    error,
                }),
            }
        }
    }
    taken
}
