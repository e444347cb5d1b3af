//! Gossip between servers: chitchat behind one type, what its messages may hold, and the links that carry them.
//!
//! [`engine`] wraps chitchat, the gossip engine. Its messages travel over our own links ([`links`], [`link`]), one TCP
//! connection for each edge of the topology. Begin with [`link::frame`] for what crosses a connection, and with [`guard`]
//! for what a neighbour's message has to pass before chitchat sees it.
//!
//! This crate decides nothing about records: who publishes, adopts or buries them is the replica's ([`herd_replica`]),
//! whose words this crate carries. It is the only one below `herd-server` that uses sockets of tokio, and the only one
//! that knows chitchat.

#![forbid(unsafe_code)]

mod admission;
pub mod digests;
pub mod engine;
pub mod entropy;
mod fifo_watch;
pub mod guard;
mod identity;
pub mod inbound;
pub mod join_pace;
pub mod link;
pub mod links;
pub mod neighbour;
pub mod queue;
pub mod rounds;
pub mod slot_value;
mod socket;
mod syn_ack;
pub mod timing;

use herd_topology::incarnation;
