//! How much changed between two looks.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use herd_server::status::comparison::StatusAnswer;
use herd_server::status::{Status, short_duration};

/// The text for a figure that is not known.
const UNKNOWN: &str = "-";

/// Rates and other figures of each server, by the last two answers that it gave.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: BTreeMap<String, Sample>,
}

#[derive(Debug)]
struct Sample {
    incarnation: String,
    at: Instant,
    updates: u64,
    commands: u64,
    commands_s: f64,
    connections: u64,
    resident_bytes: Option<u64>,
    change: Option<Change>,
}

/// What happened between two answers.
#[derive(Clone, Copy, Debug)]
struct Change {
    updates_per_s: f64,
    commands_per_s: f64,
    /// The mean time of a command; nothing if there was none.
    command: Option<Duration>,
}

impl Sample {
    fn of(status: &Status, earlier: Option<&Sample>, now: Instant) -> Self {
        let mut sample = Sample {
            incarnation: status.incarnation.clone(),
            at: now,
            updates: status.map.updates,
            commands: status.clients.commands,
            commands_s: status.clients.commands_s,
            connections: status.clients.connections,
            resident_bytes: status.process.resident_bytes,
            change: None,
        };
        sample.change = earlier.and_then(|earlier| sample.since(earlier));
        sample
    }

    /// Another incarnation of the same process goes on counting; a lower count is a new process.
    fn since(&self, earlier: &Sample) -> Option<Change> {
        let updates = self.updates.checked_sub(earlier.updates)?;
        let commands = self.commands.checked_sub(earlier.commands)?;
        let passed_s = self.at.duration_since(earlier.at).as_secs_f64();
        let same = earlier.incarnation == self.incarnation;
        let command_s = (self.commands_s - earlier.commands_s) / commands as f64;
        let command = Duration::try_from_secs_f64(command_s).ok();
        (same && passed_s > 0.0).then(|| Change {
            updates_per_s: updates as f64 / passed_s,
            commands_per_s: commands as f64 / passed_s,
            command: command.filter(|_| commands > 0),
        })
    }
}

impl Rates {
    /// Takes in the answers of servers at this time.
    pub(super) fn note(&mut self, answers: &[StatusAnswer], now: Instant) {
        let said = answers.iter().filter_map(|answer| answer.status.as_ref());
        let looks = said.map(|status| {
            let earlier = self.last.get(&status.server);
            (status.server.clone(), Sample::of(status, earlier, now))
        });
        self.last = looks.collect();
    }

    fn change(&self, server: &str) -> Option<Change> {
        self.last.get(server)?.change
    }

    /// Records that changed the map, per second.
    pub(super) fn news(&self, server: &str) -> String {
        rate(self.change(server).map(|change| change.updates_per_s))
    }

    /// Commands of clients per second.
    pub(super) fn commands(&self, server: &str) -> String {
        rate(self.change(server).map(|change| change.commands_per_s))
    }

    /// The mean time from reading a command until its reply could be sent.
    pub(super) fn latency(&self, server: &str) -> String {
        let command = self.change(server).and_then(|change| change.command);
        command.map_or_else(
            || UNKNOWN.to_owned(),
            |time| match time.as_millis() {
                0 => format!("{}us", time.as_micros()),
                _ => short_duration(time),
            },
        )
    }

    /// Open connections of clients.
    pub(super) fn connections(&self, server: &str) -> String {
        let sample = self.last.get(server);
        sample.map_or_else(
            || UNKNOWN.to_owned(),
            |sample| sample.connections.to_string(),
        )
    }

    /// Memory in RAM.
    pub(super) fn memory(&self, server: &str) -> String {
        let bytes = self
            .last
            .get(server)
            .and_then(|sample| sample.resident_bytes);
        bytes.map_or_else(
            || UNKNOWN.to_owned(),
            |bytes| format!("{} MiB", bytes >> 20),
        )
    }
}

fn rate(per_s: Option<f64>) -> String {
    per_s.map_or_else(|| UNKNOWN.to_owned(), |rate| format!("{rate:.0}"))
}
