//! What replication decides, as values that take what happened and the time, and give effects: without runtime, lock or
//! clock. The drivers (`crate::driver`) wait, send and lock.
//!
//! Each value belongs to one task, so that none waits for another: [`receiving`] decides what becomes of what others
//! publish, [`publishing`] what this server publishes when, [`pacing`] when a neighbour hears of it, and [`life`] what
//! comes after an incarnation.

pub(crate) mod life;
pub(crate) mod pacing;
pub(crate) mod publishing;
pub(crate) mod receiving;
#[cfg(test)]
mod simulated;
