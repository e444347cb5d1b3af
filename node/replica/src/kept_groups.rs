//! Groups of records that others have overwritten before anything greater had come: in the store until it has, or
//! until this server publishes them.

use std::time::{Duration, Instant};

use herd_crdt::group::{GroupBuilder, GroupFormat};
use herd_crdt::{ServerMap, SlotId};

use super::held_groups::{HeldGroups, LostPlace, Overwritten};
use super::incarnation::Incarnation;
use super::store::StoreGroup;

/// Slots of this server's that are in the store only, never in gossip: those from here on. The publisher counts
/// its own from zero, and has memory for far fewer.
const FIRST_SLOT: u32 = 1 << 31;

/// What superseded a record where it was published comes within moments, if it comes. Nobody is asked for it
/// before this long.
const AWAITED: Duration = Duration::from_secs(2);

/// Rounds of the publisher after which everything that was pending at a time is given to the store: one may have
/// been under way, and did not see it.
const ROUNDS: u64 = 2;

/// The groups of one incarnation of this server. After a restart they are groups of an earlier life like others,
/// whose records are published again.
#[derive(Debug)]
pub(crate) struct KeptGroups {
    incarnation: Incarnation,
    format: GroupFormat,
    kept: Vec<Kept>,
    free: Vec<SlotId>,
    used: u32,
}

/// What was overwritten by one change.
#[derive(Debug)]
struct Kept {
    slots: Vec<SlotId>,
    lost: Vec<LostPlace>,
    since: Instant,
    /// What the living deliver was looked at again since.
    is_asked_for: bool,
    /// The round of the publisher after which it can go; nothing as long as a record has no other place.
    due: Option<u64>,
}

/// What becomes of kept records.
#[derive(Debug, Default)]
pub(crate) struct Review {
    /// Writes that empty groups which are not needed any more.
    pub(crate) writes: Vec<StoreGroup>,
    /// Something is missed for so long that what the living deliver should be looked at again.
    pub(crate) ask: bool,
    /// Records that nobody else has: they are published here from now on.
    pub(crate) taken_over: usize,
}

impl KeptGroups {
    pub(crate) fn new(incarnation: Incarnation, format: GroupFormat) -> Self {
        KeptGroups {
            incarnation,
            format,
            kept: Vec::new(),
            free: Vec::new(),
            used: 0,
        }
    }

    /// The writes that keep what is overwritten.
    pub(crate) fn keep(&mut self, overwritten: Overwritten, now: Instant) -> Vec<StoreGroup> {
        let Overwritten { records, places } = overwritten;
        if records.is_empty() {
            return Vec::new();
        }
        let [mut located, mut tombstones] = [(); 2].map(|()| GroupBuilder::new(self.format));
        let mut groups = Vec::new();
        for record in &records {
            // An older release reads the groups without tombstones.
            let builder = match record.is_tombstone() {
                true => &mut tombstones,
                false => &mut located,
            };
            if !builder.try_push(record) {
                groups.push(builder.finish());
                // A group has room for any record.
                let _ = builder.try_push(record);
            }
        }
        for mut builder in [located, tombstones] {
            if !builder.is_empty() {
                groups.push(builder.finish());
            }
        }
        let slots: Vec<SlotId> = groups.iter().map(|_| self.free_slot()).collect();
        let writes = slots.iter().zip(groups);
        let writes = writes.map(|(slot, group)| self.write(*slot, group));
        let writes = writes.collect();
        self.kept.push(Kept {
            slots,
            lost: places,
            since: now,
            is_asked_for: false,
            due: None,
        });
        writes
    }

    fn free_slot(&mut self) -> SlotId {
        self.free.pop().unwrap_or_else(|| {
            let slot = SlotId(FIRST_SLOT | self.used);
            self.used += 1;
            slot
        })
    }

