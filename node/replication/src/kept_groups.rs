//! Groups of records that others have overwritten before anything greater had come: in the store until it has, or
//! until this server publishes them.

use std::time::Duration;

use herd_crdt::SlotId;
use herd_crdt::group::{GroupBuilder, GroupFormat};
use tokio::time::Instant;

use super::held_groups::{HeldGroups, LostPlace, Overwritten};
use super::incarnation::Incarnation;
use herd_locations::Locations;
use herd_storage::Write;

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
pub(super) struct KeptGroups {
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
pub(super) struct Review {
    /// Writes that empty groups which are not needed any more.
    pub(super) writes: Vec<Write>,
    /// Something is missed for so long that what the living deliver should be looked at again.
    pub(super) ask: bool,
    /// Records that nobody else has: they are published here from now on.
    pub(super) taken_over: usize,
}

impl KeptGroups {
    pub(super) fn new(incarnation: Incarnation, format: GroupFormat) -> Self {
        KeptGroups {
            incarnation,
            format,
            kept: Vec::new(),
            free: Vec::new(),
            used: 0,
        }
    }

    /// The writes that keep what is overwritten.
    pub(super) fn keep(&mut self, overwritten: Overwritten, now: Instant) -> Vec<Write> {
        let Overwritten { records, places } = overwritten;
        if records.is_empty() {
            return Vec::new();
        }
        let mut builder = GroupBuilder::new(self.format);
        let mut groups = Vec::new();
        for record in &records {
            if !builder.try_push(record) {
                groups.push(builder.finish());
                // A group has room for any record.
                let _ = builder.try_push(record);
            }
        }
        groups.push(builder.finish());
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
    pub(super) fn review(
        &mut self,
        held: &HeldGroups,
        locations: &Locations,
        rounds: u64,
        now: Instant,
    ) -> Review {
        let mut review = Review::default();
        for kept in &mut self.kept {
            for lost in &mut kept.lost {
                held.retain_lost(lost, locations);
            }
            kept.lost.retain(|lost| !lost.hashes.is_empty());
            if now.saturating_duration_since(kept.since) >= AWAITED {
                if kept.is_asked_for {
                    for lost in kept.lost.drain(..) {
                        review.taken_over += locations.take_over(lost.hashes, lost.place);
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
    pub(super) fn hand_over(&mut self, held: &HeldGroups, locations: &Locations) -> usize {
        let mut handed_over = 0;
        for mut lost in self.kept.drain(..).flat_map(|kept| kept.lost) {
            held.retain_lost(&mut lost, locations);
            handed_over += locations.take_over(lost.hashes, lost.place);
        }
        handed_over
    }

    /// What the living deliver has been looked at again.
    pub(super) fn note_asked(&mut self, now: Instant) {
        for kept in &mut self.kept {
            kept.is_asked_for |= now.saturating_duration_since(kept.since) >= AWAITED;
        }
    }

    fn write(&self, slot: SlotId, group: Vec<u8>) -> Write {
        Write::Put {
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

    use herd_crdt::{Publication, PublisherId, Publishers, Record, SlotAddress};

    use super::super::store_feed::DeliveredGroup;
    use super::*;

    const SMITH: PublisherId = PublisherId(1);

    struct Ranks;
    impl Publishers for Ranks {
        fn presumed_live(&self, _: PublisherId) -> bool {
            true
        }
        fn outranks(&self, _: PublisherId, _: &Record) -> bool {
            false
        }
    }

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

    struct Server {
        held: HeldGroups,
        kept: KeptGroups,
        locations: Locations,
        version: u64,
        now: Instant,
    }

    impl Server {
        fn new() -> Self {
            Server {
                held: HeldGroups::default(),
                kept: KeptGroups::new(incarnation("Hill"), GroupFormat::PRESENT),
                locations: Locations::default(),
                version: 0,
                now: Instant::now(),
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
            let group = DeliveredGroup {
                incarnation: incarnation("Smith"),
                slot,
                version: self.version,
                group: builder.finish().into(),
            };
            let groups = [(place, group)];
            let format = GroupFormat::PRESENT;
            let overwritten = self.held.overwrite(&groups, format, &self.locations);
            let writes = self.kept.keep(overwritten, self.now);
            self.locations
                .deliver(records.iter().cloned(), place, &Ranks);
            records_of(&writes)
        }

        fn review(&mut self, rounds: u64) -> Review {
            self.kept
                .review(&self.held, &self.locations, rounds, self.now)
        }
    }

    /// The slots that are written, and how many records to each.
    fn records_of(writes: &[Write]) -> Vec<(u32, usize)> {
        let one = |write: &Write| match write {
            Write::Put { slot, group, .. } => {
                let records = GroupFormat::PRESENT.decode(group).unwrap();
                (slot.0, records.len())
            }
            other => panic!("{other:?}"),
        };
        writes.iter().map(one).collect()
    }

    #[test]
    fn what_is_superseded_soon_is_kept_until_the_publisher_has_gone_round_and_its_slot_comes_back()
    {
        let mut server = Server::new();
        assert_eq!(
            server.smith_sets(&[record("kiwi", "1"), record("emu", "1")]),
            []
        );
        assert_eq!(server.smith_sets(&[record("emu", "1")]), [(FIRST_SLOT, 1)]);
        assert_eq!(records_of(&server.review(5).writes), []);
        server.locations.report(record("kiwi", "2"));
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
        let mut server = Server::new();
        server.smith_sets(&[record("kiwi", "1")]);
        assert_eq!(server.smith_sets(&[]).len(), 1);
        assert!(!server.review(1).ask, "it may be on its way");
        server.now += AWAITED;
        let review = server.review(1);
        assert_eq!((review.ask, review.taken_over), (true, 0));
        server.kept.note_asked(server.now);
        assert_eq!(server.review(1).taken_over, 1);
        let (publication, publisher) = server.locations.publication(b"kiwi").unwrap();
        let nobody = PublisherId::NOBODY;
        assert_eq!((publication, publisher), (Publication::Pending, nobody));
        assert_eq!(records_of(&server.review(2).writes), []);
        assert_eq!(records_of(&server.review(3).writes), [(FIRST_SLOT, 0)]);
    }

    #[test]
    fn what_comes_back_to_its_slot_is_not_missed() {
        let mut server = Server::new();
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
    fn what_is_missed_when_the_incarnation_ends_is_published_by_the_next_one() {
        let mut server = Server::new();
        server.smith_sets(&[record("kiwi", "1"), record("emu", "1")]);
        assert_eq!(server.smith_sets(&[]), [(FIRST_SLOT, 2)]);
        server.locations.report(record("emu", "2"));
        let hand_over =
            |server: &mut Server| server.kept.hand_over(&server.held, &server.locations);
        assert_eq!(hand_over(&mut server), 1, "emu has moved on");
        let (publication, publisher) = server.locations.publication(b"kiwi").unwrap();
        let nobody = PublisherId::NOBODY;
        assert_eq!((publication, publisher), (Publication::Pending, nobody));
        assert_eq!(hand_over(&mut server), 0, "once");
    }

    #[test]
    fn more_than_a_group_holds_takes_several() {
        let mut server = Server::new();
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
