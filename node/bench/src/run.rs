//! A load from its plan to its result.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::board::ThreadFigures;
use super::error::BenchError;
use super::plan::{Plan, Protocol};
use super::report::BenchReport;
use super::tally::Tally;
use super::target::Target;
use super::target::herd::Herd;
use super::target::redis::Redis;
use super::worker::{Order, Worker};

/// How often progress is told.
const PROGRESS_GAP: Duration = Duration::from_secs(1);

/// From when all threads are prepared until the run begins: time for each of them to hear of it.
const START_DELAY: Duration = Duration::from_millis(20);

/// How a load goes.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// Since the run began, in seconds.
    pub elapsed_s: f64,
    /// Whether this is still the warm-up.
    pub is_warmup: bool,
    /// Replies a second, since the last snapshot.
    pub per_second: f64,
    /// The slowest reply since then, in milliseconds.
    pub slowest_ms: f64,
    /// Errors since the run began.
    pub errors: u64,
}

/// Puts a load on servers until its time or count is over, or until `stop`. Calls `progress` once a second.
///
/// # Errors
/// See [`BenchError`]. Failures of requests and connections after the start of the run are counted in the result
/// instead.
pub async fn run(
    plan: Plan,
    stop: CancellationToken,
    progress: impl FnMut(Snapshot),
) -> Result<BenchReport, BenchError> {
    plan.check()?;
    let plan = Arc::new(plan);
    let tally = match plan.protocol {
        Protocol::Herd => {
            let target = Herd::new(plan.radius_km, plan.results, plan.search.as_ref());
            put(&plan, Arc::new(target), stop, progress).await?
        }
        Protocol::Redis => {
            put(
                &plan,
                Arc::new(Redis::new(plan.search.as_ref())),
                stop,
                progress,
            )
            .await?
        }
    };
    Ok(BenchReport::new(&plan, &tally))
}

async fn put<T: Target + Send + Sync + 'static>(
    plan: &Arc<Plan>,
    target: Arc<T>,
    stop: CancellationToken,
    progress: impl FnMut(Snapshot),
) -> Result<Tally, BenchError> {
    let live: Arc<ThreadFigures> = Arc::default();
    let (orders, ordered) = watch::channel(Order::Prepare);
    let threads = plan.threads.min(plan.connections);
    let (ready, mut prepared) = mpsc::channel(threads);
    let mut workers = JoinSet::new();
    for thread in 0..threads {
        let worker = Worker {
            plan: plan.clone(),
            connections: (thread..plan.connections).step_by(threads).collect(),
            target: target.clone(),
            orders: ordered.clone(),
            ready: ready.clone(),
            live: live.clone(),
        };
        workers.spawn_blocking(move || worker.run());
    }
    drop((ready, ordered));
    let mut prepared_count = 0;
    while prepared_count < threads {
        tokio::select! {
            message = prepared.recv() => match message {
                Some(()) => prepared_count += 1,
                // All threads have ended: their results say why.
                None => break,
            },
            ended = workers.join_next() => {
                // A thread that ends before the run began has failed, and the others need not wait.
                orders.send_replace(Order::Stop);
                let ended = match ended {
                    Some(ended) => result(ended),
                    None => Err(BenchError::Failed("no threads".to_owned())),
                };
                return match (ended, all(&mut workers).await) {
                    (Err(error), _) | (Ok(_), Err(error)) => Err(error),
                    (Ok(_), Ok(_)) => Err(BenchError::Stopped),
                };
            }
            () = stop.cancelled() => {
                orders.send_replace(Order::Stop);
                return all(&mut workers).await.and(Err(BenchError::Stopped));
            }
        }
    }
    let start = Instant::now() + START_DELAY;
    orders.send_replace(Order::Run(start));
    let watcher = watch_over(plan, start, &live, progress);
    tokio::select! {
        tally = all(&mut workers) => return tally,
        () = watcher => {}
        () = stop.cancelled() => {
            orders.send_replace(Order::Stop);
        }
    }
    all(&mut workers).await
}

type Ended = Result<Result<Tally, BenchError>, tokio::task::JoinError>;

fn result(ended: Ended) -> Result<Tally, BenchError> {
    ended.map_err(|error| BenchError::Failed(error.to_string()))?
}

/// The counts of all threads.
async fn all(workers: &mut JoinSet<Result<Tally, BenchError>>) -> Result<Tally, BenchError> {
    let mut total = Tally::default();
    while let Some(ended) = workers.join_next().await {
        total.add(&result(ended)?);
    }
    Ok(total)
}

/// Tells how it goes, for ever.
async fn watch_over(
    plan: &Plan,
    start: Instant,
    live: &ThreadFigures,
    mut progress: impl FnMut(Snapshot),
) {
    let mut ticks = interval(PROGRESS_GAP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks.tick().await;
    let (mut last, mut last_answered) = (start, 0);
    loop {
        let now = ticks.tick().await.max(Instant::now());
        let (answered, errors, slowest_ns) = live.read();
        let passed_s = now.saturating_duration_since(last).as_secs_f64();
        let elapsed = now.saturating_duration_since(start);
        progress(Snapshot {
            elapsed_s: elapsed.as_secs_f64(),
            is_warmup: elapsed < plan.warmup,
            per_second: (answered - last_answered) as f64 / passed_s.max(1e-9),
            slowest_ms: slowest_ns as f64 / 1e6,
            errors,
        });
        (last, last_answered) = (now, answered);
    }
}
