//! What a running server counts of itself, without locks: durations and signs of life.
//!
//! Nothing here knows how figures are shown or asked for. Begin with [`histogram`], which scrapes read; [`pulse`] is
//! the heartbeat of each loop, which health checks read.

#![forbid(unsafe_code)]

pub mod histogram;
pub mod marks;
pub mod pulse;
