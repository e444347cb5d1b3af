//! A server garbles groups on their way to its neighbours, as by a fault in the memory of its machine.

use std::time::Duration;

use rand::rngs::SmallRng;

use super::{Fault, Frame};

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let from = frame.server(rng);
    let time = frame.time(rng);
    let ends = frame.links.iter().filter_map(|&(a, b)| match from {
        _ if from == a => Some(b),
        _ if from == b => Some(a),
        _ => None,
    });
    let faults = ends.flat_map(|to| {
        [
            (Duration::ZERO, Fault::Garble { from, to }),
            (time, Fault::PassWhole { from, to }),
        ]
    });
    faults.collect()
}
