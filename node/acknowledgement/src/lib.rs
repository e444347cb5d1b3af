//! When a client may be told that its report was taken in.
//!
//! A report is in the map at once. What it takes for the reply to go out is the server's
//! [`AckLevel`]. Everything works by rounds of the publisher: each round writes what was reported
//! before it began to the disk and to gossip, so a report is as safe as the next round that begins
//! after it.
//!
//! Nothing here writes, sends or reads a clock: it counts what others say that they did. Begin with
//! [`Acknowledgements`], which hands out a [`Ticket`] for a round and says when the round is safe enough.

#![forbid(unsafe_code)]

mod acknowledgements;
mod level;
mod rounds;

pub use acknowledgements::{AckFigures, Acknowledgements, Begun, Ticket, Unconfirmed};
pub use level::AckLevel;
pub use rounds::{PeerProgress, Written};
