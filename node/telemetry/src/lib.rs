//! Figures that a running server keeps of itself, without locks: durations, heartbeats of its loops, reached branches.
//!
//! Nothing here knows how figures are shown or requested. Begin with [`histogram`], which scrapes read; health checks
//! read [`watchdog`].

#![forbid(unsafe_code)]

pub mod histogram;
pub mod marks;
pub mod watchdog;
