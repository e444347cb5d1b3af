//! The decisions of replication, as values that take events and the time, and give effects: without runtime, lock or
//! clock. The drivers (`crate::driver`, and `simulated` in tests) wait, send and lock.
//!
//! Each value belongs to one task, so that none waits for another: [`receiving`] merges the groups of others,
//! [`publishing`] puts this server's records into slots, [`pacing`] chooses the moment of a push or a round, and [`life`]
//! decides about the next incarnation.

pub(crate) mod life;
pub(crate) mod pacing;
pub(crate) mod publishing;
pub(crate) mod receiving;
#[cfg(test)]
mod simulated;
