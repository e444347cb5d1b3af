//! The answers to the probes of a container platform: does the server live, and should it get clients?

use std::sync::Arc;

use parking_lot::Mutex;

use herd_replica::readiness::{Facts, NotReady, Readiness};
use herd_telemetry::watchdog::Watchdog;

/// Looks for the facts that readiness follows from.
pub type FactsSource = Box<dyn Fn() -> Facts + Send + Sync>;

/// The state behind `/healthz` and `/readyz`.
pub struct Health {
    watchdogs: Vec<Arc<Watchdog>>,
    facts: FactsSource,
    readiness: Mutex<Readiness>,
}

impl Health {
    /// A server whose loops have these watchdogs; each request for `/readyz` calls `facts`.
    #[must_use]
    pub fn new(watchdogs: Vec<Arc<Watchdog>>, facts: FactsSource) -> Arc<Self> {
        Arc::new(Health {
            watchdogs,
            facts,
            readiness: Mutex::default(),
        })
    }

    /// The names of the loops that hang. Neither disks nor peers can make one hang, so that a probe
    /// that restarts the server does not spread their trouble.
    #[must_use]
    pub fn stalled(&self) -> Vec<&'static str> {
        let stalled = self
            .watchdogs
            .iter()
            .filter(|watchdog| watchdog.is_stalled());
        stalled.map(|watchdog| watchdog.name()).collect()
    }

    /// Whether clients should be sent here.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), NotReady> {
        let facts = (self.facts)();
        self.readiness.lock().look(facts)
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
