//! When a client may be told that its report was accepted.
//!
//! A report is in the map at once. The server's [`AckLevel`] says how safe it must be before the reply goes out.
//! Everything works by rounds of the publisher: each round writes all reports of the time before it to the disk and to
//! gossip, so a report is as safe as the next round that begins after it.
//!
//! Nothing here writes, sends or reads a clock: the crate counts the rounds that others finish. Begin with
//! [`Acknowledgements`], which hands out a [`Ticket`] for a round and says when the round is safe enough.

#![forbid(unsafe_code)]

mod acknowledgements;
mod level;
mod rounds;

pub use acknowledgements::{AckFigures, Acknowledgements, Begun, Ticket, Unconfirmed};
pub use level::AckLevel;
pub use rounds::{PeerProgress, Written};