    /// Looks what has become of kept records, `rounds` rounds after the publisher's start.
    pub(crate) fn review(
        &mut self,
        held: &HeldGroups,
        map: &mut impl ServerMap,
        rounds: u64,
        now: Instant,
    ) -> Review {
        let mut review = Review::default();
        for kept in &mut self.kept {
            for lost in &mut kept.lost {
                held.retain_lost(lost, map);
            }
            kept.lost.retain(|lost| !lost.hashes.is_empty());
            if now.saturating_duration_since(kept.since) >= AWAITED {
                if kept.is_asked_for {
                    for lost in kept.lost.drain(..) {
                        review.taken_over += map.take_over(lost.hashes, lost.place);
                    }
                } else {
                    review.ask |= !kept.lost.is_empty();
                }
            }
            if kept.lost.is_empty() && kept.due.is_none() {
                // What takes its place may have been heard here, and be on its way to the store.
                kept.due = Some(rounds + ROUNDS);
            }
        }
        let (due, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.kept)
            .into_iter()
            .partition(|kept| kept.due.is_some_and(|due| rounds >= due));
        self.kept = kept;
        let empty = self.format.empty_group();
        for slot in due.into_iter().flat_map(|kept| kept.slots) {
            review.writes.push(self.write(slot, empty.clone()));
            self.free.push(slot);
        }
        review
    }

    /// The incarnation ends, and the store forgets its groups: what is still missed is published by the next one.
    /// Returns how many records.
    pub(crate) fn hand_over(&mut self, held: &HeldGroups, map: &mut impl ServerMap) -> usize {
        let mut handed_over = 0;
        for mut lost in self.kept.drain(..).flat_map(|kept| kept.lost) {
            held.retain_lost(&mut lost, map);
            handed_over += map.take_over(lost.hashes, lost.place);
        }
        handed_over
    }

    /// What the living deliver has been looked at again.
    pub(crate) fn note_asked(&mut self, now: Instant) {
        for kept in &mut self.kept {
            kept.is_asked_for |= now.saturating_duration_since(kept.since) >= AWAITED;
        }
    }

