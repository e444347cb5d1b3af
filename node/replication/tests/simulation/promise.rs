//! What a server surely still holds after what befell it, and so what each level of acknowledgement promises:
//! `docs/durability.md` as code. Pure.
//!
//! Where it is not sure, it says no: a promise that is left out costs a check, one too many a false alarm.

use std::time::Duration;

use herd_acknowledgement::AckLevel;

/// What has reached the store's queue is with the system after this long, if the disk does not stall.
const COMMITTED_AFTER: Duration = Duration::from_millis(300);

/// And synced after this long, at any level: syncs are at most a second apart.
const SYNCED_AFTER: Duration = Duration::from_secs(3);

/// A server waits for its neighbours' handshakes before its gossip begins, when it starts and under a new
/// incarnation. Until then it writes nothing.
pub(super) const GOSSIP_BEGINS_WITHIN: Duration = Duration::from_secs(3);

/// A neighbour's report that it has merged something is this old at most: a link over which nothing came
/// for 3 s is given up.
const REPORT_AGE_MAX: Duration = Duration::from_secs(4);

/// Something that befell a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Harm {
    pub(super) at: Duration,
    pub(super) kind: HarmKind,
}

/// What it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HarmKind {
    /// A process began, which is no harm, but writes nothing at first.
    ProcessBegan,
    /// The process ended; what the system had survives.
    ProcessEnded,
    /// Power was lost; what was synced survives.
    PowerLost,
    /// The disk is gone, or cannot be read any more.
    DiskLost,
    /// The next sync fails, whenever that is, and what the disk holds cannot be read from then on.
    Unreadable,
    /// From some time on nothing is written to the disk until the server starts anew.
    DiskFull,
    /// The disk takes so much longer over something.
    Stalled(Duration),
}

/// How a server has a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// In memory, and in its store's queue if it has a store.
    Merged,
    /// On disk, synced.
    Synced,
}

/// Everything that befell each server since the herd was last whole and quiet.
#[derive(Clone, Debug)]
pub(super) struct Harms {
    has_disks: bool,
    of: Vec<Vec<Harm>>,
}

impl Harms {
    pub(super) fn new(servers: usize, has_disks: bool) -> Self {
        Harms {
            has_disks,
            of: vec![Vec::new(); servers],
        }
    }

    pub(super) fn note(&mut self, server: usize, at: Duration, kind: HarmKind) {
        self.of[server].push(Harm { at, kind });
    }

    pub(super) fn clear(&mut self) {
        self.of.iter_mut().for_each(Vec::clear);
    }

    /// Whether anything ended that `server` held at this time, or its disk.
    pub(super) fn any_end_after(&self, at: Duration) -> bool {
        let ends = |harm: &Harm| {
            harm.at >= at && (harm.kind.ends_a_process() || harm.kind == HarmKind::DiskLost)
        };
        self.of.iter().flatten().any(ends)
    }

    /// Whether `server` has a disk that neither stalled nor failed.
    pub(super) fn can_write(&self, server: usize) -> bool {
        let fails = |harm: &Harm| {
            let kind = harm.kind;
            matches!(
                kind,
                HarmKind::DiskFull | HarmKind::Unreadable | HarmKind::Stalled(_)
            )
        };
        self.has_disks && !self.of[server].iter().any(fails)
    }

    /// How long disks stalled, all together.
    pub(super) fn longest_wait(&self) -> Duration {
        let stalls = self.of.iter().flatten().filter_map(|harm| match harm.kind {
            HarmKind::Stalled(time) => Some(time),
            _ => None,
        });
        stalls.sum()
    }

    /// Whether `server` surely still holds, in memory or on disk, what it held by this time.
    pub(super) fn holds(&self, server: usize, by: Duration, held: Held) -> bool {
        let harms = &self.of[server];
        let stalls: Duration = harms
            .iter()
            .filter_map(|harm| match harm.kind {
                HarmKind::Stalled(time) => Some(time),
                _ => None,
            })
            .sum();
        let never_written = harms
            .iter()
            .any(|harm| harm.kind == HarmKind::DiskFull && by + SYNCED_AFTER + stalls >= harm.at);
        let disk_lost = harms.iter().any(|harm| match harm.kind {
            HarmKind::DiskLost => harm.at >= by,
            HarmKind::Unreadable => true,
            _ => false,
        });
        let mut ends = harms.iter().filter(|harm| harm.at >= by);
        if !self.has_disks {
            return !ends.any(|harm| {
                matches!(
                    harm.kind,
                    HarmKind::ProcessEnded | HarmKind::PowerLost | HarmKind::DiskLost
                )
            });
        }
        let began = harms
            .iter()
            .filter(|harm| harm.kind == HarmKind::ProcessBegan && harm.at <= by);
        let queued = began
            .map(|harm| harm.at + GOSSIP_BEGINS_WITHIN)
            .fold(by, Duration::max);
        ends.all(|harm| {
            let after = harm.at.saturating_sub(queued);
            let written = match harm.kind {
                HarmKind::ProcessEnded => after >= COMMITTED_AFTER + stalls,
                HarmKind::PowerLost => after >= SYNCED_AFTER + stalls,
                _ => return true,
            };
            // A lost disk hurts once the process goes too.
            !disk_lost && (held == Held::Synced || (written && !never_written))
        })
    }

