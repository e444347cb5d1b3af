//! Text that somebody else chose, made fit for people: see [`printable`].
//!
//! Nothing here reads or writes anything; it decides which characters stand for themselves.

#![forbid(unsafe_code)]

pub mod printable;
