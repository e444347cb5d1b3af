//! The records of a run.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use herd_integration_tests::history::{Call, Harm, HarmKind, ServerIndex};
use tokio::time::Instant;

/// Shared by all tasks of a run.
#[derive(Debug)]
pub(crate) struct Books {
    begin: Instant,
    calls: Mutex<Vec<Call>>,
    harms: Mutex<Vec<Harm>>,
    /// The number of each server's last process.
    processes: Vec<AtomicU32>,
    connections: AtomicU64,
    is_over: AtomicBool,
}

impl Books {
    /// The books of `servers` servers, whose first processes run and are linked, so that their gossip has begun.
    pub(crate) fn new(servers: usize) -> Books {
        Books {
            begin: Instant::now(),
            calls: Mutex::default(),
            harms: Mutex::default(),
            processes: (0..servers).map(|_| AtomicU32::new(1)).collect(),
            connections: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// The moment at which this is the time.
    pub(crate) fn at(&self, time: Duration) -> Instant {
        self.begin + time
    }

    pub(crate) fn note(
        &self,
        server: ServerIndex,
        (from, to): (Duration, Duration),
        kind: HarmKind,
    ) {
        lock(&self.harms).push(Harm {
            server,
            from,
            to,
            kind,
        });
    }

    /// Something begins that lasts until [`Books::ends`].
    pub(crate) fn begins(&self, server: ServerIndex, kind: HarmKind) {
        self.note(server, (self.now(), Duration::MAX), kind);
    }

    pub(crate) fn ends(&self, server: ServerIndex, kind: HarmKind) {
        let now = self.now();
        let mut harms = lock(&self.harms);
        let lasting = harms
            .iter_mut()
            .filter(|harm| harm.server == server && harm.kind == kind && harm.to == Duration::MAX);
        lasting.for_each(|harm| harm.to = now);
    }

    /// The number of a server's last process.
    pub(crate) fn process(&self, server: ServerIndex) -> u32 {
        self.processes[server].load(Ordering::SeqCst)
    }

    /// The number of a process that is about to begin.
    pub(crate) fn next_process(&self, server: ServerIndex) -> u32 {
        self.processes[server].fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn wrote(&self, calls: Vec<Call>) {
        lock(&self.calls).extend(calls);
    }

    /// Clients go home.
    pub(crate) fn finish(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// All calls and harms so far.
    pub(crate) fn take(&self) -> (Vec<Call>, Vec<Harm>) {
        (lock(&self.calls).clone(), lock(&self.harms).clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
