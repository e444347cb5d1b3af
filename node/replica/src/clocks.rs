//! What the neighbours' clocks say of ours. Nothing is decided by it but whether this server says
//! that it is ready: records are never compared with a clock.

use std::collections::BTreeSet;
use std::time::Duration;

use herd_crdt::ServerName;
use tracing::{info, warn};

/// How our clock compares with those of the neighbours that are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockView {
    /// Neighbours whose clock is known.
    pub heard: usize,
    /// Those of them whose clock differs from ours by more than the allowed skew.
    pub apart: usize,
    /// The greatest difference, in ns: their clock less ours.
    pub greatest_offset_ns: i64,
}

impl ClockView {
    /// Whether most neighbours disagree with our clock: then it is probably ours that is wrong.
    #[must_use]
    pub fn most_disagree(&self) -> bool {
        2 * self.apart > self.heard
    }
}

/// Remembers whose clock is apart, so that a change is logged once.
#[derive(Debug, Default)]
pub struct ClockWatch {
    apart: BTreeSet<ServerName>,
}

impl ClockWatch {
    /// Takes in the neighbours' clocks less ours, in ns; `None` for one that is not connected.
    pub fn look<'a>(
        &mut self,
        offsets: impl Iterator<Item = (&'a ServerName, Option<i64>)>,
        allowed_skew: Option<Duration>,
    ) -> ClockView {
        let mut view = ClockView::default();
        let allowed_ns = allowed_skew.map_or(u128::MAX, |skew| skew.as_nanos());
        for (neighbour, offset_ns) in offsets {
            let Some(offset_ns) = offset_ns else {
                self.apart.remove(neighbour);
                continue;
            };
            view.heard += 1;
            if offset_ns.unsigned_abs() > view.greatest_offset_ns.unsigned_abs() {
                view.greatest_offset_ns = offset_ns;
            }
            if u128::from(offset_ns.unsigned_abs()) <= allowed_ns {
                if self.apart.remove(neighbour) {
                    info!(%neighbour, "its clock and ours agree again");
                }
                continue;
            }
            view.apart += 1;
            if self.apart.insert(neighbour.clone()) {
                warn!(
                    %neighbour,
                    ahead_s = offset_ns / 1_000_000_000,
                    "its clock and ours differ by more than the allowed skew; one of them is wrong"
                );
            }
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    #[test]
    fn most_of_the_neighbours_that_are_heard_decide() {
        let names: Vec<ServerName> = ["Hill", "Jaquez", "Smith"].map(Into::into).to_vec();
        let mut watch = ClockWatch::default();
        let mut look = |offsets: [Option<i64>; 3]| {
            let skew = Some(Duration::from_secs(2));
            watch.look(names.iter().zip(offsets), skew)
        };
        let view = look([None, None, None]);
        assert_eq!((view, view.most_disagree()), (ClockView::default(), false));
        let view = look([Some(3 * SECOND_NS), Some(-2 * SECOND_NS), None]);
        assert_eq!((view.heard, view.apart), (2, 1));
        assert!(!view.most_disagree(), "one of two is not most");
        let view = look([Some(3 * SECOND_NS), Some(-2 * SECOND_NS - 1), Some(0)]);
        assert_eq!(view.greatest_offset_ns, 3 * SECOND_NS);
        assert!(view.most_disagree());
        assert_eq!(look([Some(i64::MIN), Some(i64::MAX), Some(0)]).apart, 2);
        assert_eq!(look([Some(0), Some(1), Some(0)]).apart, 0);
    }

    #[test]
    fn without_a_limit_no_clock_is_apart() {
        let hill: ServerName = "Hill".into();
        let view = ClockWatch::default().look([(&hill, Some(i64::MAX))].into_iter(), None);
        assert_eq!((view.heard, view.apart), (1, 0));
    }
}
