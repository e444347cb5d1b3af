//! Feeds any bytes to every boundary of herd.
//!
//! Each [`Target`] takes bytes as a stranger could send them and must neither panic nor hang; where there is a law,
//! such as "written values are read again", it checks that too. [`short_run`] changes the inputs of a target's corpus
//! with a fixed seed, as a test; [`long_run`] does so with a random seed for a given time, and varies its own inputs
//! too (docs/security.md says how).

#![expect(clippy::panic, reason = "a target fails by panicking")]

mod chance;
mod corpus;
mod mutation;
mod runs;
mod targets;

pub use corpus::corpus;
pub use runs::{long_run, short_run};
pub use targets::{TARGETS, Target};
