//! A process ends again and again soon after its start: each start is an incarnation, and in each life a client reports
//! to it. So there are more incarnations than gossip may know, and each of them is the last to have published something.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame, Report};

/// So many starts in a row.
const STARTS: u32 = 60;

/// From one to the next.
const LIFE_MS: std::ops::Range<u64> = 200..1_000;

/// Its client reports so long after each start.
const REPORTS_AFTER: Duration = Duration::from_millis(60);

pub(super) fn draw(
    rng: &mut SmallRng,
    frame: Frame<'_>,
    reports: &mut Vec<(Duration, Report)>,
) -> Vec<(Duration, Fault)> {
    let server = frame.server(rng);
    let mut at = Duration::ZERO;
    let mut faults = Vec::new();
    for number in 0..STARTS {
        faults.push((at, Fault::Crash(server)));
        at += Duration::from_millis(50);
        faults.push((at, Fault::Start(server)));
        let report = Report {
            server,
            client: 1_000 + number,
            time: frame.present(number),
            zeros: 0,
            latitude: 0,
            forgets: false,
            received_ns: 0,
        };
        reports.push((at + REPORTS_AFTER, report));
        at += Duration::from_millis(rng.random_range(LIFE_MS));
    }
    faults
}
