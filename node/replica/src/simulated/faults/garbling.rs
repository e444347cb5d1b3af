//! Groups are garbled on their way from one server to another, as by a fault in the memory of a machine.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame};

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let (a, b) = frame.links[rng.random_range(0..frame.links.len())];
    let (from, to) = if rng.random() { (a, b) } else { (b, a) };
    let time = frame.time(rng);
    vec![
        (Duration::ZERO, Fault::Garble { from, to }),
        (time, Fault::PassWhole { from, to }),
    ]
}
