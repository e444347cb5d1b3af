//! The result.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::plan::ConvergencePlan;
use super::sightings::{SLICES, State, WaySightings};
use crate::latency::{Latencies, Percentiles};
use crate::table::{LATENCY_HEAD, grouped, latency_columns};

/// The delays of reports to the other servers, as `--json` prints them.
#[derive(Clone, Debug, Serialize)]
pub struct ConvergenceReport {
    /// The servers.
    pub servers: Vec<String>,
    /// Reports a second.
    pub rate: f64,
    /// How long reports were made, in seconds.
    pub duration_s: f64,
    /// How often a server was asked for the same record, as the time between, in milliseconds.
    pub poll_ms: f64,
    /// How many reports were made.
    pub reports: u64,
    /// All records at all other servers.
    pub all: SeenReport,
    /// From each server to each other one.
    pub pairs: Vec<PairReport>,
    /// The parts of the run, by when a report was sent.
    pub slices: Vec<SliceReport>,
    /// Reports that were refused.
    pub refused: u64,
    /// Connections that failed, and attempts to open them that did.
    pub connections_failed: u64,
    /// The first few errors, in words.
    pub samples: Vec<String>,
    /// Whether it was stopped before its time.
    pub stopped_early: bool,
}

/// How long records took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SeenReport {
    /// Records that arrived.
    pub count: u64,
    /// Records that did not arrive in time.
    pub never: u64,
    /// From sending the report until the other server answered with it.
    pub latency: Percentiles,
}

/// From one server to another.
#[derive(Clone, Debug, Serialize)]
pub struct PairReport {
    /// The server that got the reports.
    pub from: String,
    /// The server that was asked.
    pub to: String,
    /// The delays.
    #[serde(flatten)]
    pub seen: SeenReport,
}

/// One part of the run.
#[derive(Clone, Debug, Serialize)]
pub struct SliceReport {
    /// Its begin, in seconds since the run began.
    pub from_s: f64,
    /// Its end.
    pub to_s: f64,
    /// The delays of the reports sent in it.
    #[serde(flatten)]
    pub seen: SeenReport,
}

impl SeenReport {
    fn of(seen: &WaySightings) -> Self {
        SeenReport {
            count: seen.latencies.len(),
            never: seen.never,
            latency: seen.latencies.percentiles(),
        }
    }
}

impl ConvergenceReport {
    /// Whether every record arrived and nothing failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.all.never == 0 && self.refused == 0 && self.connections_failed == 0
    }

    pub(super) fn new(plan: &ConvergencePlan, state: &State, stopped_early: bool) -> Self {
        let name = |server: usize| plan.servers.get(server).cloned().unwrap_or_default();
        let mut all = WaySightings {
            latencies: Latencies::new(),
            never: 0,
        };
        for seen in &state.slices {
            all.latencies.add(&seen.latencies);
            all.never += seen.never;
        }
        let pairs = state.pairs.iter().map(|(&(from, to), seen)| PairReport {
            from: name(from),
            to: name(to),
            seen: SeenReport::of(seen),
        });
        let duration_s = plan.duration.as_secs_f64();
        let slice_s = duration_s / SLICES as f64;
        let slices = (0_u32..)
            .zip(&state.slices)
            .map(|(number, seen)| SliceReport {
                from_s: slice_s * f64::from(number),
                to_s: slice_s * f64::from(number + 1),
                seen: SeenReport::of(seen),
            });
        ConvergenceReport {
            servers: plan.servers.clone(),
            rate: plan.rate,
            duration_s,
            poll_ms: plan.poll.as_secs_f64() * 1e3,
            reports: state.reports,
            all: SeenReport::of(&all),
            pairs: pairs.collect(),
            slices: slices.collect(),
            refused: state.refused,
            connections_failed: state.connections_failed,
            samples: state.samples.clone(),
            stopped_early,
        }
    }
}

impl Display for ConvergenceReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} reports at {} a second, other servers asked every {} ms",
            grouped(self.reports as f64),
            self.rate,
            self.poll_ms
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "from the report until another server answers with it, in ms:"
        )?;
        let head = "";
        writeln!(f, "{head:<44}  arrived   never {LATENCY_HEAD}")?;
        for pair in &self.pairs {
            let way = format!("{} to {}", pair.from, pair.to);
            write_seen(f, &way, &pair.seen)?;
        }
        write_seen(f, "all", &self.all)?;
        for slice in &self.slices {
            let part = format!("sent from {:.1} to {:.1} s", slice.from_s, slice.to_s);
            write_seen(f, &part, &slice.seen)?;
        }
        writeln!(f)?;
        if self.stopped_early {
            writeln!(f, "stopped early")?;
        }
        if self.is_clean() {
            return write!(f, "no errors");
        }
        write!(
            f,
            "ERRORS: {} records never arrived at a server, {} reports refused, {} failed connections",
            self.all.never, self.refused, self.connections_failed
        )?;
        for sample in &self.samples {
            write!(f, "\n  {sample}")?;
        }
        Ok(())
    }
}

fn write_seen(f: &mut Formatter<'_>, what: &str, seen: &SeenReport) -> fmt::Result {
    let latency = latency_columns(&seen.latency);
    writeln!(
        f,
        "{what:<44} {:>8} {:>7} {latency}",
        seen.count, seen.never
    )
}
