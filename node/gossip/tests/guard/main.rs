//! What the guard of gossip lets through, and what not.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod any_bytes;
mod engines;
mod faults;
mod forge;
mod honest;
mod left_out;
mod memory;
