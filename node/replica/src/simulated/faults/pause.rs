//! A process stands still, as after SIGSTOP or on a host that is starved.

use std::time::Duration;

use rand::rngs::SmallRng;

use super::{Fault, Frame};

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let server = frame.server(rng);
    let time = frame.time(rng);
    vec![
        (Duration::ZERO, Fault::Pause(server)),
        (time, Fault::Resume(server)),
    ]
}
