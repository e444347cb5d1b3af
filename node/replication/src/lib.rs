//! Replication: the replica of a server ([`herd_replica`]), driven by tasks with the map, gossip and the store.
//!
//! [`run`] starts everything: read it first. The module `driver` runs the values of the replica as tasks: it waits, sends
//! and locks, and decides nothing. [`storing`] reads and opens the store, to which all groups go too. Other parts of a
//! server see replication through [`view`].
//!
//! Messages between servers, and the links that carry them, are in [`herd_gossip`]; this crate opens no socket by itself.

#![forbid(unsafe_code)]

mod driver;
mod erasure;
pub mod expiry_views;
pub mod figures;
mod lasting;
mod parts;
pub mod reach;
pub mod run;
pub mod store_handle;
mod store_writer;
pub mod stored_floor;
mod stored_groups;
pub mod storing;
pub mod timing;
mod unneeded;
pub mod view;
pub mod watchdogs;

use herd_topology::incarnation;
