//! Most wall clocks run too fast, or too slowly, by the same part: as the clocks of virtual machines on one host do.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame};

/// By how many thousandths of the time clocks run too fast,
const GAINS: std::ops::RangeInclusive<i64> = 250..=500;

/// or too slowly, in one of so many seeds.
const SLOW_SEEDS: u32 = 4;

pub(in super::super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let gains = match rng.random_range(0..SLOW_SEEDS) {
        0 => -rng.random_range(GAINS),
        _ => rng.random_range(GAINS),
    };
    let right = frame.server(rng);
    let time = (frame.longest + frame.time(rng)) / 2;
    let servers = (0..frame.servers).filter(|&server| server != right);
    let drifts = servers.flat_map(|server| {
        let [begins, ends] = [gains, 0].map(|gains| Fault::Drift { server, gains });
        [(Duration::ZERO, begins), (time, ends)]
    });
    drifts.collect()
}
