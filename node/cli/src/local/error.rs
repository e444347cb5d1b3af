//! Why a herd on this machine did not start, or did not end well.

use std::fmt::{self, Display};
use std::io;
use std::path::PathBuf;

use herd_crdt::ServerName;

use crate::exit_code;
use herd_server::listeners::BindError;
use herd_tls::TlsError;

/// The reason why a herd on this machine did not start, or did not end well. In each case no server of it is left
/// running.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Ports that cannot be bound. No server was started.
    #[error("{}", IndentedLines(.0))]
    Ports(Vec<TakenPort>),
    /// Another herd writes to the data folder. No server was started.
    #[error(
        "another herd uses the folder {}; stop it, or name another folder with --data-dir",
        .0.display()
    )]
    DataDirTaken(PathBuf),
    /// The data folder cannot be made or written. No server was started.
    #[error("cannot write to {}: {source}", path.display())]
    DataDir {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Certificates cannot be made or written. No server was started.
    #[error("cannot make certificates for links: {0}")]
    Certificates(#[from] TlsError),
    /// The thread that writes to the terminal could not be started. No server was started.
    #[error("cannot start a thread: {0}")]
    Console(io::Error),
    /// A process could not be started. Those started before it were stopped.
    #[error("cannot start {server}: {source}")]
    Spawn {
        /// The server.
        server: ServerName,
        /// Why not.
        source: io::Error,
    },
    /// A server ended because it could not start, and said why. The others were stopped.
    #[error("{server} could not start; the herd is stopped")]
    NotStarted {
        /// The server.
        server: ServerName,
        /// Its exit status, which is this process' too.
        status: u8,
    },
    /// Every server ended by itself.
    #[error("every server has died")]
    NoServerLeft,
    /// Servers that did not stop when told to, and were killed.
    #[error("had to kill {}", .0.join(", "))]
    Killed(Vec<String>),
    /// Told to stop a second time; the servers were killed.
    #[error("told to stop twice: killed the remaining servers")]
    Interrupted,
}

/// A port that a server needs and cannot have.
#[derive(Debug, thiserror::Error)]
#[error("{server}: {error}")]
pub struct TakenPort {
    /// The server.
    pub server: ServerName,
    /// The address, its purpose and the reason.
    pub error: BindError,
}

struct IndentedLines<'a, T>(&'a [T]);

impl<T: Display> Display for IndentedLines<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{item}")?;
        }
        Ok(())
    }
}

impl LocalError {
    /// The exit status that says the same.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            LocalError::Ports(_) | LocalError::DataDirTaken(_) => exit_code::UNAVAILABLE,
            LocalError::DataDir { .. } | LocalError::Certificates(_) => exit_code::IO,
            LocalError::NotStarted { status, .. } => *status,
            LocalError::Console(_)
            | LocalError::Spawn { .. }
            | LocalError::NoServerLeft
            | LocalError::Killed(_) => exit_code::INTERNAL,
            LocalError::Interrupted => exit_code::INTERRUPTED,
        }
    }
}
