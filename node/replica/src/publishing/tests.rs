//! Rounds of the publisher, without a runtime.

use std::collections::BTreeMap;
use std::sync::Arc;

use herd_crdt::group::GroupFormat;
use herd_crdt::{Publication, PublisherId, Record, ReportTime, ServerMap as _, SlotId};

use super::*;
use crate::testing::{AllLive, PlainMap};
use crate::timing::BACKLOG_LAG_GROUPS_MAX;

struct PublishingServer {
    publishing: Publishing,
    map: PlainMap,
    now: Instant,
    synced: u64,
    written: u64,
    neighbours: Vec<NeighbourProgress>,
    /// What the eraser asks next.
    asked: Option<Question>,
    /// The groups that are out.
    out: BTreeMap<SlotId, Vec<u8>>,
}

impl PublishingServer {
    fn new(backlog_records_max: usize) -> Self {
        let now = crate::testing::start();
        let publisher = Publisher::with_spare_slots(GroupFormat::PRESENT, 0);
        PublishingServer {
            publishing: Publishing::new(publisher, backlog_records_max, false, now),
            map: PlainMap::default(),
            now,
            synced: u64::MAX,
            written: 0,
            neighbours: Vec::new(),
            asked: None,
            out: BTreeMap::new(),
        }
    }

    /// How many groups hold a location of this client.
    fn locations_of(&self, client: &str) -> usize {
        let holds = |group: &&Vec<u8>| {
            let records = GroupFormat::PRESENT.decode(group).unwrap();
            let mut records = records.iter();
            records.any(|record| !record.is_tombstone() && record.client() == client.as_bytes())
        };
        self.out.values().filter(holds).count()
    }

    fn report(&mut self, client: &str, time: &str) {
        let (client, time) = (client.as_bytes(), time.as_bytes());
        let record = Record::new(client, b"+1+1", time, "Hill".into(), 0);
        self.map.report(record.unwrap());
    }

    /// One round; returns how many groups each step handed out, and what it wants to be done.
    fn round(&mut self, unneeded: BTreeSet<Request>) -> (Vec<usize>, Vec<Effect>) {
        let (mut steps, mut effects) = (Vec::new(), Vec::new());
        let start = RoundStart {
            round: 1,
            generation: 7,
            question: 3,
            asks: false,
            unneeded,
            forgotten: self.asked.take(),
        };
        let neighbours = self.neighbours.clone();
        let neighbours = move || neighbours.clone();
        let mut around = Surroundings {
            now: self.now,
            synced: WriteNumber(self.synced),
            last_write: WriteNumber(self.written),
            neighbours: &neighbours,
        };
        let mut groups = Some(
            self.publishing
                .begin(start, &around, &mut self.map, &mut effects),
        );
        while let Some(set) = groups {
            steps.push(set.len());
            if !set.is_empty() {
                self.written += 1;
                around.last_write = WriteNumber(self.written);
            }
            let version = self.publishing.version() + set.len() as u64;
            let set = set.into_iter().map(|set| (set.slot, set.group));
            self.out.extend(set);
            self.publishing.note_set(version);
            groups = self.publishing.next(&around, &mut self.map, &mut effects);
        }
        (steps, effects)
    }

    fn shown(effects: &[Effect]) -> SlotsStatus {
        let shown = effects.iter().find_map(|effect| match effect {
            Effect::Show(slots) => Some(*slots),
            _ => None,
        });
        shown.unwrap()
    }
}

#[test]
fn what_is_pending_is_written_before_neighbours_hear_of_it() {
    let mut server = PublishingServer::new(10);
    server.report("kiwi", "1");
    let (steps, effects) = server.round(BTreeSet::new());
    assert_eq!(steps, [1]);
    let [
        Effect::Written(written),
        Effect::KickAll,
        Effect::Show(slots),
        Effect::SlowClients(false),
    ] = effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!((written.version, written.question), (1, 3));
    assert_eq!(written.last_write, WriteNumber(1), "its own write is over");
    assert_eq!((slots.live_records, slots.version, slots.rounds), (1, 1, 1));
    let (steps, effects) = server.round(BTreeSet::new());
    assert_eq!((steps, effects.len()), (vec![0], 3), "there is no news");
}

#[test]
fn the_backlog_comes_in_pieces_behind_what_was_reported() {
    let mut server = PublishingServer::new(2);
    for client in ["a", "b", "c", "d", "e"] {
        let record = Record::new(client.as_bytes(), b"+1+1", b"1", "Smith".into(), 0);
        server
            .map
            .deliver([record.unwrap()], PublisherId(1), &AllLive);
    }
    assert_eq!(server.map.adopt(|_, _| true), 5);
    server.report("kiwi", "1");
    for left in [3, 1, 0] {
        let (_, effects) = server.round(BTreeSet::new());
        assert_eq!(server.map.backlog_len(), left);
        let Some(Effect::Written(written)) = effects.first() else {
            panic!("{effects:?}");
        };
        assert!(written.behind, "this round's was not all");
        let is_out = effects.iter().any(|e| matches!(e, Effect::BacklogOut(_)));
        assert_eq!(is_out, left == 0);
        server.now += BACKLOG_GAP;
    }
    let (_, effects) = server.round(BTreeSet::new());
    assert!(matches!(effects[0], Effect::Written(written) if !written.behind));
    assert_eq!(PublishingServer::shown(&effects).live_records, 6);
}

