//! A disk is slow, and its server ends in the middle of that, where processes may: what was not synced is lost then.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame};

/// A sync takes so long.
const SYNC_MS: std::ops::Range<u64> = 100..4_000;

/// A server that ends is down for so long.
const DOWN: Duration = Duration::from_secs(1);

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>, crashes: bool) -> Vec<(Duration, Fault)> {
    let server = frame.server(rng);
    let time = Duration::from_millis(rng.random_range(SYNC_MS));
    let lasts = frame.time(rng);
    let fast = Duration::ZERO;
    let mut faults = vec![
        (Duration::ZERO, Fault::Slow { server, time }),
        (lasts, Fault::Slow { server, time: fast }),
    ];
    if crashes {
        faults.extend([
            (lasts / 2, Fault::Crash(server)),
            (lasts / 2 + DOWN, Fault::Start(server)),
        ]);
    }
    faults
}
