//! Clients report to one server faster than its neighbours take it in: everything reaches them late for a while.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Drawn, Fault, Frame, Position, Report};

/// So many reports, each in a group of its own,
const REPORTS: u32 = 400;

/// from one to the next.
const GAP: Duration = Duration::from_millis(6);

/// Everything reaches the neighbours so late.
const DELAY_MS: std::ops::Range<u64> = 0..2_500;

/// To this server, whose neighbours suffer.
pub(in super::super) fn flood(
    rng: &mut SmallRng,
    server: Position,
    neighbours: &[Position],
    frame: Frame<'_>,
) -> Drawn {
    let mut faults = Vec::new();
    for &neighbour in neighbours {
        let time = Duration::from_millis(rng.random_range(DELAY_MS));
        for (at, time) in [(Duration::ZERO, time), (GAP * REPORTS, Duration::ZERO)] {
            let delay = Fault::Delay {
                server: neighbour,
                time,
            };
            faults.push((at, delay));
        }
    }
    let reports = (0..REPORTS).map(|number| {
        let report = Report {
            server,
            client: number % 16,
            time: frame.present(number),
            zeros: 0,
            latitude: rng.random_range(-4..=4),
            forgets: rng.random_bool(0.1),
            received_ns: 0,
        };
        (GAP * number, report)
    });
    Drawn {
        kind: "flood",
        faults,
        reports: reports.collect(),
    }
}