    fn write(&self, slot: SlotId, group: Vec<u8>) -> StoreGroup {
        StoreGroup {
            incarnation: self.incarnation.clone(),
            slot,
            version: 0,
            group: group.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use herd_crdt::{Publication, PublisherId, Record, SlotAddress};

    use super::*;
    use crate::testing::{AllLive, PlainMap};

    const SMITH: PublisherId = PublisherId(1);

    fn incarnation(server: &str) -> Incarnation {
        Incarnation {
            server: server.into(),
            generation: 7,
        }
    }

    fn record(client: &str, time: &str) -> Record {
        Record::new(
            client.as_bytes(),
            b"+1+1",
            time.as_bytes(),
            "Smith".into(),
            0,
        )
        .unwrap()
    }

    struct KeepingServer {
        held: HeldGroups,
        kept: KeptGroups,
        map: PlainMap,
        version: u64,
        now: Instant,
    }

    impl KeepingServer {
        fn new() -> Self {
            KeepingServer {
                held: HeldGroups::default(),
                kept: KeptGroups::new(incarnation("Hill"), GroupFormat::PRESENT),
                map: PlainMap::default(),
                version: 0,
                now: crate::testing::start(),
            }
        }

        /// Smith sets its only slot; what is kept because of it.
        fn smith_sets(&mut self, records: &[Record]) -> Vec<(u32, usize)> {
            let mut builder = GroupBuilder::default();
            assert!(records.iter().all(|record| builder.try_push(record)));
            self.version += 1;
            let slot = SlotId(0);
            let place = SlotAddress {
                publisher: SMITH,
                slot,
            };
            let group = StoreGroup {
                incarnation: incarnation("Smith"),
                slot,
                version: self.version,
                group: builder.finish().into(),
            };
            let groups = [(place, group)];
            let format = GroupFormat::PRESENT;
            let overwritten = self.held.overwrite(&groups, format, &self.map);
            let writes = self.kept.keep(overwritten, self.now);
            self.map.deliver(records.iter().cloned(), place, &AllLive);
            records_of(&writes)
        }

        fn review(&mut self, rounds: u64) -> Review {
            self.kept
                .review(&self.held, &mut self.map, rounds, self.now)
        }
    }

    /// The slots that are written, and how many records to each.
    fn records_of(writes: &[StoreGroup]) -> Vec<(u32, usize)> {
        let one = |write: &StoreGroup| {
            let records = GroupFormat::PRESENT.decode(&write.group).unwrap();
            (write.slot.0, records.len())
        };
        writes.iter().map(one).collect()
    }

    #[test]
    fn a_retained_record_is_kept_for_two_rounds_of_the_publisher() {
        let mut server = KeepingServer::new();
        assert_eq!(
            server.smith_sets(&[record("kiwi", "1"), record("emu", "1")]),
            []
        );
        assert_eq!(server.smith_sets(&[record("emu", "1")]), [(FIRST_SLOT, 1)]);
        assert_eq!(records_of(&server.review(5).writes), []);
        server.map.report(record("kiwi", "2"));
        for round in [5, 6] {
            assert_eq!(records_of(&server.review(round).writes), []);
        }
        assert_eq!(server.smith_sets(&[]), [(FIRST_SLOT | 1, 1)]);
        assert_eq!(records_of(&server.review(7).writes), [(FIRST_SLOT, 0)]);
        server.smith_sets(&[record("moa", "1")]);
        assert_eq!(server.smith_sets(&[]), [(FIRST_SLOT, 1)]);
    }

    #[test]
    fn what_nobody_has_is_asked_for_once_and_then_published_here() {
        let mut server = KeepingServer::new();
        server.smith_sets(&[record("kiwi", "1")]);
        assert_eq!(server.smith_sets(&[]).len(), 1);
        assert!(!server.review(1).ask, "it may be on its way");
        server.now += AWAITED;
        let review = server.review(1);
        assert_eq!((review.ask, review.taken_over), (true, 0));
        server.kept.note_asked(server.now);
        assert_eq!(server.review(1).taken_over, 1);
        let (publication, publisher) = server.map.publication(b"kiwi").unwrap();
        let nobody = PublisherId::NOBODY;
        assert_eq!((publication, publisher), (Publication::Pending, nobody));
        assert_eq!(records_of(&server.review(2).writes), []);
        assert_eq!(records_of(&server.review(3).writes), [(FIRST_SLOT, 0)]);
    }

    #[test]
    fn what_comes_back_to_its_slot_is_not_missed() {
        let mut server = KeepingServer::new();
        server.smith_sets(&[record("kiwi", "1")]);
        server.smith_sets(&[]);
        server.smith_sets(&[record("kiwi", "1")]);
        server.now += AWAITED;
        let review = server.review(1);
        assert_eq!((review.ask, review.taken_over), (false, 0));
        assert_eq!(records_of(&server.review(3).writes), [(FIRST_SLOT, 0)]);
        // And it is noticed when it goes again.
        assert_eq!(server.smith_sets(&[]), [(FIRST_SLOT, 1)]);
    }

    #[test]
    fn the_next_incarnation_publishes_what_is_still_missed() {
        let mut server = KeepingServer::new();
        server.smith_sets(&[record("kiwi", "1"), record("emu", "1")]);
        assert_eq!(server.smith_sets(&[]), [(FIRST_SLOT, 2)]);
        server.map.report(record("emu", "2"));
        let hand_over =
            |server: &mut KeepingServer| server.kept.hand_over(&server.held, &mut server.map);
        assert_eq!(hand_over(&mut server), 1, "emu has moved on");
        let (publication, publisher) = server.map.publication(b"kiwi").unwrap();
        let nobody = PublisherId::NOBODY;
        assert_eq!((publication, publisher), (Publication::Pending, nobody));
        assert_eq!(hand_over(&mut server), 0, "once");
    }

    #[test]
    fn an_older_release_reads_the_locations_that_are_kept() {
        let mut server = KeepingServer::new();
        let time = herd_crdt::ReportTime::of_ns(5);
        let tombstone = Record::tombstone(b"emu", time, "Smith".into(), 0).unwrap();
        let overwritten = Overwritten {
            records: vec![record("kiwi", "1"), tombstone, record("moa", "1")],
            places: Vec::new(),
        };
        let kept = server.kept.keep(overwritten, server.now);
        assert_eq!(records_of(&kept), [(FIRST_SLOT, 2), (FIRST_SLOT | 1, 1)]);
        let older = GroupFormat::before_tombstones();
        let read = kept.iter().map(|write| older.decode(&write.group).is_ok());
        assert_eq!(Vec::from_iter(read), [true, false]);
    }

    #[test]
    fn more_than_a_group_holds_takes_several() {
        let mut server = KeepingServer::new();
        let records = (0..5_000).map(|number| record(&format!("client{number}"), "1"));
        let overwritten = Overwritten {
            records: records.collect(),
            places: Vec::new(),
        };
        let kept = records_of(&server.kept.keep(overwritten, server.now));
        assert!(kept.len() > 1);
        assert_eq!(
            kept.iter().map(|(_, records)| records).sum::<usize>(),
            5_000
        );
        let slots = kept.iter().map(|(slot, _)| *slot);
        assert!(once(FIRST_SLOT).chain(slots).is_sorted());
    }
}
