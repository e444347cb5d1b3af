//! A process ends without warning, and is started again.

use std::time::Duration;

use rand::rngs::SmallRng;

use super::{Fault, Frame};

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let server = frame.server(rng);
    let time = frame.time(rng);
    vec![
        (Duration::ZERO, Fault::Crash(server)),
        (time, Fault::Start(server)),
    ]
}
