//! Whether every port of a herd is free.

use super::LocalError;
use super::error::TakenPort;
use herd_server::listeners::{self, Listen, Purpose};
use herd_topology::Topology;

/// Binds every port of every server once, all of them at a time, and gives them back. Must run
/// inside a tokio runtime.
///
/// # Errors
/// Every port that cannot be bound, with its server and its purpose.
pub(super) fn check(topology: &Topology) -> Result<(), LocalError> {
    let mut held = Vec::new();
    let mut taken = Vec::new();
    for server in topology.servers() {
        for (purpose, address) in [
            (Purpose::Clients, &server.client),
            (Purpose::Peers, &server.peer),
            (Purpose::Http, &server.http),
        ] {
            match listeners::bind(purpose, Listen::from(address)) {
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
