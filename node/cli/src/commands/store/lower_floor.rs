//! `herd store lower-floor`: a floor of expiry that a wrong clock had raised falls again.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::exit_of;
use crate::commands::output::Output;
use crate::commands::report;
use crate::exit_code;
use herd_clock::clock::{SystemClock, WallClock, fault, rfc3339_millis};
use herd_expiry::ExpireAfter;
use herd_server::settings::{EXPIRE_AFTER, Kind as _};
use herd_storage::{DataFolder, DataFolderError, FjallStore, FloorChange, Store as _, StoreError};

/// `herd store lower-floor ...`.
#[derive(Debug, Args)]
pub(super) struct LowerFloorArgs {
    /// Data folder of the server
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The server's setting: the floor falls to this machine's clock less this long
    #[arg(long, value_name = "DURATION", value_parser = expire_after)]
    expire_after: Duration,
}

/// Why the floor was not lowered. It is as it was.
#[derive(Debug, thiserror::Error)]
enum LowerFloorError {
    #[error("{0}, so it cannot say where the floor should be. Set the clock right first")]
    Clock(&'static str),
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn expire_after(text: &str) -> Result<Duration, String> {
    EXPIRE_AFTER.parse(text)
}

pub(super) fn run(args: &LowerFloorArgs) -> u8 {
    let now_ns = SystemClock.now_ns();
    let floor_ns = now_ns.saturating_sub(ExpireAfter::new(args.expire_after).ns());
    match lower(&args.data_dir, now_ns, floor_ns) {
        Ok((server, change)) => match tell(&server, change, now_ns) {
            Ok(()) => exit_code::OK,
            Err(error) => report::cannot_print(&error),
        },
        Err(error) => {
            report::complain(&error);
            match error {
                LowerFloorError::Clock(_) => exit_code::USAGE,
                LowerFloorError::Folder(error) => exit_of(&error),
                LowerFloorError::Store(_) => exit_code::IO,
            }
        }
    }
}

fn lower(
    path: &Path,
    now_ns: i64,
    floor_ns: i64,
) -> Result<(String, FloorChange), LowerFloorError> {
    if let Some(fault) = fault(now_ns) {
        return Err(LowerFloorError::Clock(fault));
    }
    let (folder, server) = DataFolder::open_existing(path)?;
    let mut store = FjallStore::open(folder)?;
    store.load(&mut |_| {})?;
    Ok((server, store.lower_floor(floor_ns)?))
}

fn tell(server: &str, change: FloorChange, now_ns: i64) -> io::Result<()> {
    let mut out = Output::stdout();
    let now = rfc3339_millis(now_ns);
    match change {
        FloorChange::None => {
            writeln!(out, "{server} has no floor of expiry; nothing was changed")
        }
        FloorChange::Kept(floor_ns) => writeln!(
            out,
            "the floor of expiry of {server} is {}, which is not too high by this machine's clock ({now}); nothing was \
             changed",
            rfc3339_millis(floor_ns)
        ),
        FloorChange::Lowered { from_ns, to_ns } => writeln!(
            out,
            "the floor of expiry of {server} was {} and is now {}, by this machine's clock ({now})\nStart the server \
             again. What it had dropped comes back from servers that hold it; if none does, from a dump with herd load.",
            rfc3339_millis(from_ns),
            rfc3339_millis(to_ns)
        ),
    }
}