    /// Whether a report that `server` acknowledged under `level` at this time must not be lost.
    pub(super) fn promised(
        &self,
        level: AckLevel,
        server: usize,
        mut neighbours: impl Iterator<Item = usize>,
        at: Duration,
    ) -> bool {
        let own = if level.needs_disk() {
            Held::Synced
        } else {
            Held::Merged
        };
        if self.holds(server, at, own) {
            return true;
        }
        // One of the neighbours has it, we do not know which. A process of it that ended before we heard of
        // that may have been the one that had it.
        let since = at.saturating_sub(REPORT_AGE_MAX);
        let surely = |neighbour: usize| {
            let ended = self.of[neighbour]
                .iter()
                .any(|harm| (since..at).contains(&harm.at) && harm.kind.ends_a_process());
            match level {
                AckLevel::DiskAndPeer => self.holds(neighbour, at, Held::Synced),
                _ => !ended && self.holds(neighbour, at, Held::Merged),
            }
        };
        level.needs_peer() && neighbours.all(surely)
    }
}

impl HarmKind {
    fn ends_a_process(self) -> bool {
        matches!(self, HarmKind::ProcessEnded | HarmKind::PowerLost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Duration = Duration::from_secs(100);

    fn after(ms: u64) -> Duration {
        AT + Duration::from_millis(ms)
    }

    fn promised(harms: &Harms, level: AckLevel) -> bool {
        harms.promised(level, 0, [1, 2].into_iter(), AT)
    }

    fn levels(harms: &Harms) -> [bool; 4] {
        AckLevel::ALL.map(|level| promised(harms, level))
    }

    #[test]
    fn only_the_disk_level_survives_the_end_of_the_server() {
        let mut harms = Harms::new(3, true);
        assert_eq!(levels(&harms), [true; 4]);
        harms.note(0, after(5), HarmKind::PowerLost);
        assert_eq!(levels(&harms), [false, true, true, true]);
    }

    #[test]
    fn every_level_survives_what_comes_long_after() {
        let mut harms = Harms::new(3, true);
        for server in 0..3 {
            harms.note(server, after(400), HarmKind::ProcessEnded);
            harms.note(server, after(5_000), HarmKind::PowerLost);
        }
        assert_eq!(levels(&harms), [true; 4]);
        harms.note(0, after(100), HarmKind::Stalled(Duration::from_secs(9)));
        assert_eq!(levels(&harms), [false, true, true, true]);
    }

    #[test]
    fn the_peer_levels_survive_one_lost_disk_and_not_two() {
        let mut harms = Harms::new(3, true);
        harms.note(0, after(5_000), HarmKind::DiskLost);
        assert_eq!(levels(&harms), [true; 4], "the process lives");
        harms.note(0, after(5_000), HarmKind::ProcessEnded);
        assert_eq!(levels(&harms), [false, false, true, true]);
        harms.note(1, after(5), HarmKind::PowerLost);
        assert_eq!(levels(&harms), [false, false, false, true]);
        harms.note(1, after(6), HarmKind::DiskLost);
        assert_eq!(levels(&harms), [false; 4]);
    }

    #[test]
    fn without_disks_whatever_ends_a_process_takes_what_it_had() {
        let mut harms = Harms::new(3, false);
        harms.note(0, after(60_000), HarmKind::ProcessEnded);
        assert!(!promised(&harms, AckLevel::Memory) && promised(&harms, AckLevel::Peer));
        harms.note(2, after(60_000), HarmKind::ProcessEnded);
        assert!(!promised(&harms, AckLevel::Peer));
    }

    #[test]
    fn the_one_neighbour_may_have_ended_before_its_report() {
        let mut harms = Harms::new(3, true);
        harms.note(0, after(5), HarmKind::PowerLost);
        assert!(promised(&harms, AckLevel::Peer));
        harms.note(1, AT - Duration::from_secs(1), HarmKind::PowerLost);
        assert!(!promised(&harms, AckLevel::Peer) && promised(&harms, AckLevel::DiskAndPeer));
    }

    #[test]
    fn a_process_that_has_just_begun_has_not_written_anything() {
        let mut harms = Harms::new(3, true);
        harms.note(0, AT, HarmKind::ProcessBegan);
        assert_eq!(levels(&harms), [true; 4]);
        harms.note(0, after(1_000), HarmKind::ProcessEnded);
        assert_eq!(levels(&harms), [false, true, true, true]);
        harms.clear();
        harms.note(0, AT - GOSSIP_BEGINS_WITHIN, HarmKind::ProcessBegan);
        harms.note(0, after(1_000), HarmKind::ProcessEnded);
        assert_eq!(levels(&harms), [true; 4], "long since");
    }

    #[test]
    fn a_full_disk_takes_nothing_more() {
        let mut harms = Harms::new(3, true);
        harms.note(0, AT - Duration::from_secs(50), HarmKind::DiskFull);
        harms.note(0, after(60_000), HarmKind::ProcessEnded);
        assert_eq!(levels(&harms), [false, true, true, true]);
        harms.clear();
        harms.note(0, after(10_000), HarmKind::DiskFull);
        harms.note(0, after(60_000), HarmKind::ProcessEnded);
        assert_eq!(levels(&harms), [true; 4], "it was written before");
    }
}
