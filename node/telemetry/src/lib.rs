//! Figures that a running server keeps of itself, without locks: durations, and heartbeats of its loops.
//!
//! Nothing here knows how figures are shown or requested. Begin with [`histogram`], which scrapes read; health checks
//! read [`watchdog`].

#![forbid(unsafe_code)]

pub mod histogram;
pub mod watchdog;
