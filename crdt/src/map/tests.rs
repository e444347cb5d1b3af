//! The rules of [`LocationMap`] one by one; the laws are in the property tests.

use std::hash::RandomState;

use super::*;
use crate::slots::Weight;

/// Below 10: outranks us. Even: live.
struct Ranks;

const LIVE_LOW: PublisherId = PublisherId(2);
const OTHER_LIVE_LOW: PublisherId = PublisherId(4);
const GONE_LOW: PublisherId = PublisherId(3);
const LIVE_HIGH: PublisherId = PublisherId(12);
const OTHER_LIVE_HIGH: PublisherId = PublisherId(14);
const GONE_HIGH: PublisherId = PublisherId(13);
const OTHER_GONE_HIGH: PublisherId = PublisherId(15);

const SLOT: SlotId = SlotId(7);

const SECOND_NS: i64 = crate::NANOSECONDS_PER_SECOND;

impl Publishers for Ranks {
    fn presumed_live(&self, publisher: PublisherId) -> bool {
        publisher != PublisherId::NOBODY && publisher.0.is_multiple_of(2)
    }

    fn outranks(&self, publisher: PublisherId, _: &Record) -> bool {
        publisher != PublisherId::NOBODY && publisher.0 < 10
    }
}

/// Takes everybody for live.
struct AllLive;

impl Publishers for AllLive {
    fn presumed_live(&self, _: PublisherId) -> bool {
        true
    }

    fn outranks(&self, publisher: PublisherId, record: &Record) -> bool {
        Ranks.outranks(publisher, record)
    }
}

/// As [`Ranks`], when nobody is live.
struct AllGone;

impl Publishers for AllGone {
    fn presumed_live(&self, _: PublisherId) -> bool {
        false
    }

    fn outranks(&self, publisher: PublisherId, record: &Record) -> bool {
        Ranks.outranks(publisher, record)
    }
}

fn record(time: &str) -> Record {
    Record::new(b"kiwi", b"+1+1", time.as_bytes(), "Hill".into(), 0).unwrap()
}

struct Map(LocationMap<RandomState>);

impl Map {
    fn new() -> Self {
        Map(LocationMap::new(RandomState::new()))
    }

    /// With one record, heard here and in [`SLOT`].
    fn with_published() -> Self {
        let mut map = Map::new();
        map.hear("1");
        map.place();
        map
    }

    fn hash(&self) -> u64 {
        self.0.hash(b"kiwi")
    }

    fn hear(&mut self, time: &str) -> Merged {
        self.0.merge_heard(self.hash(), record(time))
    }

    fn deliver(&mut self, time: &str, publisher: PublisherId) -> Merged {
        self.0
            .merge_delivered(self.hash(), record(time), publisher, &Ranks)
    }

    fn place(&mut self) {
        self.0.place_pending(self.hash(), |_| SLOT);
    }

    fn state(&self) -> (Publication, PublisherId) {
        let state = self.0.publication(self.hash(), b"kiwi").unwrap();
        // The counters hold one entry, or none while it is in a slot.
        let relied_on: Vec<PublisherId> = self.0.relied_on().collect();
        if matches!(state.0, Publication::InSlot(_)) {
            assert_eq!(relied_on, []);
            assert_eq!(self.0.relying_on(state.1), 0);
        } else {
            assert_eq!(relied_on, [state.1]);
            assert_eq!(self.0.relying_on(state.1), 1);
        }
        state
    }
}

fn death() -> Option<Death> {
    Some(Death {
        slot: SLOT,
        weight: Weight::of(&record("1")),
    })
}

#[test]
fn a_heard_record_is_queued_once_and_dies_when_superseded() {
    let mut map = Map::new();
    let merged = map.hear("1");
    assert_eq!((merged.outcome, merged.queue), (Outcome::New, true));
    assert_eq!(map.state(), (Publication::Pending, PublisherId::NOBODY));
    let merged = map.hear("2");
    assert_eq!((merged.outcome, merged.queue), (Outcome::Newer, false));
    assert_eq!(merged.death, None, "it was in no slot");
    map.place();
    assert_eq!(map.state().0, Publication::InSlot(SLOT));
    let merged = map.hear("3");
    assert_eq!((merged.death, merged.queue), (death(), true));
    assert_eq!(map.state(), (Publication::Pending, PublisherId::NOBODY));
}

