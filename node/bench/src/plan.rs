//! The plan of a load, checked.

use std::time::Duration;

use super::spread::Movement;

/// The most connections of one load.
pub(super) const CONNECTIONS_MAX: usize = 20_000;
/// The most unanswered requests of one connection.
pub(super) const PIPELINE_MAX: usize = 10_000;
/// The most clients: their IDs have nine digits.
pub(super) const CLIENTS_MAX: u64 = 100_000_000;
/// The most threads.
pub(super) const THREADS_MAX: usize = 64;
/// The highest rate, in requests a second.
pub(super) const RATE_MAX: f64 = 1e9;

/// The protocol of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The text protocol of herd.
    Herd,
    /// Redis.
    Redis,
}

/// The questions of searches for clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchPlan {
    /// The radius; `None` for no bound.
    pub radius_km: Option<f64>,
    /// The most clients.
    pub limit: u32,
    /// How the clients move that are searched for.
    pub movement: Movement,
}

/// A load.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The protocol.
    pub protocol: Protocol,
    /// The servers, as `HOST:PORT`. Connections take them in turn.
    pub servers: Vec<String>,
    /// How many connections there are to all servers together.
    pub connections: usize,
    /// How many requests of one connection may be unanswered.
    pub pipeline: usize,
    /// Requests a second on all connections; a closed loop without it.
    pub rate: Option<f64>,
    /// How many clients the requests are about.
    pub clients: u64,
    /// How unevenly they are chosen, from 0 to below 1.
    pub skew: f64,
    /// How many of a thousand requests are look-ups, or searches.
    pub look_ups_per_mille: u64,
    /// Searches for clients, in the place of look-ups.
    pub search: Option<SearchPlan>,
    /// The radius of look-ups.
    pub radius_km: f64,
    /// The most places of look-ups.
    pub results: u8,
    /// How long is measured.
    pub duration: Duration,
    /// How long the load runs before that.
    pub warmup: Duration,
    /// How many requests are measured at most.
    pub count: Option<u64>,
    /// How many threads make the load.
    pub threads: usize,
    /// The seed of the choice of clients.
    pub seed: u64,
}

/// A load that makes no sense. Nothing was started.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidPlan {
    /// A number is outside of its bounds.
    #[error("{what} must be {bounds}")]
    OutOfBounds {
        /// Its option.
        what: &'static str,
        /// Its bounds, in words.
        bounds: String,
    },
    /// A connection would have nothing to report.
    #[error("--clients must be at least --connections: each connection has clients of its own")]
    FewerClientsThanConnections,
}

/// Holds a number to bounds, which the error tells.
fn bound(what: &'static str, holds: bool, bounds: String) -> Result<(), InvalidPlan> {
    let error = || InvalidPlan::OutOfBounds { what, bounds };
    if holds { Ok(()) } else { Err(error()) }
}

/// Holds a number to a greatest one, and to 1.
fn within(what: &'static str, number: u64, max: u64) -> Result<(), InvalidPlan> {
    let holds = (1..=max).contains(&number);
    bound(what, holds, format!("from 1 to {max}"))
}

impl SearchPlan {
    fn check(&self) -> Result<(), InvalidPlan> {
        let radius_km = self.radius_km.unwrap_or(0.0);
        bound(
            "--radius",
            (0.0..=20_100.0).contains(&radius_km),
            "from 0 to 20100, or *".to_owned(),
        )?;
        bound("--limit", self.limit <= 1_000, "from 0 to 1000".to_owned())
    }
}

impl Plan {
    /// Checks all numbers.
    ///
    /// # Errors
    /// The first one that is wrong.
    pub fn check(&self) -> Result<(), InvalidPlan> {
        within(
            "--connections",
            self.connections as u64,
            CONNECTIONS_MAX as u64,
        )?;
        within("--pipeline", self.pipeline as u64, PIPELINE_MAX as u64)?;
        within("--clients", self.clients, CLIENTS_MAX)?;
        within("--threads", self.threads as u64, THREADS_MAX as u64)?;
        within("--count", self.count.unwrap_or(1), u64::MAX)?;
        let rate = self.rate.unwrap_or(1.0);
        bound(
            "--rate",
            rate > 0.0 && rate <= RATE_MAX,
            format!("above 0, at most {RATE_MAX:.0}"),
        )?;
        bound(
            "--skew",
            (0.0..1.0).contains(&self.skew),
            "from 0 to below 1".to_owned(),
        )?;
        bound(
            "--radius",
            (0.0..=50.0).contains(&self.radius_km),
            "from 0 to 50".to_owned(),
        )?;
        bound("--results", self.results <= 20, "from 0 to 20".to_owned())?;
        if let Some(search) = &self.search {
            search.check()?;
        }
        bound("--duration", !self.duration.is_zero(), "above 0".to_owned())?;
        let longest = Duration::from_secs(7 * 24 * 3600);
        let total = self.duration.saturating_add(self.warmup);
        bound(
            "--duration and --warmup",
            total <= longest,
            "7 days together at most".to_owned(),
        )?;
        if self.clients < self.connections as u64 {
            return Err(InvalidPlan::FewerClientsThanConnections);
        }
        Ok(())
    }

    /// When measuring begins, in nanoseconds since the run began.
    #[must_use]
    pub fn measure_from_ns(&self) -> u64 {
        u64::try_from(self.warmup.as_nanos()).unwrap_or(u64::MAX)
    }

    /// When the last request goes out, in nanoseconds since the run began.
    #[must_use]
    pub fn end_ns(&self) -> u64 {
        let total = self.warmup.saturating_add(self.duration);
        u64::try_from(total.as_nanos()).unwrap_or(u64::MAX)
    }

    /// How many of the measured requests connection `connection` may send.
    #[must_use]
    pub fn count_of(&self, connection: usize) -> u64 {
        let Some(count) = self.count else {
            return u64::MAX;
        };
        let connections = self.connections as u64;
        count / connections + u64::from((connection as u64) < count % connections)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    type Breaks = fn(&mut Plan);

    pub(crate) fn plan() -> Plan {
        Plan {
            protocol: Protocol::Herd,
            servers: vec!["127.0.0.1:1".to_owned()],
            connections: 3,
            pipeline: 4,
            rate: None,
            clients: 100,
            skew: 0.0,
            look_ups_per_mille: 0,
            search: None,
            radius_km: 10.0,
            results: 20,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(1),
            count: None,
            threads: 1,
            seed: 1,
        }
    }

    #[test]
    fn a_count_is_divided_without_rest() {
        let plan = Plan {
            count: Some(8),
            ..plan()
        };
        assert_eq!(
            [0, 1, 2].map(|connection| plan.count_of(connection)),
            [3, 3, 2]
        );
    }

    #[test]
    fn numbers_outside_of_their_bounds_are_named() {
        assert_eq!(plan().check(), Ok(()));
        let broken: [(&str, Breaks); 8] = [
            ("--connections", |plan| plan.connections = 0),
            ("--pipeline", |plan| plan.pipeline = PIPELINE_MAX + 1),
            ("--clients", |plan| plan.clients = 2),
            ("--rate", |plan| plan.rate = Some(f64::NAN)),
            ("--skew", |plan| plan.skew = 1.0),
            ("--radius", |plan| plan.radius_km = 51.0),
            ("--results", |plan| plan.results = 21),
            ("--duration", |plan| plan.duration = Duration::MAX),
        ];
        for (named, breaks) in broken {
            let mut plan = plan();
            breaks(&mut plan);
            let error = plan.check().unwrap_err().to_string();
            assert!(error.starts_with(named), "{named}: {error}");
        }
    }
}
