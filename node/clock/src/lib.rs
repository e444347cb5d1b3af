//! Time as a value: the wall clock, and what may be used in a time.
//!
//! Nothing here reads a clock on its own account. Whoever needs the time is given a [`clock::WallClock`] or an
//! instant, so that tests and simulations decide what time it is. Begin with [`clock`]; [`allowance`] is the rate
//! limiter of everything that a stranger can ask for often.

#![forbid(unsafe_code)]

pub mod allowance;
pub mod clock;
