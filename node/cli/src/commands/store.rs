//! `herd store`: work on a server's store while the server is stopped.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use self::lower_floor::LowerFloorArgs;
use super::output::Output;
use super::report;
use crate::exit_code;
use herd_clock::clock::SystemClock;
use herd_storage::{DataFolder, DataFolderError};

mod lower_floor;

/// `herd store ...`.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Move a damaged store out of the way, so that the herd can fill an empty one
    ///
    /// The server must be stopped, or go on from memory since its store is damaged. The store is renamed
    /// and nothing is deleted.
    SetAside {
        /// Data folder of the server
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
    },
    /// Lower the floor of expiry that a wrong clock has raised
    ///
    /// The server must be stopped. Its floor becomes the clock of this machine less the time after which records
    /// expire, if it is later than that; nothing else changes.
    LowerFloor(LowerFloorArgs),
}

pub(super) fn run(args: &StoreArgs) -> u8 {
    match &args.command {
        StoreCommand::SetAside { data_dir } => set_aside(data_dir),
        StoreCommand::LowerFloor(args) => lower_floor::run(args),
    }
}

fn set_aside(data_dir: &Path) -> u8 {
    match DataFolder::set_aside(data_dir, &SystemClock) {
        Ok(aside) => {
            let told = writeln!(
                Output::stdout(),
                "the store is now {}\nStart the server again: it begins with an empty store, and the other \
                 servers of the herd fill it. When all is well, the old one can be deleted.",
                aside.display()
            );
            match told {
                Ok(()) => exit_code::OK,
                Err(error) => report::cannot_print(&error),
            }
        }
        Err(error) => {
            report::complain(&error);
            exit_of(&error)
        }
    }
}

/// The exit status of a data folder that cannot be worked on.
fn exit_of(error: &DataFolderError) -> u8 {
    match error {
        DataFolderError::InUse { .. } => exit_code::UNAVAILABLE,
        DataFolderError::NotADataFolder { .. } | DataFolderError::NoStore { .. } => {
            exit_code::USAGE
        }
        DataFolderError::Io { .. } => exit_code::IO,
        _ => exit_code::DATA_FOLDER,
    }
}
