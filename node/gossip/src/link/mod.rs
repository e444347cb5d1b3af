//! Links between servers: one TCP connection for each edge of the topology, on a port of its own.
//!
//! Both servers of an edge connect ([`dial`]) and accept ([`accept`]) through a [`network`], which may be one of TLS
//! ([`tls_network`]); [`crossing`] decides which of two connections is the link. In a [`handshake`] each side says a
//! [`hello`] or a [`refusal`], in a [`frame`] each; [`offer`] decides which version of the link protocol the two speak.
//! Then both sides run the same [`session`].

pub mod accept;
pub mod closed_counts;
pub mod counts;
pub(crate) mod crossing;
pub mod dial;
pub(crate) mod ending;
pub mod frame;
pub mod handshake;
pub mod handshake_error;
pub mod hello;
pub mod network;
pub mod offer;
pub mod refusal;
pub mod session;
pub mod tls_network;