#[test]
fn a_repeat_moves_nothing() {
    for (time, outcome) in [
        ("1", Outcome::Same),
        ("1.0", Outcome::TieWon),
        ("+1", Outcome::TieLost),
        ("0.9", Outcome::Stale),
    ] {
        let mut map = Map::with_published();
        let merged = map.hear(time);
        assert_eq!(merged.outcome, outcome, "{time}");
        assert_eq!(merged.queue, outcome.changed());
        assert_eq!(merged.death.is_some(), outcome.changed());
    }
}

#[test]
fn a_repeat_is_published_as_the_policy_says() {
    for (again, if_learnt) in [
        (RepublishPolicy::Never, false),
        (RepublishPolicy::UnlessInSlot, true),
    ] {
        for time in ["1", "0.9"] {
            let mut map = Map::new();
            map.deliver("1", LIVE_LOW);
            let hash = map.hash();
            let merged = map.0.merge_heard_with(hash, record(time), again);
            assert_eq!((merged.queue, merged.death), (if_learnt, None));
            let expected = if if_learnt {
                Publication::Pending
            } else {
                Publication::Elsewhere
            };
            // Until it stands in a slot of this server it relies on its publisher.
            assert_eq!(map.state(), (expected, LIVE_LOW));
            let merged = map.0.merge_heard_with(hash, record(time), again);
            assert!(!merged.queue, "it is queued once");

            let mut map = Map::with_published();
            let hash = map.hash();
            let merged = map.0.merge_heard_with(hash, record(time), again);
            assert_eq!((merged.queue, merged.death), (false, None));
            assert_eq!(
                map.state().0,
                Publication::InSlot(SLOT),
                "it is out already"
            );
        }
    }
}

#[test]
fn a_newer_record_ends_a_publication_though_its_source_is_gone() {
    for publisher in [LIVE_LOW, GONE_LOW, LIVE_HIGH, GONE_HIGH] {
        let mut map = Map::with_published();
        let merged = map.deliver("2", publisher);
        assert_eq!(merged.death, death());
        assert!(!merged.queue);
        assert_eq!(map.state(), (Publication::Elsewhere, publisher));
    }
}

#[test]
fn a_live_publisher_that_outranks_us_is_remembered_first() {
    for (before, delivers, after) in [
        (LIVE_HIGH, LIVE_LOW, LIVE_LOW),
        (LIVE_LOW, LIVE_HIGH, LIVE_LOW),
        (LIVE_LOW, OTHER_LIVE_LOW, OTHER_LIVE_LOW),
        (GONE_LOW, LIVE_HIGH, LIVE_HIGH),
        (GONE_HIGH, LIVE_HIGH, LIVE_HIGH),
        (LIVE_HIGH, GONE_LOW, LIVE_HIGH),
        (GONE_HIGH, OTHER_GONE_HIGH, OTHER_GONE_HIGH),
        (PublisherId::NOBODY, GONE_HIGH, GONE_HIGH),
        (LIVE_HIGH, PublisherId::NOBODY, LIVE_HIGH),
        (GONE_HIGH, PublisherId::NOBODY, GONE_HIGH),
    ] {
        let mut map = Map::new();
        map.deliver("1", before);
        assert_eq!(map.deliver("1", delivers).outcome, Outcome::Same);
        assert_eq!(map.state(), (Publication::Elsewhere, after));
    }
}

#[test]
fn publications_are_given_up_to_live_lower_ranks_only() {
    for (publisher, died, publication, remembered) in [
        (LIVE_LOW, true, Publication::Elsewhere, LIVE_LOW),
        (GONE_LOW, false, Publication::InSlot(SLOT), GONE_LOW),
        (
            LIVE_HIGH,
            false,
            Publication::InSlot(SLOT),
            PublisherId::NOBODY,
        ),
        (
            GONE_HIGH,
            false,
            Publication::InSlot(SLOT),
            PublisherId::NOBODY,
        ),
        (
            PublisherId::NOBODY,
            false,
            Publication::InSlot(SLOT),
            PublisherId::NOBODY,
        ),
    ] {
        let mut map = Map::with_published();
        let merged = map.deliver("1", publisher);
        assert_eq!(merged.death.is_some(), died, "{publisher:?}");
        assert_eq!(map.state(), (publication, remembered), "{publisher:?}");
    }
}

#[test]
fn a_pending_record_is_given_up_without_a_death() {
    let mut map = Map::new();
    map.hear("1");
    assert_eq!(map.deliver("1", LIVE_LOW).death, None);
    assert_eq!(map.state(), (Publication::Elsewhere, LIVE_LOW));
    map.place();
    assert_eq!(
        map.state(),
        (Publication::Elsewhere, LIVE_LOW),
        "it is in the queue still"
    );
}

