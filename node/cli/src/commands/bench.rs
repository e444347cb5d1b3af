//! `herd bench`: puts a load on a herd or on Redis.

mod convergence;
mod load;
mod nearby;

use std::fmt::Display;
use std::io::{self, Write as _};

use clap::{Args, Subcommand};
use serde::Serialize;
use tokio::runtime;
use tokio_util::sync::CancellationToken;

use self::convergence::ConvergenceArgs;
use self::load::LoadArgs;
use self::nearby::NearbyArgs;
use super::connect::topology_here;
use super::options::{Bench, SettingFlags};
use super::output::Output;
use super::report;
use super::stop_signals::StopSignals;
use crate::exit_code;
use herd_bench::BenchError;
use herd_server::open_files;
use herd_server::settings::{Command, ConfigError, Environment, Values};
use herd_topology::HostPort;

/// Everything was answered as asked.
pub const EXIT_CLEAN: u8 = exit_code::OK;
/// There is a result, and some requests were refused, lost or unanswered, or connections failed.
pub const EXIT_ERRORS: u8 = 1;

/// The arguments of `herd bench`.
///
/// Exit status: 0 if everything was answered as asked, 1 if there is a result with errors in it, 64 for wrong
/// arguments, 69 if a server could not be reached, 130 if it was stopped before there was a result.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BenchArgs {
    #[command(subcommand)]
    command: Option<BenchCommand>,
    #[command(flatten)]
    load: LoadArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum BenchCommand {
    /// Search for clients in the middle of cities, alone or among reports
    ///
    /// With --target it asks Redis: GEOSEARCH ... BYRADIUS ... ASC COUNT ... WITHDIST on the same clients.
    Nearby(NearbyArgs),
    /// Measure how long a report takes to the other servers
    ///
    /// Reports new clients at a fixed rate, and asks every other server for each of them until it
    /// answers. Run it beside a load to measure under load.
    Convergence(ConvergenceArgs),
}

/// Runs `herd bench` and returns its exit status. The result goes to standard output, all else to standard error.
pub(super) fn run(args: BenchArgs) -> u8 {
    if let Err(error) = open_files::raise_limit() {
        report::complain(format_args!(
            "warning: cannot raise the limit of open files: {error}"
        ));
    }
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            report::complain(format_args!("cannot start: {error}"));
            return exit_code::INTERNAL;
        }
    };
    runtime.block_on(measure(args))
}

async fn measure(args: BenchArgs) -> u8 {
    let mut signals = match StopSignals::install() {
        Ok(signals) => signals,
        Err(error) => {
            report::complain(format_args!("cannot listen for signals: {error}"));
            return exit_code::INTERNAL;
        }
    };
    let stop = CancellationToken::new();
    let stopping = async {
        let signal = signals.next().await;
        report::complain(format_args!(
            "{signal}: ending early; once more ends at once"
        ));
        stop.cancel();
        signals.next().await;
        exit_code::INTERRUPTED
    };
    let measuring = async {
        match args.command {
            None => args.load.run(stop.clone()).await,
            Some(BenchCommand::Nearby(args)) => args.run(stop.clone()).await,
            Some(BenchCommand::Convergence(args)) => convergence::run(args, stop.clone()).await,
        }
    };
    tokio::select! {
        status = measuring => status,
        status = stopping => status,
    }
}

/// Prints a result, and returns the exit status.
fn print(result: &(impl Serialize + Display), as_json: bool, is_clean: bool) -> u8 {
    let text = if as_json {
        serde_json::to_string_pretty(result).map_err(io::Error::from)
    } else {
        Ok(result.to_string())
    };
    let printed = text.and_then(|text| writeln!(Output::stdout(), "{text}"));
    match printed {
        Ok(()) if is_clean => EXIT_CLEAN,
        Ok(()) => EXIT_ERRORS,
        Err(error) => report::cannot_print(&error),
    }
}

/// Says why there is no result, and returns the exit status.
fn failed(error: &BenchError) -> u8 {
    report::complain(error);
    match error {
        BenchError::Invalid(_) => exit_code::USAGE,
        BenchError::Unreachable { .. } | BenchError::NotFilled { .. } => exit_code::UNAVAILABLE,
        BenchError::Stopped => exit_code::INTERRUPTED,
        BenchError::Failed(_) => exit_code::INTERNAL,
    }
}

/// The servers that flag or variable names, else those that `herd local` starts.
///
/// # Errors
/// The text that names them does not.
fn servers(
    settings: &SettingFlags<Bench>,
    environment: &Environment,
) -> Result<Vec<String>, ConfigError> {
    let values = Values::load(Command::Bench, settings.given(), environment)?;
    let named = values.to.unwrap_or_else(|| {
        let topology = topology_here();
        let servers = topology.servers().iter();
        servers.map(|server| server.client.clone()).collect()
    });
    Ok(named.iter().map(HostPort::to_string).collect())
}

/// Says that settings are wrong, and returns the exit status.
fn refused(mistakes: &ConfigError) -> u8 {
    report::complain(mistakes);
    exit_code::USAGE
}
