//! A process ends again and again soon after its start: each start is an incarnation.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame};

/// So many starts in a row.
const STARTS: u32 = 40;

/// From one to the next.
const LIFE_MS: std::ops::Range<u64> = 300..3_000;

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let server = frame.server(rng);
    let mut at = Duration::ZERO;
    let mut faults = Vec::new();
    for _ in 0..STARTS {
        faults.push((at, Fault::Crash(server)));
        at += Duration::from_millis(50);
        faults.push((at, Fault::Start(server)));
        at += Duration::from_millis(rng.random_range(LIFE_MS));
    }
    faults
}
