//! The servers of a herd, their addresses, and the links between them.
//!
//! Everything but [`read`] is pure. A [`Topology`] that exists is valid: names are known and
//! unique, addresses are unique, and every server can be reached from every other. Begin with [`parse()`].

#![forbid(unsafe_code)]

mod address;
mod builtin;
mod error;
mod file;
mod gossip_address;
mod graph;
pub mod incarnation;
mod parse;

pub use address::{Host, HostPort, InvalidAddress};
pub use builtin::{
    CLIENT_PORT_BASE, HTTP_PORT_BASE, InvalidPortBases, PEER_PORT_BASE, PortBases, builtin,
};
pub use error::{TopologyError, TopologyProblem};
pub use file::{TopologyFileError, read};
pub use gossip_address::gossip_address;
pub use graph::{Link, Server, Topology};
pub use incarnation::Incarnation;
pub use parse::{NAME_BYTES_MAX, SERVERS_MAX, TOPOLOGY_BYTES_MAX, is_name, parse};
