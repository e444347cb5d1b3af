//! Links between servers: one TCP connection for each edge of the topology, on a port of its own.
//!
//! Of the two servers of an edge the earlier one of the topology connects ([`dial`]) and the later
//! one accepts ([`accept`]), both through a [`herd_gossip::link::network`]. After a [`handshake`] both sides run the same
//! [`session`]. Frames and what a handshake says are in [`herd_gossip::link`].

pub mod accept;
pub mod dial;
pub mod handshake;
pub mod session;

pub(crate) use herd_gossip::link::{
    closed_counts, counts, frame, handshake_error, hello, network, offer, refusal,
};
