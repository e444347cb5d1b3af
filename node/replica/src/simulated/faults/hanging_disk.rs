//! A server starts, and its disk does not answer for a while: what it holds is read when it does.

use std::time::Duration;

use rand::rngs::SmallRng;

use super::{Fault, Frame};

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let server = frame.server(rng);
    let time = frame.time(rng);
    let down = frame.time(rng);
    vec![
        (Duration::ZERO, Fault::Crash(server)),
        (Duration::ZERO, Fault::Hang { server, time }),
        (down, Fault::Start(server)),
    ]
}