#[test]
fn a_backlog_waits_while_all_neighbours_lag() {
    let mut server = PublishingServer::new(1);
    for client in ["a", "b", "c"] {
        let record = Record::new(client.as_bytes(), b"+1+1", b"1", "Smith".into(), 0);
        server
            .map
            .deliver([record.unwrap()], PublisherId(1), &AllLive);
    }
    server.map.adopt(|_, _| true);
    let smith = |merged| NeighbourProgress {
        name: "Smith".into(),
        up: Some(crate::incarnation::Incarnation {
            server: "Smith".into(),
            generation: 1,
        }),
        merged_lately: Some(merged),
    };
    server.publishing.note_set(2 * BACKLOG_LAG_GROUPS_MAX);
    server.neighbours = vec![smith(0)];
    server.round(BTreeSet::new());
    server.now += BACKLOG_GAP;
    server.round(BTreeSet::new());
    assert_eq!(server.map.backlog_len(), 2, "it lags");
    server.neighbours = vec![smith(u64::MAX)];
    server.round(BTreeSet::new());
    server.round(BTreeSet::new());
    assert_eq!(server.map.backlog_len(), 1);
}

#[test]
fn slots_and_forgotten_incarnations_wait_for_the_disk() {
    let mut server = PublishingServer::new(10);
    server.synced = 0;
    server.report("kiwi", "1");
    server.round(BTreeSet::new());
    server.report("kiwi", "2");
    let gone = crate::incarnation::Incarnation {
        server: "Smith".into(),
        generation: 1,
    };
    let request = (gone, 1);
    let (_, effects) = server.round([request.clone()].into());
    assert_eq!(
        PublishingServer::shown(&effects).free,
        0,
        "the former slot is kept"
    );
    assert!(!effects.contains(&Effect::Forget(request.clone())));
    server.synced = server.written;
    let (_, effects) = server.round([request.clone()].into());
    assert_eq!(effects[0], Effect::Forget(request));
    assert_eq!(PublishingServer::shown(&effects).free, 1);
}

#[test]
fn records_in_slots_of_which_little_lives_are_moved() {
    let mut server = PublishingServer::new(100);
    let clients: Vec<String> = (1..=16).map(|number| format!("client{number}")).collect();
    for (client, time) in clients.iter().zip(1..) {
        server.report(client, "1");
        server.report("kiwi", &time.to_string());
        server.round(BTreeSet::new());
    }
    let (_, effects) = server.round(BTreeSet::new());
    let slots = PublishingServer::shown(&effects);
    assert!(slots.slots - slots.free < 8, "{slots:?}");
    for client in &clients {
        let publication = server.map.publication(client.as_bytes());
        let Some((Publication::InSlot(slot), _)) = publication else {
            panic!("{client} is in no slot");
        };
        let group = GroupFormat::PRESENT.decode(&server.out[&slot]).unwrap();
        let mut records = group.iter();
        assert!(records.any(|record| record.client() == client.as_bytes()));
    }
}

#[test]
fn only_a_round_that_published_delays_the_next() {
    let mut server = PublishingServer::new(10);
    let start = server.now;
    server.now += PUBLISHER_TICK;
    server.round(BTreeSet::new());
    server.publishing.note_round(server.now);
    assert!(server.publishing.due() <= start + PUBLISH_GAP);
    server.report("kiwi", "1");
    server.round(BTreeSet::new());
    server.publishing.note_round(server.now);
    assert_eq!(server.publishing.due(), server.now + PUBLISH_GAP);
    assert_eq!(server.publishing.tick(true), PUBLISH_GAP);
    assert_eq!(server.publishing.tick(false), PUBLISHER_TICK);
}

#[test]
fn locations_of_forgotten_clients_leave_all_slots() {
    let mut server = PublishingServer::new(100);
    // Slots with kiwi dead beside others that live, with kiwi alone, and without it.
    for (clients, time) in [
        (&["kiwi", "emu", "moa"][..], "1"),
        (&["kiwi"], "2"),
        (&["kiwi", "emu"], "3"),
        (&["fig"], "4"),
    ] {
        for client in clients {
            server.report(client, time);
        }
        server.round(BTreeSet::new());
    }
    let time = ReportTime::of_ns(3_000_000_001);
    let tombstone = Record::tombstone(b"kiwi", time, "Hill".into(), 0);
    server.map.report(tombstone.unwrap());
    server.round(BTreeSet::new());
    assert!(server.locations_of("kiwi") > 1, "they are dead, and out");
    let kiwi = server.map.hash_of(b"kiwi");
    let (lives_in, _) = server.map.publication(b"kiwi").unwrap();
    let is_erased = move |slot, hash| hash == kiwi && lives_in != Publication::InSlot(slot);
    server.asked = Some(Question::Begin(Arc::new(is_erased)));
    let (_, effects) = server.round(BTreeSet::new());
    let found = effects.iter().find_map(|effect| match effect {
        Effect::LookedThrough(found) => Some(*found),
        _ => None,
    });
    assert_eq!(found, Some(2), "those in which others live");
    server.now += Duration::from_secs(2);
    server.asked = Some(Question::Left);
    let (_, effects) = server.round(BTreeSet::new());
    // They are free, and show their old groups until this round clears them.
    assert!(effects.contains(&Effect::LookedThrough(2)));
    server.now += Duration::from_secs(2);
    server.asked = Some(Question::Left);
    let (_, effects) = server.round(BTreeSet::new());
    assert!(effects.contains(&Effect::LookedThrough(0)));
    assert_eq!(server.locations_of("kiwi"), 0);
    for client in ["emu", "moa", "fig"] {
        assert!(server.locations_of(client) > 0, "{client}");
    }
}
