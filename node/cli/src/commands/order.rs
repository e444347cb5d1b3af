//! `herd stop` and `herd start`: orders for one server of a running `herd local`.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::options::{Order, SettingFlags};
use super::output::Output;
use super::report::{cannot_print, complain_of};
use crate::exit_code;
use crate::local::orders::{LINE_BYTES_MAX, OrderKind, SESSION_TIME_MAX, SOCKET_FILE, ServerOrder};
use herd_server::settings::{Command, DATA_DIR, Environment, Resolver, Setting};

/// The herd refused: there is no such server, or it does so already.
const EXIT_REFUSED: u8 = 1;

/// Options of `herd stop`.
#[derive(Debug, clap::Args)]
pub(super) struct StopArgs {
    /// Name of the server
    #[arg(value_name = "NAME")]
    server: String,
    /// Kill it, as a crash does: what it has not passed on yet is lost if it is not on its disk
    #[arg(long)]
    kill: bool,
    #[command(flatten)]
    settings: SettingFlags<Order>,
}

/// Options of `herd start`.
#[derive(Debug, clap::Args)]
pub(super) struct StartArgs {
    /// Name of the server
    #[arg(value_name = "NAME")]
    server: String,
    #[command(flatten)]
    settings: SettingFlags<Order>,
}

/// Why the order did not arrive, or its answer did not.
#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error(
        "no `herd local` runs in {} ({source}); run this in the folder where it was started, or name its data folder \
         with --data-dir",
        folder.display()
    )]
    NotFound { folder: PathBuf, source: io::Error },
    #[error("the `herd local` gave no answer: {0}; `herd status` says how the herd is")]
    Lost(io::Error),
}

pub(super) fn run_stop(args: &StopArgs) -> u8 {
    let kind = if args.kill {
        OrderKind::Kill
    } else {
        OrderKind::Stop
    };
    order("herd stop", kind, &args.server, &args.settings)
}

pub(super) fn run_start(args: &StartArgs) -> u8 {
    order("herd start", OrderKind::Start, &args.server, &args.settings)
}

fn order(who: &str, kind: OrderKind, server: &str, settings: &SettingFlags<Order>) -> u8 {
    if server.is_empty() || server.contains([' ', '\n']) {
        complain_of(who, format_args!("`{server}` is not the name of a server"));
        return exit_code::USAGE;
    }
    let environment = Environment::of_process();
    let resolver = Resolver::new(Command::Order, settings.given(), &environment);
    let folder = resolver.given(Setting::DataDir);
    let folder = folder.map_or_else(|| DATA_DIR.into(), |given| PathBuf::from(given.text));
    let server = server.to_owned();
    let answer = match ask(&folder, &ServerOrder { kind, server }) {
        Ok(answer) => answer,
        Err(error) => {
            complain_of(who, &error);
            return match error {
                OrderError::NotFound { .. } => exit_code::UNAVAILABLE,
                OrderError::Lost(_) => exit_code::IO,
            };
        }
    };
    match answer.trim_end().split_once(' ') {
        Some(("OK", sentence)) => {
            let line = format!("{sentence}\n");
            match Output::stdout().write_all(line.as_bytes()) {
                Ok(()) => exit_code::OK,
                Err(error) => cannot_print(&error),
            }
        }
        Some(("NO", reason)) => {
            complain_of(who, reason);
            EXIT_REFUSED
        }
        _ => {
            complain_of(who, OrderError::Lost(io::ErrorKind::UnexpectedEof.into()));
            exit_code::IO
        }
    }
}

/// Sends the order, and waits for the answer.
fn ask(folder: &Path, order: &ServerOrder) -> Result<String, OrderError> {
    let found = UnixStream::connect(folder.join(SOCKET_FILE));
    let mut stream = found.map_err(|source| OrderError::NotFound {
        folder: folder.to_owned(),
        source,
    })?;
    let mut exchange = || {
        stream.set_read_timeout(Some(SESSION_TIME_MAX))?;
        stream.set_write_timeout(Some(SESSION_TIME_MAX))?;
        stream.write_all(format!("{order}\n").as_bytes())?;
        let mut answer = String::new();
        (&stream).take(LINE_BYTES_MAX).read_to_string(&mut answer)?;
        Ok(answer)
    };
    exchange().map_err(OrderError::Lost)
}
