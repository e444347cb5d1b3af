//! The state that the connections of one thread share.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::tally::Tally;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunStage {
    /// Requests go out.
    Running,
    /// No more do; replies are waited for.
    Ending,
    /// Replies are waited for no longer.
    Abandoned,
}

/// Shared by the tasks of one thread; never across threads.
pub(super) struct Board {
    pub(super) tally: RefCell<Tally>,
    pub(super) live: Arc<ThreadFigures>,
    stage: Cell<RunStage>,
    start: Cell<Option<Instant>>,
    alarms: Vec<Alarm>,
}

/// Wakes one connection.
#[derive(Default)]
pub(super) struct Alarm {
    bell: Notify,
    at_ns: Cell<u64>,
}

impl Board {
    pub(super) fn new(connections: usize, live: Arc<ThreadFigures>) -> Self {
        Board {
            tally: RefCell::default(),
            live,
            stage: Cell::new(RunStage::Running),
            start: Cell::new(None),
            alarms: std::iter::repeat_with(Alarm::default)
                .take(connections)
                .collect(),
        }
    }

    pub(super) fn begin(&self, start: Instant) {
        self.start.set(Some(start));
    }

    /// Nanoseconds since the run began; 0 before.
    pub(super) fn now_ns(&self) -> u64 {
        let elapsed = self.start.get().map(|start| start.elapsed().as_nanos());
        elapsed.map_or(0, |ns| u64::try_from(ns).unwrap_or(u64::MAX))
    }

    pub(super) fn stage(&self) -> RunStage {
        self.stage.get()
    }

    /// Goes on to a stage and wakes every connection.
    pub(super) fn enter(&self, stage: RunStage) {
        self.stage.set(stage);
        for alarm in &self.alarms {
            alarm.bell.notify_one();
        }
    }

    /// Wakes the connections that asked to be woken until now.
    pub(super) fn wake_due(&self) {
        let now_ns = self.now_ns();
        for alarm in &self.alarms {
            if alarm.at_ns.get() <= now_ns {
                alarm.at_ns.set(u64::MAX);
                alarm.bell.notify_one();
            }
        }
    }

    /// Waits until the stage changes, or until `at_ns` if that is given. Cancel-safe.
    pub(super) async fn woken(&self, connection: usize, at_ns: Option<u64>) {
        match self.alarms.get(connection) {
            Some(alarm) => {
                alarm.at_ns.set(at_ns.unwrap_or(u64::MAX));
                alarm.bell.notified().await;
            }
            None => std::future::pending().await,
        }
    }
}

/// The counts of a running thread.
#[derive(Debug, Default)]
pub(super) struct ThreadFigures {
    answered: AtomicU64,
    errors: AtomicU64,
    slowest_ns: AtomicU64,
}

impl ThreadFigures {
    pub(super) fn count(&self, answered: u64, errors: u64, slowest_ns: u64) {
        self.answered.fetch_add(answered, Ordering::Relaxed);
        self.errors.fetch_add(errors, Ordering::Relaxed);
        self.slowest_ns.fetch_max(slowest_ns, Ordering::Relaxed);
    }

    /// All replies and errors so far, and the slowest reply since the last call.
    pub(super) fn read(&self) -> (u64, u64, u64) {
        (
            self.answered.load(Ordering::Relaxed),
            self.errors.load(Ordering::Relaxed),
            self.slowest_ns.swap(0, Ordering::Relaxed),
        )
    }
}
