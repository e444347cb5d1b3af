//! Replication over the fixed topology: what a server publishes, how it reaches the others, and who
//! publishes what a dead server no longer can.
//!
//! [`run`] starts everything: read it first. The module `replica` has the decisions as values, without runtime, lock or
//! clock: the receiver merges the groups of others and looks after the records of the dead ([`adoption`], burial), the
//! publisher turns pending records into delta groups in slots, a pacer chooses the moment at which a neighbour hears of
//! them, and a life decides about the next incarnation. The module `driver` runs these values as tasks.
//!
//! [`engine`] wraps chitchat, the gossip engine. Its messages travel over our own links ([`link`]), one TCP connection
//! per edge of the topology. All groups go to the store too ([`storing`]). Other parts of a server see replication
//! through [`view`]. Messages between servers are in [`herd_gossip`]; this crate opens no socket by itself.

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
mod erasure;
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
