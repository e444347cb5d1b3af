//! Gossip between servers, as far as it needs no server: what their messages may hold, how these are framed, and which
//! connections carry them.
//!
//! Begin with [`link::frame`] for what crosses a connection, and with [`guard`] for what a neighbour's message has to pass
//! before chitchat, the gossip engine, sees it. [`report`] and [`link_words`] are messages of our own.
//!
//! This crate decides nothing about records: who publishes, adopts or buries them is replication's.

#![forbid(unsafe_code)]

pub mod digests;
pub mod guard;
pub mod inbound;
pub mod join_pace;
pub mod known_ids;
pub mod link;
pub mod link_words;
pub mod queue;
pub mod report;
pub mod slot_value;
pub mod timing;

use herd_topology::incarnation;
