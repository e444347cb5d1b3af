//! Time as a value: the wall clock, and the rate limiter.
//!
//! Nothing here reads a clock on its own account. Code that needs the time is given a [`clock::WallClock`] or an
//! instant, so that tests and simulations set the time. Begin with [`clock`]; [`rate_limiter`] limits everything that a
//! stranger can request often.

#![forbid(unsafe_code)]

pub mod clock;
pub mod rate_limiter;
