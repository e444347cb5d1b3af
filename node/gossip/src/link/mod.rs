//! Links between servers: one TCP connection for each edge of the topology, on a port of its own.
//!
//! Of the two servers of an edge the earlier one of the topology connects ([`dial`]) and the later one accepts
//! ([`accept`]), both through a [`network`], which may be one of TLS ([`tls_network`]). In a [`handshake`] each side says a
//! [`hello`] or a [`refusal`], in a [`frame`] each; [`offer`] decides which version of the link protocol the two speak.
//! Then both sides run the same [`session`].

pub mod accept;
pub mod closed_counts;
pub mod counts;
pub mod dial;
pub mod frame;
pub mod handshake;
pub mod handshake_error;
pub mod hello;
pub mod network;
pub mod offer;
pub mod refusal;
pub mod session;
pub mod tls_network;
