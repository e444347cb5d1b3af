//! Histories of real herds: the commands of clients and the replies of servers under faults, and checks of them. All
//! of this is pure; `tests/histories` runs it against processes.
//!
//! A [`Scenario`] is drawn from a seed before a run: the herd, the steps of its clients and the faults. The run
//! writes a [`History`]. [`checkers::all`] finds violations of the promises in `docs/`. Nothing here uses code of the
//! program: records are read and ordered anew, as `docs/replication.md` has it.

mod call;
pub mod checkers;
mod fault;
mod faults;
mod harm;
mod level;
mod promise;
mod record;
mod scenario;
mod workload;

pub use call::{Call, ClientCommand, ClientReply, ServerRun};
pub use fault::{Cut, Fault, TimedFault};
pub use harm::{Harm, HarmKind};
pub use level::Level;
pub use promise::{Had, Promises, RecordSafety};
pub use record::Record;
pub use scenario::{Means, Scenario, Shape};
pub use workload::{Step, StepCommand, StepTime};

use std::time::Duration;

/// A server, by its position in the topology.
pub type ServerIndex = usize;

/// Everything that was seen of a herd. All times are since its beginning, on one monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The servers' names.
    pub names: Vec<String>,
    /// Which servers are neighbours.
    pub links: Vec<(ServerIndex, ServerIndex)>,
    /// How safe a report is before it is acknowledged.
    pub level: Level,
    /// Whether servers keep their data on disk.
    pub has_disks: bool,
    /// When a report is refused that could not be made safe.
    pub ack_timeout: Duration,
    /// How far ahead of a server's clock a report may be.
    pub clock_skew_max: Duration,
    /// The wall clock at the beginning, in nanoseconds since the POSIX epoch.
    pub began_ns: i128,
    /// The commands and replies of clients, in no order.
    pub calls: Vec<Call>,
    /// The harm to servers.
    pub harms: Vec<Harm>,
    /// Since when the herd was whole and quiet.
    pub quiet_from: Duration,
    /// The final map of each server: the lines of its dump without the last, in order of the topology.
    pub dumps: Vec<Vec<Vec<u8>>>,
}

impl History {
    /// The neighbours of a server.
    pub fn neighbours(&self, server: ServerIndex) -> impl Iterator<Item = ServerIndex> {
        self.links.iter().filter_map(move |&(a, b)| match server {
            _ if server == a => Some(b),
            _ if server == b => Some(a),
            _ => None,
        })
    }

    /// All calls about a client, in the order of their beginnings, one a line.
    pub fn about(&self, client: &[u8]) -> String {
        let mut calls: Vec<&Call> = self
            .calls
            .iter()
            .filter(|call| call.command.client() == client)
            .collect();
        calls.sort_by_key(|call| call.invoked);
        let line = |call: &Call| call.show(&self.names);
        calls.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// All that befell servers, one a line.
    pub fn harms_text(&self) -> String {
        let line = |harm: &Harm| harm.show(&self.names);
        self.harms.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Bytes as text, for people.
pub(crate) fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[cfg(test)]
mod samples;
