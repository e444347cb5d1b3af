//! A server starts, and its disk does not answer for a while: what it holds is read when it does. Its wall clock may have
//! gone back meanwhile, as that of a machine that was off.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame};

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let server = frame.server(rng);
    let time = frame.time(rng);
    let down = frame.time(rng);
    let ahead_ms = -rng.random_range(0..3_600_000);
    let back = rng.random::<bool>();
    let back = back.then_some((Duration::ZERO, Fault::Clock { server, ahead_ms }));
    let faults = [
        (Duration::ZERO, Fault::Crash(server)),
        (Duration::ZERO, Fault::Hang { server, time }),
        (down, Fault::Start(server)),
    ];
    faults.into_iter().chain(back).collect()
}