#[test]
fn having_yielded_we_remember_only_publishers_that_outrank_us() {
    for (delivers, after) in [
        (OTHER_LIVE_LOW, OTHER_LIVE_LOW),
        (GONE_LOW, LIVE_LOW),
        (OTHER_LIVE_HIGH, LIVE_LOW),
    ] {
        let mut map = Map::with_published();
        map.deliver("1", LIVE_LOW);
        map.deliver("1", delivers);
        assert_eq!(map.state(), (Publication::Elsewhere, after));
    }
    // Of a later record nobody has seen us publish anything.
    let mut map = Map::with_published();
    map.deliver("1", LIVE_LOW);
    map.deliver("2", GONE_LOW);
    map.deliver("2", LIVE_HIGH);
    assert_eq!(map.state(), (Publication::Elsewhere, LIVE_HIGH));
}

#[test]
fn a_repeat_is_given_up_though_another_delivered_last() {
    let mut map = Map::new();
    map.deliver("1", LIVE_LOW);
    map.deliver("1", LIVE_HIGH);
    let hash = map.hash();
    assert!(
        map.0
            .merge_heard_with(hash, record("1"), RepublishPolicy::UnlessInSlot)
            .queue
    );
    map.place();
    assert_eq!(map.0.yield_publications(&Ranks), [death().unwrap()]);
}

#[test]
fn after_giving_up_no_higher_rank_is_relied_on() {
    let mut map = Map::with_published();
    map.deliver("1", GONE_LOW);
    assert_eq!(map.0.yield_publications(&AllLive), [death().unwrap()]);
    map.deliver("1", LIVE_HIGH);
    assert_eq!(map.state(), (Publication::Elsewhere, GONE_LOW), "an orphan");
    map.deliver("1", LIVE_LOW);
    assert_eq!(map.state(), (Publication::Elsewhere, LIVE_LOW));
}

#[test]
fn a_publication_is_yielded_when_the_publisher_is_back() {
    let mut map = Map::with_published();
    map.deliver("1", GONE_LOW);
    assert_eq!(map.0.yield_publications(&Ranks), []);
    assert_eq!(map.0.yield_publications(&AllLive), [death().unwrap()]);
    assert_eq!(map.state(), (Publication::Elsewhere, GONE_LOW));
    assert_eq!(map.0.yield_publications(&AllLive), [], "once");

    let mut map = Map::with_published();
    assert_eq!(
        map.0.yield_publications(&AllLive),
        [],
        "nobody delivered it"
    );
    map.deliver("1", GONE_HIGH);
    assert_eq!(
        map.0.yield_publications(&AllLive),
        [],
        "it does not outrank us"
    );
}

#[test]
fn adopted_records_rely_on_their_publisher_until_placed() {
    let mut map = Map::new();
    map.deliver("1", GONE_HIGH);
    assert!(map.0.adopt(|_, _| false).is_empty());
    let hash = map.hash();
    assert_eq!(map.0.adopt(|_, publisher| publisher == GONE_HIGH), [hash]);
    assert_eq!(map.state(), (Publication::Pending, GONE_HIGH));
    assert!(map.0.adopt(|_, _| true).is_empty(), "it is ours already");
    map.place();
    assert_eq!(map.state(), (Publication::InSlot(SLOT), GONE_HIGH));
    assert!(map.0.adopt(|_, _| true).is_empty(), "it is ours already");
}

#[test]
fn a_new_incarnation_publishes_all_records_of_the_old_one() {
    let mut map = Map::with_published();
    let hash = map.hash();
    assert_eq!(map.0.republish_all(), [hash]);
    assert_eq!(map.state().0, Publication::Pending);
    assert_eq!(map.0.republish_all(), [hash], "pending is ours too");
    map.deliver("2", LIVE_HIGH);
    assert!(map.0.republish_all().is_empty());
    assert_eq!(map.state(), (Publication::Elsewhere, LIVE_HIGH));
}

