//! `herd dump` and `herd load`: all records out of a running server, and records into one.

mod dump;
pub(super) mod find;
mod load;
mod new_file;
mod progress;
mod server;

pub(super) use dump::{DumpArgs, run as run_dump};
pub(super) use load::{LoadArgs, run as run_load};

use std::io;

use super::report;
use crate::exit_code;

/// Why a dump or load did not come to its end.
#[derive(Debug, thiserror::Error)]
enum ControlError {
    /// No server could be reached. Nothing was read or written.
    #[error("{0}")]
    NotFound(String),
    /// The server says so.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// The connection broke, or the server is stuck.
    #[error("{done}: {reason}")]
    Lost {
        /// The state until then, and the advice.
        done: &'static str,
        /// Why.
        reason: String,
    },
    /// This program does not understand the answer of the server.
    #[error("{0}: the server's answer is not understood; is it of another version?")]
    NotUnderstood(&'static str),
    /// Standard output: its reader has closed it.
    #[error("the reader of the output has closed it")]
    BrokenPipe,
    /// A file, or standard input or output.
    #[error("{what}: {source}")]
    File {
        /// The action that failed.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

impl ControlError {
    /// A file or stream of this process failed.
    fn file(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        |source| match source.kind() {
            io::ErrorKind::BrokenPipe => ControlError::BrokenPipe,
            _ => ControlError::File {
                what: what.into(),
                source,
            },
        }
    }

    /// Tells it, and gives the exit status that says the same.
    fn tell(&self) -> u8 {
        match self {
            ControlError::NotFound(_) | ControlError::Refused(_) => {
                report::complain(self);
                exit_code::UNAVAILABLE
            }
            // The reader of the output has enough, as in `herd dump | head`.
            ControlError::BrokenPipe => exit_code::IO,
            ControlError::Lost { .. }
            | ControlError::NotUnderstood(_)
            | ControlError::File { .. } => {
                report::complain(self);
                exit_code::IO
            }
        }
    }
}
