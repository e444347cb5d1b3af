//! The options of `herd bench convergence`.

use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{failed, print, refused, servers};
use crate::commands::options::{Bench, SettingFlags};
use herd_bench::convergence::{self, ConvergencePlan};
use herd_server::settings::{ConfigError, Environment, duration};
use herd_topology::HostPort;

#[derive(Clone, Debug, Args)]
pub(super) struct ConvergenceArgs {
    #[command(flatten)]
    settings: SettingFlags<Bench>,
    /// The servers to report at, of those of --to. Without any: all of them in turn
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    report_at: Vec<HostPort>,
    /// Reports a second, at all of them together
    #[arg(long, value_name = "COUNT", default_value_t = 100.0)]
    rate: f64,
    /// How long to report
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// The time between two questions for the same client at the same server
    #[arg(long, value_name = "DURATION", default_value = "500us", value_parser = duration)]
    poll: Duration,
    /// Time after which a record counts as never arriving
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    give_up: Duration,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl ConvergenceArgs {
    fn plan(self, environment: &Environment) -> Result<ConvergencePlan, ConfigError> {
        let servers = servers(&self.settings, environment)?;
        let place = |named: &HostPort| {
            let named = named.to_string();
            let found = servers.iter().position(|server| *server == named);
            // One that is not there is refused with the plan.
            found.unwrap_or(servers.len())
        };
        let report_at = if self.report_at.is_empty() {
            (0..servers.len()).collect()
        } else {
            self.report_at.iter().map(place).collect()
        };
        Ok(ConvergencePlan {
            report_at,
            servers,
            rate: self.rate,
            duration: self.duration,
            poll: self.poll,
            give_up: self.give_up,
        })
    }
}

pub(super) async fn run(args: ConvergenceArgs, stop: CancellationToken) -> u8 {
    let as_json = args.json;
    let plan = match args.plan(&Environment::of_process()) {
        Ok(plan) => plan,
        Err(mistakes) => return refused(&mistakes),
    };
    match convergence::run(plan, stop).await {
        Ok(result) => print(&result, as_json, result.is_clean()),
        Err(error) => failed(&error),
    }
}
