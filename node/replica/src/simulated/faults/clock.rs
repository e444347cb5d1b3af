//! A wall clock jumps by up to an hour. Generations follow it.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame};

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let server = frame.server(rng);
    let ahead_ms = rng.random_range(-3_600_000..3_600_000);
    vec![(Duration::ZERO, Fault::Clock { server, ahead_ms })]
}
