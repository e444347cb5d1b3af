//! One thread of a load, with its connections.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet, LocalSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::board::{Board, RunStage, ThreadFigures};
use super::connection::{Connection, ConnectionParts};
use super::error::BenchError;
use super::plan::Plan;
use super::schedule::{RequestPace, Schedule};
use super::tally::Tally;
use super::target::Target;
use super::ticks::Ticks;
use super::workload::{Share, Workload};

/// How long replies are waited for when no more requests go out.
const DRAIN_WAIT: Duration = Duration::from_secs(10);

/// The orders for the threads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Open connections, and report all clients if they will be asked for.
    Prepare,
    /// Send requests; the run begins at this moment.
    Run(Instant),
    /// Send no more.
    Stop,
}

/// The parameters of a thread.
pub(super) struct Worker<T> {
    pub(super) plan: Arc<Plan>,
    /// The connections of all threads that are this one's.
    pub(super) connections: Vec<usize>,
    pub(super) target: Arc<T>,
    pub(super) orders: watch::Receiver<Order>,
    /// Told when the thread is prepared.
    pub(super) ready: mpsc::Sender<()>,
    pub(super) live: Arc<ThreadFigures>,
}

impl<T: Target + Send + Sync + 'static> Worker<T> {
    /// Runs the part of the load, on the thread that calls this.
    pub(super) fn run(self) -> Result<Tally, BenchError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| BenchError::Failed(error.to_string()))?;
        LocalSet::new().block_on(&runtime, self.work())
    }

    async fn work(self) -> Result<Tally, BenchError> {
        let board = Rc::new(Board::new(self.connections.len(), self.live.clone()));
        let mut orders = self.orders.clone();
        let connections = tokio::select! {
            prepared = self.prepare(&board) => prepared?,
            () = stopped(&mut orders) => return Err(BenchError::Stopped),
        };
        // The other side is gone only if it stopped.
        let _ = self.ready.send(()).await;
        let order = orders
            .wait_for(|order| !matches!(order, Order::Prepare))
            .await;
        let start = match order.as_deref() {
            Ok(&Order::Run(start)) => start,
            _ => return Err(BenchError::Stopped),
        };
        drop(order);
        sleep_until(start).await;
        board.begin(start);
        let mut tasks = JoinSet::new();
        for connection in connections {
            tasks.spawn_local(connection.run());
        }
        {
            let mut time = pin!(keep_time(&self.plan, &board, start, orders));
            let mut ended = pin!(join_all(&mut tasks));
            tokio::select! {
                ended = &mut ended => ended.map_err(failed)?,
                error = &mut time => return Err(error),
            }
        }
        Ok(board.tally.take())
    }

    /// Opens all connections and reports all clients if needed.
    async fn prepare(&self, board: &Rc<Board>) -> Result<Vec<Connection<T>>, BenchError> {
        let mut connections = Vec::with_capacity(self.connections.len());
        for (place, &number) in self.connections.iter().enumerate() {
            let parts = self.parts(place, number);
            connections.push(Connection::open(parts, board.clone()).await?);
        }
        if self.plan.look_ups_per_mille == 0 && self.plan.search.is_none() {
            return Ok(connections);
        }
        let mut fills = JoinSet::new();
        for connection in connections {
            fills.spawn_local(connection.fill());
        }
        let mut filled = Vec::new();
        while let Some(ended) = fills.join_next().await {
            filled.push(ended.map_err(failed)??);
        }
        Ok(filled)
    }

    fn parts(&self, place: usize, number: usize) -> ConnectionParts<T> {
        let plan = &self.plan;
        let share = Share::new(plan.clients, plan.connections as u64, number as u64);
        let pace = match plan.rate {
            None => RequestPace::Closed,
            // Connection after connection, so that all together keep an even rate.
            Some(rate) => RequestPace::Open {
                first_ns: number as f64 * 1e9 / rate,
                gap_ns: plan.connections as f64 * 1e9 / rate,
            },
        };
        let (from_ns, end_ns) = (plan.measure_from_ns(), plan.end_ns());
        let count = plan.count_of(number);
        let server = plan.servers.get(number % plan.servers.len().max(1));
        let workload = Workload::new(share, plan.skew, plan.look_ups_per_mille, plan.seed);
        ConnectionParts {
            place,
            server: server.cloned().unwrap_or_default(),
            target: self.target.clone(),
            workload: match &plan.search {
                Some(search) => workload.with_searches(search.movement),
                None => workload,
            },
            schedule: Schedule::new(pace, plan.pipeline, from_ns, end_ns, count),
            measure_from_ns: from_ns,
        }
    }
}

fn failed(error: JoinError) -> BenchError {
    BenchError::Failed(error.to_string())
}

async fn join_all(tasks: &mut JoinSet<()>) -> Result<(), JoinError> {
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(())
}

/// Wakes the connections when requests are due, and at the end. Returns only if it fails.
async fn keep_time(
    plan: &Plan,
    board: &Board,
    start: Instant,
    mut orders: watch::Receiver<Order>,
) -> BenchError {
    let mut ticks = match plan
        .rate
        .map(|rate| Ticks::for_load(plan.connections, rate))
        .transpose()
    {
        Ok(ticks) => ticks,
        Err(error) => return BenchError::Failed(format!("no timer: {error}")),
    };
    let end = start + plan.warmup + plan.duration;
    loop {
        let tick = async {
            match &mut ticks {
                Some(ticks) => ticks.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ticked = tick => match ticked {
                Ok(()) => board.wake_due(),
                Err(error) => return BenchError::Failed(format!("no timer: {error}")),
            },
            () = sleep_until(end) => break,
            () = stopped(&mut orders) => {
                board.tally.borrow_mut().stopped_ns = Some(board.now_ns());
                break;
            }
        }
    }
    board.enter(RunStage::Ending);
    sleep(DRAIN_WAIT).await;
    board.enter(RunStage::Abandoned);
    std::future::pending().await
}

/// Waits for the order to stop, or for the drop of its sender.
async fn stopped(orders: &mut watch::Receiver<Order>) {
    let _ = orders.wait_for(|order| matches!(order, Order::Stop)).await;
}