#[test]
fn a_report_hastens_the_backlog_and_a_delivery_ends_it() {
    let backlog = || {
        let mut map = Map::with_published();
        map.0.republish_all();
        map
    };
    // A reply waits for it.
    let mut map = backlog();
    let hash = map.hash();
    assert!(!map.hear("1").queue, "none does");
    let (first, second) = (
        map.0
            .merge_heard_with(hash, record("1"), RepublishPolicy::UnlessInSlot),
        map.0
            .merge_heard_with(hash, record("1"), RepublishPolicy::UnlessInSlot),
    );
    assert_eq!((first.queue, second.queue), (true, false), "once");
    // Something greater is heard.
    let mut map = backlog();
    assert!(map.hear("2").queue);
    // It waits in the caller's queue already.
    let mut map = backlog();
    let hash = map.hash();
    map.0.hasten(hash);
    assert!(!map.hear("2").queue);
    // A look alone gives up nothing that is in no slot yet; a delivery does.
    let mut map = backlog();
    map.deliver("1", GONE_LOW);
    assert_eq!(map.0.yield_publications(&AllLive), []);
    assert_eq!(map.state(), (Publication::Pending, GONE_LOW));
    assert_eq!(map.deliver("1", LIVE_LOW).death, None);
    assert_eq!(map.state(), (Publication::Elsewhere, LIVE_LOW));
    map.0
        .place_pending(map.hash(), |_| unreachable!("given up"));
}

#[test]
fn records_below_the_floor_leave_and_are_kept_out() {
    for pending in [false, true] {
        let mut map = Map::with_published();
        if pending {
            map.0.republish_all();
        }
        assert_eq!(
            map.0.raise_floor(SECOND_NS),
            Expired::default(),
            "not below"
        );
        let expired = map.0.raise_floor(SECOND_NS + 1);
        assert_eq!(expired.records, 1);
        assert_eq!(expired.deaths, Vec::from_iter(death().filter(|_| !pending)));
        assert!(map.0.is_empty());
        assert_eq!(map.0.relied_on().count(), 0);
        let hash = map.hash();
        map.0.place_pending(hash, |_| unreachable!("it is gone"));
        for merged in [map.hear("1"), map.deliver("1", LIVE_LOW)] {
            assert_eq!(merged, Merged::EXPIRED);
            assert!(!merged.outcome.changed());
        }
        assert!(map.0.is_empty());
    }
}

#[test]
fn delivered_records_leave_at_the_floor_too() {
    let mut map = Map::new();
    map.deliver("1", GONE_HIGH);
    assert_eq!(map.0.raise_floor(SECOND_NS + 1).records, 1);
    assert_eq!(map.0.relying_on(GONE_HIGH), 0);
}

#[test]
fn the_floor_never_falls() {
    let mut map = Map::new();
    assert_eq!(map.0.floor_ns(), i64::MIN);
    map.0.raise_floor(3 * SECOND_NS);
    map.0.raise_floor(2 * SECOND_NS);
    assert_eq!(map.0.floor_ns(), 3 * SECOND_NS);
    assert_eq!(map.hear("2").outcome, Outcome::Expired);
    assert_eq!(map.hear("3").outcome, Outcome::New);
}

#[test]
fn only_records_of_the_named_slot_are_relocated() {
    let mut map = Map::with_published();
    let hash = map.hash();
    let mut moved = 0;
    for from in [SlotId(1), SLOT, SLOT] {
        map.0.relocate(hash, from, |_| {
            moved += 1;
            SlotId(9)
        });
    }
    assert_eq!(moved, 1);
    assert_eq!(map.state().0, Publication::InSlot(SlotId(9)));
    map.hear("2");
    map.0
        .relocate(hash, SlotId(9), |_| unreachable!("it is pending"));
    map.0
        .relocate(hash + 1, SlotId(9), |_| unreachable!("it is unknown"));
}

#[test]
fn a_duplicate_is_given_up_though_a_gone_one_delivered_last() {
    let mut map = Map::new();
    map.deliver("1", LIVE_LOW);
    map.deliver("1", OTHER_LIVE_LOW);
    let hash = map.hash();
    let again = map
        .0
        .merge_heard_with(hash, record("1"), RepublishPolicy::UnlessInSlot);
    assert!(again.queue);
    assert_eq!(
        map.0.forget_gone(&AllGone),
        0,
        "it may hang on its publisher"
    );
    map.place();
    assert_eq!(map.0.forget_gone(&AllLive), 0);
    assert_eq!(map.0.forget_gone(&AllGone), 1);
    assert_eq!(map.0.forget_gone(&AllGone), 0, "once");
    assert_eq!(map.deliver("1", LIVE_LOW).death, death());
    assert_eq!(map.state(), (Publication::Elsewhere, LIVE_LOW));
}
