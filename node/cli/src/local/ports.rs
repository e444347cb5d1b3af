//! Whether every port of a herd is free.

use std::net::SocketAddr;

use super::LocalError;
use super::error::TakenPort;
use herd_server::listeners::{self, Listen, Purpose};
use herd_topology::Topology;

/// Binds every port of every server once, all of them at a time, and gives them back; `resp` are those for Redis clients.
/// Must run inside a tokio runtime.
///
/// # Errors
/// Every port that cannot be bound, with its server and its purpose.
pub(super) fn check(topology: &Topology, resp: &[SocketAddr]) -> Result<(), LocalError> {
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
    if taken.is_empty() {
        Ok(())
    } else {
        Err(LocalError::Ports(taken))
    }
}
