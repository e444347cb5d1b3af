//! Replication over the fixed topology: what a server publishes, how it reaches the others, and who
//! publishes what a dead server no longer can.
//!
//! `replica` decides, as values without runtime, lock or clock; `driver` runs these values as tokio tasks. [`engine`]
//! wraps chitchat, the gossip engine. Its messages travel over our own links ([`link`]), one TCP connection for each edge
//! of the topology. [`storing`] reads and writes the store. [`run`] keeps all that alive, one incarnation after the
//! other: begin there.
//!
//! Messages between servers are in [`herd_gossip`]; this crate opens no socket by itself.

#![forbid(unsafe_code)]

mod admission;
pub mod adoption;
mod backlog;
pub mod backoff;
pub mod backpressure;
mod baseline;
pub mod chance;
pub mod clocks;
mod driver;
pub mod engine;
pub mod expiry_views;
mod fifo_watch;
pub mod figures;
mod given_up;
mod held_groups;
pub mod identity;
mod kept_groups;
pub mod link;
pub mod links;
pub mod membership;
pub mod neighbour;
mod parts;
mod publish_gap;
mod push;
pub mod rank;
pub mod reach;
pub mod readiness;
mod replica;
mod rounds;
pub mod run;
mod settlement;
mod socket;
pub mod status;
mod store_feed;
pub mod store_handle;
pub mod stored_floor;
mod stored_groups;
pub mod storing;
mod succession;
mod syn_ack;
pub mod timing;
pub mod view;

use herd_gossip::{
    digests, guard, inbound, join_pace, known_ids, link_words, queue, report, slot_value,
};
pub use herd_topology::incarnation;
