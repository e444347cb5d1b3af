//! The options of a load.

use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{failed, print, refused, servers};
use crate::commands::options::{Bench, SettingFlags};
use crate::commands::report;
use herd_bench::{Plan, Protocol, Snapshot};
use herd_server::settings::{ConfigError, Environment, duration};

/// Puts a load on servers and says how fast and how late the replies came.
///
/// Without --rate it is a closed loop: each connection sends --pipeline requests in one piece, waits
/// for all their replies, and sends the next. With --rate it is an open loop: requests go out by the
/// clock, and latency counts from when a request should have gone out, so a server that stalls is
/// charged for all that had to wait.
#[derive(Clone, Debug, Args)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// How many of a hundred requests are look-ups (WHATSAT); all clients are reported once before
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = per_mille)]
    look_ups: u64,
    /// The radius of look-ups in km
    #[arg(long, value_name = "KM", default_value_t = 10.0)]
    radius: f64,
    /// The most places of a look-up
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    results: u8,
}

/// The options of every load.
#[derive(Clone, Debug, Args)]
pub(super) struct CommonArgs {
    #[command(flatten)]
    settings: SettingFlags<Bench>,
    /// Redis instead of a herd: a report is GEOADD and HSET, a look-up is GEOPOS and HGET, a search is GEOSEARCH
    #[arg(long, value_name = "redis://HOST:PORT", value_parser = redis_address)]
    target: Option<String>,
    /// How many connections there are, to all servers together
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    connections: usize,
    /// How many requests of one connection may be unanswered
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pipeline: usize,
    /// Requests a second, all connections together (an open loop)
    #[arg(long, value_name = "COUNT")]
    rate: Option<f64>,
    /// How many clients report
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    clients: u64,
    /// How unevenly they are chosen: 0 is evenly, 0.99 much like popularity (Zipf); in each
    /// connection's share of the clients
    #[arg(long, value_name = "EXPONENT", default_value_t = 0.0)]
    skew: f64,
    /// How long to measure
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// How long to run before measuring
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    warmup: Duration,
    /// How many requests to measure at most
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    /// How many threads make the load
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    threads: usize,
    /// Seed of the choice of clients
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress on standard error
    #[arg(long)]
    quiet: bool,
}

/// The `HOST:PORT` of `redis://HOST:PORT`.
fn redis_address(url: &str) -> Result<String, String> {
    let address = url
        .strip_prefix("redis://")
        .map(|rest| rest.trim_end_matches('/'));
    match address {
        Some(address) if address.contains(':') && !address.contains(['/', '@']) => {
            Ok(address.to_owned())
        }
        _ => Err("must be redis://HOST:PORT; for servers of a herd use --to".to_owned()),
    }
}

/// A percentage with one decimal, as tenths.
pub(super) fn per_mille(text: &str) -> Result<u64, String> {
    let percent: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if !(0.0..=100.0).contains(&percent) {
        return Err("must be from 0 to 100".to_owned());
    }
    Ok((percent * 10.0).round() as u64)
}

impl CommonArgs {
    /// A load of reports alone.
    fn plan(self, environment: &Environment) -> Result<Plan, ConfigError> {
        let (protocol, servers) = match self.target {
            Some(address) => (Protocol::Redis, vec![address]),
            None => (Protocol::Herd, servers(&self.settings, environment)?),
        };
        Ok(Plan {
            protocol,
            servers,
            connections: self.connections,
            pipeline: self.pipeline,
            rate: self.rate,
            clients: self.clients,
            skew: self.skew,
            look_ups_per_mille: 0,
            radius_km: 0.0,
            results: 0,
            search: None,
            duration: self.duration,
            warmup: self.warmup,
            count: self.count,
            threads: self.threads,
            seed: self.seed,
        })
    }

    /// Puts the load that `plan` makes of these options on the servers, and prints the result.
    pub(super) async fn run(self, plan: impl FnOnce(Plan) -> Plan, stop: CancellationToken) -> u8 {
        let (as_json, is_quiet) = (self.json, self.quiet);
        let progress = |snapshot: Snapshot| {
            if !is_quiet {
                report::complain(in_words(&snapshot));
            }
        };
        let common = match self.plan(&Environment::of_process()) {
            Ok(plan) => plan,
            Err(mistakes) => return refused(&mistakes),
        };
        match herd_bench::run(plan(common), stop, progress).await {
            Ok(result) => print(&result, as_json, result.is_clean()),
            Err(error) => failed(&error),
        }
    }
}

impl LoadArgs {
    pub(super) async fn run(self, stop: CancellationToken) -> u8 {
        let LoadArgs {
            common,
            look_ups: look_ups_per_mille,
            radius: radius_km,
            results,
        } = self;
        let plan = |plan| Plan {
            look_ups_per_mille,
            radius_km,
            results,
            ..plan
        };
        common.run(plan, stop).await
    }
}

fn in_words(snapshot: &Snapshot) -> String {
    let warmup = if snapshot.is_warmup { " (warm-up)" } else { "" };
    format!(
        "{:>4.0} s{warmup}: {:.0} requests/s, slowest {:.1} ms, {} errors",
        snapshot.elapsed_s, snapshot.per_second, snapshot.slowest_ms, snapshot.errors
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct LoadCommand {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let arguments = std::iter::once("bench").chain(arguments.iter().copied());
        let command = LoadCommand::try_parse_from(arguments).map_err(|error| error.to_string())?;
        let environment = Environment::new([("HERD_TO".into(), "variable:1".into())]);
        let plan = command.load.common.plan(&environment);
        plan.map_err(|error| error.to_string())
    }

    #[test]
    fn without_options_the_target_is_the_local_herd() {
        let command = LoadCommand::try_parse_from(["bench"]).unwrap();
        let plan = command.load.common.plan(&Environment::default()).unwrap();
        assert_eq!(plan.servers.len(), 5);
        assert_eq!(plan.servers[4], "127.0.0.1:12004");
        assert_eq!(plan.protocol, Protocol::Herd);
        assert_eq!(plan.check(), Ok(()));
    }

    #[test]
    fn servers_and_redis_are_distinguished() {
        assert_eq!(plan(&[]).unwrap().servers, ["variable:1"]);
        assert_eq!(plan(&["--to", "a:1,b:2"]).unwrap().servers, ["a:1", "b:2"]);
        let servers = plan(&["--to", "a:1", "--to=b:2"]).unwrap().servers;
        assert_eq!(servers, ["a:1", "b:2"]);
        assert_eq!(plan(&["--to", "a"]).unwrap().servers, ["a:12000"]);
        let wrong = plan(&["--to", "12003"]).unwrap_err();
        assert!(wrong.contains("--to: `12003` is a port alone"), "{wrong}");
        let redis = plan(&["--target", "redis://a:6379/"]).unwrap();
        assert_eq!(
            (redis.protocol, redis.servers),
            (Protocol::Redis, vec!["a:6379".to_owned()])
        );
        for wrong in [
            "a:6379",
            "redis://a",
            "redis://a:1/2",
            "http://a:1",
            "redis://u@a:1",
        ] {
            assert!(plan(&["--target", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn look_ups_are_a_percentage() {
        assert_eq!(per_mille("12.5"), Ok(125));
        for wrong in ["-1", "101", "NaN", "x"] {
            assert!(per_mille(wrong).is_err(), "{wrong}");
        }
    }
}
