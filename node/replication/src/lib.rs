//! Replication over the fixed topology: what a server publishes, how it reaches the others, and who
//! publishes what a dead server no longer can.
//!
//! [`engine`] wraps chitchat, the gossip engine. Its messages travel over our own links ([`link`]),
//! one TCP connection per edge of the topology, when the [`pacer`] says so. [`publish`] turns what
//! the map has pending into delta groups in slots; [`receive`] merges what arrives, tells the
//! neighbours how far it got, tends to the records of the dead ([`adoption`], burial), and tells the herd
//! how the links of this server are ([`link_words`]).
//! What is published and learnt goes to the store too ([`storing`]). [`run`] keeps all that alive, one incarnation after the other.

#![forbid(unsafe_code)]

mod admission;
pub mod adoption;
mod backlog;
pub mod backoff;
pub mod backpressure;
mod baseline;
pub mod chance;
pub mod clocks;
mod digests;
mod driver;
pub mod engine;
pub mod expiry_views;
mod fifo_watch;
pub mod figures;
mod given_up;
pub mod guard;
mod held_groups;
pub mod identity;
mod inbound;
mod join_pace;
mod kept_groups;
mod known_ids;
pub mod link;
pub mod link_words;
pub mod links;
pub mod membership;
pub mod neighbour;
mod parts;
mod publish_gap;
mod push;
mod queue;
pub mod rank;
pub mod reach;
pub mod readiness;
mod replica;
pub mod report;
mod rounds;
pub mod run;
mod settlement;
pub mod slot_value;
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

pub use herd_topology::incarnation;
