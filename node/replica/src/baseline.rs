//! What a neighbour knew that a server has to have before it is ready.

use super::report::AppliedReport;
use super::settlement::{Settlement, Told};

/// How far this server is behind one neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// The neighbour holds what nobody live publishes, so no version says what is missing.
    Unsettled,
    /// So many versions are missing.
    Versions(u64),
}

/// What a neighbour knew at a time: as soon as it told what it knows, if all of that was published by somebody live;
/// else, when it first was.
#[derive(Debug)]
pub struct Baseline {
    report: AppliedReport,
    /// The neighbour had told by then that somebody live publishes all that it holds.
    is_settled: bool,
}

impl Baseline {
    /// By the first report over a connection.
    pub fn new(report: AppliedReport) -> Self {
        Baseline {
            report,
            is_settled: false,
        }
    }

    /// How far `own`, a report of this server, is behind. `told` is what the neighbour told of its map, as far as that
    /// is merged here; `latest` is its latest report, and `version` that of its own state in it.
    ///
    /// A neighbour that is settled at one of its versions has all from publishers that it knew to be live by then, or
    /// published it before that version. So its first report from there on says which versions hold all of it.
    pub fn look(
        &mut self,
        own: &AppliedReport,
        latest: &AppliedReport,
        version: u64,
        told: Option<Told>,
    ) -> Behind {
        match told {
            Some(told) if told.settlement != Settlement::Settled || version < told.version => {
                self.is_settled = false;
                return Behind::Unsettled;
            }
            Some(_) if !self.is_settled => {
                self.is_settled = true;
                self.report = latest.clone();
            }
            // Settled as it was, or of a version that does not tell.
            Some(_) | None => {}
        }
        let missing = self.report.iter().map(|(incarnation, applied)| {
            // It may have forgotten one that is long dead, and then never sends it.
            let known = applied.merged.min(latest.of(incarnation).merged);
            known.saturating_sub(own.of(incarnation).merged)
        });
        Behind::Versions(missing.fold(0, u64::saturating_add))
    }
}

#[cfg(test)]
mod tests {
    use super::super::incarnation::Incarnation;
    use super::super::report::Applied;
    use super::*;

    fn report(versions: &[(&str, u64)]) -> AppliedReport {
        AppliedReport::new(versions.iter().map(|&(server, merged)| {
            let incarnation = Incarnation {
                server: server.into(),
                generation: 1,
            };
            let durable = 0;
            (incarnation, Applied { merged, durable })
        }))
    }

    fn told(settlement: Settlement, version: u64) -> Option<Told> {
        Some(Told {
            settlement,
            version,
        })
    }

    #[test]
    fn what_a_neighbour_adopts_later_is_waited_for() {
        let first = report(&[("Hill", 2), ("Smith", 5)]);
        let mut baseline = Baseline::new(first.clone());
        let mut look = |own: &AppliedReport, latest: &AppliedReport, told| {
            let hill = Incarnation {
                server: "Hill".into(),
                generation: 1,
            };
            baseline.look(own, latest, latest.of(&hill).merged, told)
        };
        let waiting = told(Settlement::Waiting, 2);
        assert_eq!(look(&first, &first, waiting), Behind::Unsettled);
        // It is settled since Smith has published more; and its report is older than that.
        let settled = told(Settlement::Settled, 3);
        assert_eq!(look(&first, &first, settled), Behind::Unsettled);
        let later = report(&[("Hill", 3), ("Smith", 9)]);
        assert_eq!(look(&first, &later, settled), Behind::Versions(1 + 4));
        // What it learns from then on does not count.
        let latest = report(&[("Hill", 7), ("Smith", 20)]);
        assert_eq!(look(&later, &latest, settled), Behind::Versions(0));
    }

    #[test]
    fn of_one_that_tells_nothing_the_first_report_counts() {
        let first = report(&[("Hill", 2), ("Smith", 5), ("Gone", 7)]);
        let mut baseline = Baseline::new(first);
        let latest = report(&[("Hill", 9), ("Smith", 9)]);
        let own = report(&[("Hill", 1)]);
        assert_eq!(
            baseline.look(&own, &latest, 9, None),
            Behind::Versions(1 + 5)
        );
    }
}
