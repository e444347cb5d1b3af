//! How long a report takes to the other servers of a herd.
//!
//! Reports of new clients go out at a fixed rate, at chosen servers in turn. Every other server is asked
//! for each of them, over and over, until it answers; the time from sending the report until that
//! answer is measured. It includes half a gap between two questions on average, and their way.

mod conversation;
mod plan;
mod report;
mod reporter;
mod sightings;
mod watcher;

use std::rc::Rc;

use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::plan::ConvergencePlan;
pub use self::report::{ConvergenceReport, PairReport, SeenReport, SliceReport};
use self::reporter::Reporter;
use self::sightings::Sightings;
use self::watcher::Watcher;
use super::error::BenchError;
use herd_clock::clock::{SystemClock, WallClock};

/// Measures until the plan's time is over or until `stop`, then waits for the last records.
///
/// # Errors
/// See [`BenchError`]. Connections lost later and records that never arrived are counted in the result.
pub async fn run(
    plan: ConvergencePlan,
    stop: CancellationToken,
) -> Result<ConvergenceReport, BenchError> {
    plan.check()?;
    let plan = Rc::new(plan);
    LocalSet::new().run_until(measure(plan, stop)).await
}

async fn measure(
    plan: Rc<ConvergencePlan>,
    stop: CancellationToken,
) -> Result<ConvergenceReport, BenchError> {
    // New in every run: no server may know a client of it before it is reported.
    let run_id = SystemClock.now_ns();
    let mut watchers = Vec::new();
    let mut reporters = Vec::new();
    let start = Instant::now();
    let sightings = Rc::new(Sightings::new(plan.clone(), start));
    for server in 0..plan.servers.len() {
        watchers.push(Watcher::open(server, run_id, plan.clone(), sightings.clone()).await?);
    }
    for place in 0..plan.report_at.len() {
        reporters.push(Reporter::open(place, run_id, plan.clone(), sightings.clone()).await?);
    }
    let start = Instant::now();
    sightings.begin(start);
    let mut reporting = JoinSet::new();
    for reporter in reporters {
        reporting.spawn_local(reporter.run(start, stop.clone()));
    }
    let mut watching = JoinSet::new();
    for watcher in watchers {
        watching.spawn_local(watcher.run(stop.clone()));
    }
    finish(&mut reporting).await?;
    sightings.no_more();
    finish(&mut watching).await?;
    Ok(sightings.report(stop.is_cancelled()))
}

async fn finish(tasks: &mut JoinSet<Result<(), BenchError>>) -> Result<(), BenchError> {
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| BenchError::Failed(error.to_string()))??;
    }
    Ok(())
}
