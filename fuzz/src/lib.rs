//! What any bytes may do to every boundary of herd.
//!
//! Each [`Target`] takes bytes as a stranger could send them and must neither panic nor hang; where there is a law,
//! such as "what is written is read again", it checks that too. [`short_run`] changes the inputs of a target's corpus
//! by chance that is the same every time, as a test; [`long_run`] does so with a chance of its own for as long as it
//! is told, and goes on from what it made (docs/security.md says how).

#![expect(clippy::panic, reason = "a target fails by panicking")]

mod chance;
mod corpus;
mod mutation;
mod runs;
mod targets;

pub use corpus::corpus;
pub use runs::{long_run, short_run};
pub use targets::{TARGETS, Target};
