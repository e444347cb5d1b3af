//! The clients that were forgotten lately: their locations have to leave all groups that hold them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use herd_crdt::group::GroupFormat;
use herd_crdt::{Merged, Outcome, Record, ServerName};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::Locations;
use super::shard::Shard;

/// Clients that are noted one by one, of 16 bytes each. With more of them, all clients that are forgotten count as
/// forgotten lately.
pub const FORGOTTEN_NOTED_MAX: usize = 65_536;

/// Notes of tombstones that have come since the last look.
#[derive(Debug, Default)]
pub(super) struct Forgettings {
    noted: Mutex<Noted>,
    /// Nobody takes them.
    is_ignored: AtomicBool,
    read: watch::Sender<TombstonesRead>,
}

/// Whether all live servers read tombstones, as far as is known. Until one that does not is upgraded it would go on to
/// answer for clients that are forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TombstonesRead {
    /// They do.
    #[default]
    ByAll,
    /// The release of this one does not.
    NotBy(ServerName),
    /// Nobody knows yet: this server has just started.
    Unknown,
}

/// Clients that were forgotten, and when.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// By the hash of the client, the time of the latest tombstone in nanoseconds.
    by_hash: HashMap<u64, i64>,
    /// There were too many: every tombstone in the map counts.
    all: bool,
}

impl Forgettings {
    pub(super) fn note(&self, hash: u64, time_ns: i64) {
        if !self.is_ignored.load(Ordering::Relaxed) {
            self.noted.lock().note(hash, time_ns);
        }
    }
}

impl Noted {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty() && !self.all
    }

    /// Whether a location of this client and time has to leave.
    #[must_use]
    pub fn means(&self, locations: &Locations, client: &[u8], time_ns: i64) -> bool {
        let hash = locations.hash(client);
        if let Some(&tombstone_ns) = self.by_hash.get(&hash) {
            return time_ns <= tombstone_ns;
        }
        self.all
            && locations
                .held(client)
                .is_some_and(|held| held.is_tombstone() && time_ns <= held.time().ns())
    }

    /// The same of a client by its hash, whatever the time.
    #[must_use]
    pub fn means_hash(&self, locations: &Locations, hash: u64) -> bool {
        let is_forgotten = || {
            let shard = locations.shard(hash).lock();
            let mut records = shard.map.with_hash(hash);
            records.any(Record::is_tombstone)
        };
        self.by_hash.contains_key(&hash) || self.all && is_forgotten()
    }

    /// Whether a group holds a location that has to leave. One that cannot be read holds none that was ever in the map.
    #[must_use]
    pub fn is_shown_by(&self, group: &[u8], format: GroupFormat, locations: &Locations) -> bool {
        let has_client = format.has_client(group, |client| self.means(locations, client, i64::MIN));
        // Only then the rest is read.
        if !has_client.unwrap_or(false) {
            return false;
        }
        format.read(group).is_ok_and(|group| {
            let mut records = group.records().filter(|record| !record.is_tombstone());
            records.any(|record| self.means(locations, record.client(), record.time().ns()))
        })
    }

    /// How many there are, at least.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Adds other notes.
    pub fn add(&mut self, other: Noted) {
        self.all |= other.all;
        for (hash, time_ns) in other.by_hash {
            self.note(hash, time_ns);
        }
    }

    fn note(&mut self, hash: u64, time_ns: i64) {
        if let Some(known_ns) = self.by_hash.get_mut(&hash) {
            *known_ns = time_ns.max(*known_ns);
        } else if self.by_hash.len() < FORGOTTEN_NOTED_MAX {
            self.by_hash.insert(hash, time_ns);
        } else {
            self.all = true;
        }
    }
}

impl Locations {
    /// Takes the notes of all tombstones that have come since the last call.
    pub fn take_forgettings(&self) -> Noted {
        std::mem::take(&mut self.forgettings.noted.lock())
    }

    /// Drops all notes, those to come too: nothing that this server holds is in groups or on a disk.
    pub fn ignore_forgettings(&self) {
        self.forgettings.is_ignored.store(true, Ordering::Relaxed);
        self.take_forgettings();
    }

