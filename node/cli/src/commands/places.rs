//! `herd places`: looks into tables of places and makes them.

mod import;
mod info;
mod progress;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::import::ImportArgs;
use super::options::{self, SettingFlags};
use super::output::Output;
use super::report;
use crate::exit_code;
use herd_server::settings::Environment;

/// The arguments of `herd places`.
#[derive(Clone, Debug, Args)]
pub struct PlacesArgs {
    #[command(subcommand)]
    command: PlacesCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum PlacesCommand {
    /// Shows the loaded places, their sources and licences, and checks the tables.
    ///
    /// Without a file these are the places of a server with the same options and variables (HERD_PLACES_FILE,
    /// HERD_PLACES_ADD).
    Info {
        /// A table to look into instead.
        file: Option<PathBuf>,
        #[command(flatten)]
        settings: SettingFlags<options::PlacesInfo>,
    },
    /// Makes a table of places from an OpenStreetMap extract, GeoJSON or CSV.
    ///
    /// A server uses the table with --places-file. CSV has the columns id, name, lat, lon, and maybe
    /// types (words joined by `;`), vicinity and source. Bad rows are left out, counted and listed.
    Import(ImportArgs),
}

/// Runs `herd places` and returns its exit status.
pub(super) fn run(args: &PlacesArgs) -> u8 {
    let environment = Environment::of_process();
    match run_to(args, &environment, &mut Output::stdout()) {
        Ok(()) => exit_code::OK,
        // Files are not pipes: this is the output.
        Err(error) if is_broken_pipe(&error) => exit_code::IO,
        Err(error) => {
            report::complain(format_args!("{error:#}"));
            exit_code::IO
        }
    }
}

/// Whether the reader of the output has closed it.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.root_cause().downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Runs `herd places`, with its results to `output`.
///
/// # Errors
/// If a file cannot be read, parsed or written; the message has advice.
fn run_to(
    args: &PlacesArgs,
    environment: &Environment,
    output: &mut dyn Write,
) -> anyhow::Result<()> {
    match &args.command {
        PlacesCommand::Info {
            file: Some(file), ..
        } => info::of_file(file, output),
        PlacesCommand::Info {
            file: None,
            settings,
        } => info::of_settings(settings.given(), environment, output),
        PlacesCommand::Import(args) => import::run(args, output),
    }
}

#[cfg(test)]
mod tests;
