//! A link ends, or goes silent in one direction.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame};

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let (a, b) = frame.links[rng.random_range(0..frame.links.len())];
    let (from, to) = if rng.random() { (a, b) } else { (b, a) };
    let fault = match rng.random() {
        true => Fault::Cut { from, to },
        false => Fault::Silence { from, to },
    };
    let time = frame.time(rng);
    vec![(Duration::ZERO, fault), (time, Fault::Join { from, to })]
}
