//! What the probes of a container platform ask: does the server live, and should it get clients?

use std::sync::Arc;

use parking_lot::Mutex;

use herd_replication::readiness::{Facts, NotReady, Readiness};
use herd_telemetry::pulse::Pulse;

/// Looks for the facts that readiness follows from.
pub type FactsSource = Box<dyn Fn() -> Facts + Send + Sync>;

/// The state behind `/healthz` and `/readyz`.
pub struct Health {
    pulses: Vec<Arc<Pulse>>,
    facts: FactsSource,
    readiness: Mutex<Readiness>,
}

impl Health {
    /// A server whose loops have these pulses; `facts` is asked at each look at `/readyz`.
    #[must_use]
    pub fn new(pulses: Vec<Arc<Pulse>>, facts: FactsSource) -> Arc<Self> {
        Arc::new(Health {
            pulses,
            facts,
            readiness: Mutex::default(),
        })
    }

    /// The names of the loops that hang. Neither disks nor peers can make one hang, so that a probe
    /// that restarts the server does not spread their trouble.
    #[must_use]
    pub fn stalled(&self) -> Vec<&'static str> {
        let stalled = self.pulses.iter().filter(|pulse| pulse.is_stalled());
        stalled.map(|pulse| pulse.name()).collect()
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
