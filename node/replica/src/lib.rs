//! The decisions of replication, as values that take events and the time, and give effects: without runtime, lock or
//! clock. What waits, sends and locks is a driver: `herd-replication` is that of a server, and `simulated` that of the
//! tests here.
//!
//! Each of four values belongs to one task, so that none waits for another: [`receiving`] merges the groups of others and
//! looks after the records of the dead, [`publishing`] puts this server's records into slots, [`pacing`] chooses the moment
//! of a push or a round, and [`life`] decides about the next incarnation. Begin with [`receiving`].
//!
//! The other modules are what these consist of, and the words that servers tell each other: [`report`], [`link_words`] and
//! [`settlement`]. How these words travel is up to `herd-gossip`.

#![forbid(unsafe_code)]

pub mod adoption;
pub mod backlog;
pub mod backoff;
pub mod backpressure;
pub mod baseline;
pub mod changes;
pub mod clocks;
pub mod engine_error;
pub mod erasure;
mod given_up;
pub mod held_groups;
mod kept_groups;
pub mod known_ids;
pub mod life;
pub mod link_words;
pub mod membership;
pub mod pacing;
mod publish_gap;
pub mod publishing;
pub mod push;
pub mod rank;
pub mod readiness;
pub mod receiving;
pub mod report;
pub mod settlement;
#[cfg(test)]
mod simulated;
pub mod status;
pub mod store;
pub mod store_feed;
mod succession;
#[cfg(test)]
mod testing;
pub mod timing;
pub mod verdict;

use herd_topology::incarnation;
