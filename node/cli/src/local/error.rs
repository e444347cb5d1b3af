//! Why a herd on this machine did not start, or did not end well.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use herd_crdt::ServerName;

use crate::exit_code;
use herd_server::control::ControlSocketError;
use herd_server::listeners::BindError;
use herd_tls::TlsError;

/// The reason why a herd on this machine did not start, or did not end well. In each case no server of it is left
/// running.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Ports that cannot be bound. No server was started.
    #[error("{}", PortsTaken { ports, herd: herd.as_ref(), next_base: *next_base })]
    Ports {
        /// The ports.
        ports: Vec<TakenPort>,
        /// The herd that has them, if it is one.
        herd: Option<Neighbourhood>,
        /// Where the client ports of the built-in herd could begin instead; nothing of another herd.
        next_base: Option<u16>,
    },
    /// Another herd writes to the data folder. No server was started.
    #[error(
        "another `herd local` runs in the folder {}; stop it (Ctrl-C in its terminal), or name another folder with \
         --data-dir",
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
    /// Data of an earlier herd cannot be removed. Some of it may be gone; no server was started.
    #[error("cannot remove {}: {source}; try --fresh again", path.display())]
    NotFresh {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No socket for `herd stop` and `herd start`. No server was started.
    #[error(transparent)]
    Orders(#[from] ControlSocketError),
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

/// Another herd on this machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Neighbourhood {
    /// Its name.
    pub cluster: String,
    /// Where one of its servers answers over HTTP.
    pub address: SocketAddr,
}

/// One line for the ports that are taken, and the way out.
struct PortsTaken<'a> {
    ports: &'a [TakenPort],
    herd: Option<&'a Neighbourhood>,
    next_base: Option<u16>,
}

impl fmt::Display for PortsTaken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.herd, self.ports) {
            (Some(Neighbourhood { cluster, address }), _) => write!(
                f,
                "the herd `{cluster}` runs at these ports already: see http://{address}/. Stop it (Ctrl-C in its \
                 terminal)"
            )?,
            (None, [first]) => first.fmt(f)?,
            (None, [first, rest @ ..]) => {
                write!(f, "{first}, and so are {} further ports", rest.len())?;
            }
            (None, []) => {}
        }
        let is_taken = |port: &TakenPort| port.error.source.kind() == io::ErrorKind::AddrInUse;
        match (self.next_base, self.herd.is_some()) {
            (Some(base), true) => write!(
                f,
                ", or start this one beside it: --client-port-base {base} --data-dir herd-data-2"
            ),
            (Some(base), false) if self.ports.iter().any(is_taken) => {
                write!(f, "; other ports are --client-port-base {base}")
            }
            (None, true) => f.write_str(", or give this one other ports in its topology file"),
            _ => Ok(()),
        }
    }
}

impl LocalError {
    /// The exit status that says the same.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            LocalError::Ports { .. } | LocalError::DataDirTaken(_) => exit_code::UNAVAILABLE,
            LocalError::DataDir { .. }
            | LocalError::NotFresh { .. }
            | LocalError::Orders(_)
            | LocalError::Certificates(_) => exit_code::IO,
            LocalError::NotStarted { status, .. } => *status,
            LocalError::Console(_)
            | LocalError::Spawn { .. }
            | LocalError::NoServerLeft
            | LocalError::Killed(_) => exit_code::INTERNAL,
            LocalError::Interrupted => exit_code::INTERRUPTED,
        }
    }
}
