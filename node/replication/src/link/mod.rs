//! Links between servers: one TCP connection for each edge of the topology, on a port of its own.
//!
//! Of the two servers of an edge the earlier one of the topology connects ([`dial`]) and the later
//! one accepts ([`accept`]), both through a [`network`], which may be one of TLS ([`tls_network`]). After a
//! [`handshake`] both sides run the same [`session`], which carries [`frame`]s.

pub mod accept;
pub mod closed_counts;
pub mod dial;
pub mod frame;
pub mod handshake;
pub mod network;
pub mod session;
pub mod tls_network;
