//! What a script is made of: everything that clients do and that goes wrong, as data.

use std::fmt;
use std::time::Duration;

use herd_storage::{CommitFault, Crash};

/// A server, by its position in the topology.
pub(super) type Position = usize;

/// One thing that happens in a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// A client reports, or is forgotten.
    Report(Report),
    /// A server's process ends without warning, and its machine too if the disk says so.
    Crash { server: Position, crash: Crash },
    /// A server is told to stop, and does.
    Stop { server: Position },
    /// A server that is down starts.
    Start { server: Position },
    /// Something between two neighbours fails.
    Cut {
        from: Position,
        to: Position,
        cut: Cut,
    },
    /// All is well again between two neighbours.
    Join { from: Position, to: Position },
    /// A server's wall clock is set so far ahead of the true time, or behind it.
    SetClock { server: Position, ahead_s: i64 },
    /// A server's disk takes so much longer over the next thing it does.
    Stall { server: Position, for_ms: u64 },
    /// The next write or sync of a server's disk fails.
    FailDisk { server: Position, fault: DiskFault },
}

/// How a stretch fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Connections end, and none are made.
    Off,
    /// Nothing arrives, either way, and nobody is told.
    Silent,
    /// The same in one direction only.
    SilentOneWay,
}

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiskFault {
    Commit(CommitFault),
    Sync,
}

/// What an `IAMAT` or a `FORGET` says, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) server: Position,
    pub(super) client: u32,
    /// `None` for a `FORGET`, which has no time either.
    pub(super) location: Option<String>,
    pub(super) time: String,
}

/// An operation and when it happens, from the start of its episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timed {
    pub(super) at: Duration,
    pub(super) operation: Operation,
}

impl Report {
    pub(super) fn client_id(&self) -> Vec<u8> {
        format!("client{}", self.client).into_bytes()
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  {}", self.at.as_secs_f64(), self.operation)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Report(Report {
                server,
                client,
                location,
                time,
            }) => match location {
                Some(location) => write!(f, "IAMAT client{client} {location} {time} at {server}"),
                None => write!(f, "FORGET client{client} at {server}"),
            },
            Operation::Crash { server, crash } => write!(f, "crash {server}: {crash:?}"),
            Operation::Stop { server } => write!(f, "stop {server}"),
            Operation::Start { server } => write!(f, "start {server}"),
            Operation::Cut { from, to, cut } => write!(f, "cut {from} -> {to}: {cut:?}"),
            Operation::Join { from, to } => write!(f, "join {from} -> {to}"),
            Operation::SetClock { server, ahead_s } => {
                write!(f, "clock of {server} is {ahead_s:+} s off")
            }
            Operation::Stall { server, for_ms } => {
                write!(f, "disk of {server} stalls for {for_ms} ms")
            }
            Operation::FailDisk { server, fault } => {
                write!(f, "disk of {server} fails: {fault:?}")
            }
        }
    }
}