    /// How many are noted, at least.
    pub fn forgettings(&self) -> usize {
        self.forgettings.noted.lock().len()
    }

    /// Puts notes back that were taken, and not attended to.
    pub fn put_back_forgettings(&self, noted: Noted) {
        self.forgettings.noted.lock().add(noted);
    }

    /// Whether all live servers read tombstones.
    pub fn tombstones_read(&self) -> TombstonesRead {
        self.forgettings.read.borrow().clone()
    }

    /// Sets [`Locations::tombstones_read`].
    pub fn set_tombstones_read(&self, read: TombstonesRead) {
        self.forgettings.read.send_replace(read);
    }

    /// Resolves when [`Locations::tombstones_read`] is known.
    pub async fn tombstone_readers_known(&self) {
        let mut read = self.forgettings.read.subscribe();
        // The sender lives in `self`.
        let _ = read.wait_for(|read| *read != TombstonesRead::Unknown).await;
    }
}

/// Up to which time the locations of a client have to leave all groups, now that a tombstone of `time_ns` was merged. They
/// have to even if the client has reported later than it: earlier ones may still stand in groups. A tombstone that lost to
/// another is covered by that.
pub(super) fn forgets_up_to_ns(
    shard: &Shard,
    hash: u64,
    merged: &Merged,
    time_ns: i64,
) -> Option<i64> {
    let is_located = || {
        let mut records = shard.map.with_hash(hash);
        records.any(|record| !record.is_tombstone())
    };
    let is_noted = merged.outcome.changed() || merged.outcome == Outcome::Stale && is_located();
    is_noted.then_some(time_ns)
}

/// The same, now that a location was delivered: if a tombstone has kept it out. A server that was away has published it,
/// so it stands in groups and stores once more.
pub(super) fn kept_out_up_to_ns(shard: &Shard, hash: u64, merged: &Merged) -> Option<i64> {
    if !matches!(merged.outcome, Outcome::Stale | Outcome::TieLost) {
        return None;
    }
    let mut records = shard.map.with_hash(hash);
    let tombstone = records.find(|record| record.is_tombstone())?;
    Some(tombstone.time().ns())
}

#[cfg(test)]
mod tests {
    use herd_crdt::ReportTime;

    use super::*;

    #[test]
    fn beyond_the_bound_every_tombstone_counts() {
        let locations = Locations::default();
        let tombstone = |client: &str, ns: i64| {
            let time = ReportTime::of_ns(ns);
            Record::tombstone(client.as_bytes(), time, "Hill".into(), 0).unwrap()
        };
        for number in 0..=FORGOTTEN_NOTED_MAX {
            locations.report(tombstone(&number.to_string(), 5));
        }
        let noted = locations.take_forgettings();
        let last = FORGOTTEN_NOTED_MAX.to_string();
        for client in ["0", &last] {
            assert!(noted.means(&locations, client.as_bytes(), 5), "{client}");
            assert!(!noted.means(&locations, client.as_bytes(), 6), "{client}");
        }
        assert!(!noted.means(&locations, b"emu", 5));
        let hash = |client: &[u8]| locations.hash_of(client);
        assert!(noted.means_hash(&locations, hash(last.as_bytes())));
        assert!(!noted.means_hash(&locations, hash(b"emu")));
        locations.report(tombstone("emu", 7));
        locations.put_back_forgettings(noted);
        let noted = locations.take_forgettings();
        assert!(noted.means(&locations, b"emu", 7) && noted.len() == FORGOTTEN_NOTED_MAX);
    }

    #[test]
    fn a_server_in_memory_alone_collects_no_notes() {
        let locations = Locations::default();
        let tombstone = |client: &[u8]| {
            let time = ReportTime::of_ns(5);
            locations.report(Record::tombstone(client, time, "Hill".into(), 0).unwrap());
        };
        tombstone(b"kiwi");
        assert_eq!(locations.forgettings(), 1);
        locations.ignore_forgettings();
        tombstone(b"emu");
        assert_eq!(locations.forgettings(), 0);
    }
}
