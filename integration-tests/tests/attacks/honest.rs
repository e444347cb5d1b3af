//! Clients that mean well, at the attacked server and behind it.

use std::fmt;
use std::time::Duration;

use herd_integration_tests::{Client, Herd};
use tokio::time::{Instant, sleep};

/// The pause between exchanges of an honest client.
const PAUSE: Duration = Duration::from_millis(5);

/// How many exchanges are the first ones, which are told apart: an attack begins with all connections at once, and with
/// a map that is not full.
const FIRST: usize = 400;

/// Two clients: one at the server that is attacked, one at a neighbour of it.
pub(crate) struct Honest<'h> {
    herd: &'h Herd,
    attacked: Client,
}

/// How long replies took.
pub(crate) struct Latencies {
    /// From the shortest to the longest.
    all: Vec<Duration>,
    first: Vec<Duration>,
}

impl<'h> Honest<'h> {
    pub(crate) async fn new(herd: &'h Herd) -> Self {
        Honest {
            herd,
            attacked: herd.client("Smith").await,
        }
    }

    /// Reports and asks `count` times; every answer must be right, and the last report must reach a server behind
    /// the attacked one.
    pub(crate) async fn exchanges(mut self, count: usize) -> Latencies {
        let mut latencies = Vec::new();
        let mut last = String::new();
        for number in 0..count {
            // A client that the server knows from before: the map may be full.
            let started = Instant::now();
            let time = format!("{}.{number:03}", 1_600_000_000 + number);
            last = self.attacked.report("honest", "+34.07-118.44", &time).await;
            assert!(
                last.ends_with(&format!(" honest +34.07-118.44 {time}")),
                "{last}"
            );
            let found = self.attacked.find("honest").await;
            latencies.push(started.elapsed());
            // Another's clock cannot have made a later report: this test's times rise only within a run.
            assert!(found.is_some());
            sleep(PAUSE).await;
        }
        let known = self.herd.client("Smith").await.find("honest").await;
        assert!(known.is_some(), "the report {last} is gone");
        let known = known.unwrap();
        self.herd.knows("Campbell", "honest", &known).await;
        Latencies::new(latencies)
    }
}

impl Latencies {
    /// Of exchanges in their order in time.
    fn new(mut all: Vec<Duration>) -> Self {
        let mut first = all[..FIRST.min(all.len())].to_vec();
        first.sort_unstable();
        all.sort_unstable();
        Latencies { all, first }
    }
}

fn at(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len() as f64 * share) as usize;
    let at = sorted.get(index).or(sorted.last());
    at.copied().unwrap_or_default()
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latencies { all, first } = self;
        let (median, p99) = (at(all, 0.5), at(all, 0.99));
        write!(f, "p50 {median:?}, p99 {p99:?}")?;
        write!(
            f,
            ", p99 of the first {} {:?}",
            first.len(),
            at(first, 0.99)
        )
    }
}
