//! The plan of a measurement, checked.

use std::time::Duration;

use crate::plan::InvalidPlan;

/// The most reports of one run: each leaves a client behind in the servers.
const REPORTS_MAX: f64 = 10_000_000.0;

/// Reports at some servers, watched at all others.
#[derive(Clone, Debug)]
pub struct ConvergencePlan {
    /// The servers, as `HOST:PORT`.
    pub servers: Vec<String>,
    /// Those at which reports are made, by their place in `servers`.
    pub report_at: Vec<usize>,
    /// Reports a second, at all of them together.
    pub rate: f64,
    /// How long reports are made.
    pub duration: Duration,
    /// The time between two questions for the same client at the same server.
    pub poll: Duration,
    /// The time after which a record counts as never arriving.
    pub give_up: Duration,
}

impl ConvergencePlan {
    /// Checks all of it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), InvalidPlan> {
        let bound = |what, holds: bool, bounds: &str| {
            let bounds = bounds.to_owned();
            let error = || InvalidPlan::OutOfBounds { what, bounds };
            if holds { Ok(()) } else { Err(error()) }
        };
        bound("--to", self.servers.len() >= 2, "two servers or more")?;
        let known = self
            .report_at
            .iter()
            .all(|&place| place < self.servers.len());
        bound(
            "--report-at",
            known && !self.report_at.is_empty(),
            "some of the servers of --to",
        )?;
        bound(
            "--rate",
            self.rate > 0.0 && self.rate <= 100_000.0,
            "above 0, at most 100000",
        )?;
        let reports = self.rate * self.duration.as_secs_f64();
        let few = (1.0..=REPORTS_MAX).contains(&reports);
        bound("--rate times --duration", few, "from 1 to 10000000 reports")?;
        let poll = Duration::from_micros(50)..=Duration::from_secs(1);
        bound("--poll", poll.contains(&self.poll), "from 50us to 1s")?;
        let give_up = Duration::from_millis(1)..=Duration::from_secs(3600);
        bound(
            "--give-up",
            give_up.contains(&self.give_up),
            "from 1ms to 1h",
        )
    }

    /// How many reports the server of this place in `report_at` gets.
    #[must_use]
    pub(super) fn reports_of(&self, place: usize) -> u64 {
        let all = (self.rate * self.duration.as_secs_f64()) as u64;
        let servers = self.report_at.len().max(1) as u64;
        all / servers + u64::from((place as u64) < all % servers)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    type Breaks = fn(&mut ConvergencePlan);

    pub(in crate::convergence) fn plan() -> ConvergencePlan {
        ConvergencePlan {
            servers: ["a:1", "b:1", "c:1"].map(str::to_owned).into(),
            report_at: vec![0, 1],
            rate: 5.0,
            duration: Duration::from_secs(3),
            poll: Duration::from_millis(1),
            give_up: Duration::from_secs(1),
        }
    }

    #[test]
    fn reports_are_divided_without_rest() {
        assert_eq!([0, 1].map(|place| plan().reports_of(place)), [8, 7]);
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(plan().check(), Ok(()));
        let broken: [(&str, Breaks); 6] = [
            ("--to", |plan| plan.servers.truncate(1)),
            ("--report-at", |plan| plan.report_at = vec![3]),
            ("--rate", |plan| plan.rate = 0.0),
            ("--rate times", |plan| plan.duration = Duration::ZERO),
            ("--poll", |plan| plan.poll = Duration::ZERO),
            ("--give-up", |plan| plan.give_up = Duration::ZERO),
        ];
        for (named, breaks) in broken {
            let mut plan = plan();
            breaks(&mut plan);
            let error = plan.check().unwrap_err().to_string();
            assert!(error.starts_with(named), "{named}: {error}");
        }
    }
}
