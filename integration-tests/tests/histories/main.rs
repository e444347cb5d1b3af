//! Histories of herds of real processes, from seeds, and whether they may be so: `docs/testing.md`.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod books;
mod ending;
mod nemesis;
mod reporters;
mod run;
mod seeds;
