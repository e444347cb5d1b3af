//! The records that a server surely still holds after harm, and so the promise of each acknowledgement level:
//! `docs/durability.md` as code, for real processes. `node/replication/tests/simulation/promise.rs` is its model,
//! where every moment is known. Here only an interval of time is known for each event.
//!
//! In doubt it says no: a missing promise costs a check, a wrong one is a false alarm.

use std::collections::HashMap;
use std::time::Duration;

use super::{Call, ClientCommand, ClientReply, Harm, HarmKind, History, Record, ServerIndex};

/// The time after which writes in the store's queue are with the system, if nothing stalls: 10 ms are documented, the
/// rest is for a busy machine.
const COMMITTED_AFTER: Duration = Duration::from_secs(2);

/// And synced after this long, at any level: documented is 1 s.
const SYNCED_AFTER: Duration = Duration::from_secs(5);

/// A process writes nothing before its gossip begins: after its store is read, and 1 s.
const GOSSIP_BEGINS_WITHIN: Duration = Duration::from_secs(6);

/// A neighbour's report that it has merged something is this old at most: a link over which nothing came for 3 s is
/// given up.
const REPORT_AGE_MAX: Duration = Duration::from_secs(4);

/// A report that came less than this before a crash may have been about to replace another.
const REPLACING: Duration = Duration::from_secs(10);

/// How a server has a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordSafety {
    /// In memory, and in its store's queue if it has a store.
    Merged,
    /// On disk, synced.
    Synced,
}

/// When a server came to have a record: between these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Had {
    /// Not before this.
    pub from: Duration,
    /// Not after this.
    pub by: Duration,
}

/// The harm to each server up to some time.
#[derive(Debug)]
pub struct Promises<'a> {
    history: &'a History,
    of: Vec<Vec<&'a Harm>>,
    /// All reports of each client, with their times in nanoseconds.
    reports: HashMap<&'a [u8], Vec<(i128, &'a Call)>>,
}

impl<'a> Promises<'a> {
    /// The promises after all harm that had begun by `until`.
    pub fn at(history: &'a History, until: Duration) -> Self {
        let mut of = vec![Vec::new(); history.names.len()];
        for harm in &history.harms {
            if harm.from <= until {
                of[harm.server].push(harm);
            }
        }
        let mut reports: HashMap<_, Vec<_>> = HashMap::new();
        for call in &history.calls {
            if let Some(time_ns) = call.reported_ns() {
                let of_client = reports.entry(call.command.client()).or_default();
                of_client.push((time_ns, call));
            }
        }
        Promises {
            history,
            of,
            reports,
        }
    }

    /// The level of the server's own that an acknowledgement tells of.
    pub fn own(&self) -> RecordSafety {
        if self.history.level.needs_disk() {
            RecordSafety::Synced
        } else {
            RecordSafety::Merged
        }
    }

    /// Whether `server` surely still holds its record of that time, or something greater.
    pub fn holds(&self, server: ServerIndex, had: Had, held: RecordSafety) -> bool {
        let harms = &self.of[server];
        let mut ends = harms
            .iter()
            .filter(|harm| harm.kind.ends_at_once() && harm.to >= had.from);
        let disk_lost = harms
            .iter()
            .any(|harm| harm.kind == HarmKind::DiskLost && harm.to >= had.from);
        if !self.history.has_disks {
            let stops = harms
                .iter()
                .any(|harm| harm.kind == HarmKind::Stopped && harm.to >= had.from);
            return !stops && ends.next().is_none();
        }
        let ended = harms.iter().any(|harm| {
            (harm.kind.ends_at_once() || harm.kind == HarmKind::Stopped) && harm.to >= had.from
        });
        if disk_lost && ended {
            return false;
        }
        held == RecordSafety::Synced || ends.all(|end| self.is_written(server, had, end))
    }

    /// Whether a record merged then was surely on disk, as this harm requires, before the harm.
    fn is_written(&self, server: ServerIndex, had: Had, end: &Harm) -> bool {
        let harms = &self.of[server];
        let stalls: Duration = harms
            .iter()
            .filter(|harm| harm.kind == HarmKind::Stalled)
            .map(|harm| {
                harm.to
                    .min(end.from)
                    .saturating_sub(harm.from.max(had.from))
            })
            .sum();
        let began = harms
            .iter()
            .filter(|harm| matches!(harm.kind, HarmKind::ProcessBegan(_)) && harm.from <= had.by);
        let queued = began
            .map(|harm| harm.to + GOSSIP_BEGINS_WITHIN)
            .fold(had.by, Duration::max);
        let full = harms.iter().any(|harm| {
            harm.kind == HarmKind::DiskFull
                && harm.to >= had.from
                && queued + SYNCED_AFTER + stalls >= harm.from
        });
        let takes = match end.kind {
            HarmKind::PowerLost => SYNCED_AFTER,
            _ => COMMITTED_AFTER,
        };
        !full && end.from.saturating_sub(queued) >= takes + stalls
    }

    /// Whether the acknowledged record of this call, or something greater, must be there once the herd is whole. The
    /// record is that of its reply.
    pub fn promised(&self, call: &Call, record: &Record) -> bool {
        let server = call.process.server;
        let had = Had {
            from: call.invoked,
            by: call.completed,
        };
        if self.holds(server, had, self.own()) {
            return true;
        }
        if !self.history.level.needs_peer() {
            return false;
        }
        // One of the neighbours has it, we do not know which. A process of it that ended before we heard of that may
        // have been the one that had it.
        let had = Had {
            from: call.invoked.saturating_sub(REPORT_AGE_MAX),
            ..had
        };
        let mut neighbours = self.history.neighbours(server);
        neighbours.all(|neighbour| self.holds(neighbour, had, self.own()))
            && !self.was_being_replaced(call, record)
    }

    /// Whether a crash of a neighbour came so soon after a greater report that both may be lost: "For a moment, both
    /// at once" in the document.
    fn was_being_replaced(&self, call: &Call, record: &Record) -> bool {
        let server = call.process.server;
        let crashes = self
            .history
            .neighbours(server)
            .flat_map(|neighbour| &self.of[neighbour])
            .filter(|harm| harm.kind.ends_at_once() && harm.to >= call.invoked);
        let crashes: Vec<&&Harm> = crashes.collect();
        let reports = self.reports.get(&*record.client);
        reports.into_iter().flatten().any(|(time_ns, other)| {
            let under_way = |crash: &&&Harm| {
                let in_time = other.completed + REPLACING >= crash.from;
                other.invoked <= crash.to && (other.reply == ClientReply::Unknown || in_time)
            };
            *time_ns >= record.time_ns && *other != call && crashes.iter().any(under_way)
        })
    }
}

impl Call {
    /// The time that it reports, if it is a report.
    fn reported_ns(&self) -> Option<i128> {
        match &self.command {
            ClientCommand::Report { time, .. } => super::record::nanoseconds(time.as_bytes()),
            ClientCommand::Question { .. } => None,
        }
    }
}

#[cfg(test)]
#[path = "promise_tests.rs"]
mod tests;
