//! The receiver over time, without a runtime.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use herd_crdt::group::GroupBuilder;
use herd_crdt::{Publications as _, Record, SlotId};

use super::*;
use crate::changes::Change;
use crate::settlement::Told;
use crate::testing::PlainMap;
use crate::timing::{
    ADOPTION_RANK_DELAY, BURIAL_AFTER_GONE, BURIAL_AFTER_SUPERSEDED, GONE_AFTER, RECEIVER_TICK,
};

/// Hill, and what it sees of Smith.
struct ReceivingServer {
    receiving: Receiving,
    map: PlainMap,
    known: Known,
    store: (),
    settlements: Settlements,
    start: Instant,
    now: Instant,
    smiths: Vec<Sighting>,
    /// Somebody wants everything merged again.
    rejoin: bool,
}

fn incarnation(server: &str, generation: u64) -> Incarnation {
    Incarnation {
        server: server.into(),
        generation,
    }
}

impl ReceivingServer {
    fn new() -> Self {
        let servers: Vec<ServerName> = vec!["Hill".into(), "Smith".into()];
        let now = crate::testing::start();
        let me = incarnation("Hill", 5);
        let membership = Membership::new("Hill".into(), servers.clone());
        ReceivingServer {
            receiving: Receiving::new(me, servers, GroupFormat::PRESENT, now, 100),
            map: PlainMap::default(),
            known: Known {
                membership,
                feed: StoreFeed::new("Hill".into()),
                readers: Readers::default(),
            },
            store: (),
            settlements: Settlements::default(),
            start: now,
            now,
            smiths: Vec::new(),
            rejoin: false,
        }
    }

    fn ground<'a>(
        &'a mut self,
        effects: &'a mut Vec<Effect>,
    ) -> (&'a mut Receiving, Ground<'a, PlainMap>) {
        let ground = Ground {
            map: &mut self.map,
            known: &mut self.known,
            store: &mut self.store,
            settlements: &mut self.settlements,
            effects,
        };
        (&mut self.receiving, ground)
    }

    /// Smith sets a slot to this client's record, heard then.
    fn smith_sets(&mut self, generation: u64, client: &str, heard_ns: i64) -> (bool, Vec<Effect>) {
        let mut builder = GroupBuilder::default();
        let client = client.as_bytes();
        let record = Record::new(client, b"+1+1", b"1", "Smith".into(), heard_ns);
        assert!(builder.try_push(&record.unwrap()));
        self.smith_sets_group(generation, Some(builder.finish()))
    }

    /// Smith sets a slot to this group, or to a text that is none.
    fn smith_sets_group(&mut self, generation: u64, group: Option<Vec<u8>>) -> (bool, Vec<Effect>) {
        let change = Change::Group {
            slot: SlotId(0),
            version: 7,
            group: group.map(Bytes::from),
        };
        let (now, mut effects) = (self.now, Vec::new());
        let (receiving, mut ground) = self.ground(&mut effects);
        let changes = [(incarnation("Smith", generation), change)];
        let ControlFlow::Continue(news) = receiving.merge(&changes, now, &mut ground) else {
            panic!("nobody was buried");
        };
        (news, effects)
    }

    /// Smith lives, or has gone silent.
    fn sight(&mut self, generation: u64, live: bool) {
        let incarnation = incarnation("Smith", generation);
        let heartbeat = self.now.duration_since(self.start).as_millis();
        self.smiths.retain(|s| s.incarnation != incarnation);
        self.smiths.push(Sighting {
            incarnation,
            live,
            heartbeat: u64::try_from(heartbeat).unwrap(),
            max_version: 7,
            holds_slots: true,
        });
    }

    fn look(&mut self) -> Vec<Effect> {
        let (now, smiths, mut effects) = (self.now, self.smiths.clone(), Vec::new());
        let live = smiths.iter().filter(|smith| smith.live);
        let live = live.map(|smith| smith.incarnation.generation).max();
        let around = Surroundings {
            now,
            sightings: &smiths,
            live_generation: &|server| {
                if server == "Smith" {
                    live.unwrap_or(0)
                } else {
                    0
                }
            },
            known_generation: &|_| 0,
            links: Vec::new(),
            rounds: 0,
            rejoin: std::mem::take(&mut self.rejoin),
            ids_were_full: false,
        };
        let (receiving, mut ground) = self.ground(&mut effects);
        receiving.look(around, &mut ground);
        effects
    }

    /// Looks as the driver does, for so long; returns all that it wanted to be done.
    fn look_for(&mut self, time: Duration) -> Vec<Effect> {
        let until = self.now + time;
        let mut effects = Vec::new();
        while self.now < until {
            self.now += RECEIVER_TICK;
            effects.extend(self.look());
        }
        effects
    }

    /// The publisher publishes what was taken over.
    fn publish(&mut self) {
        for hash in self.map.take_backlog(100) {
            self.map.place_pending(hash, &mut |_| SlotId(0));
        }
    }
}

#[test]
fn a_group_is_merged_and_the_way_of_its_news_is_told() {
    let mut server = ReceivingServer::new();
    let travelled = Effect::Travelled {
        origin: "Smith".into(),
        heard_ns: 200,
    };
    assert_eq!(server.smith_sets(1, "kiwi", 200), (true, vec![travelled]));
    let (news, effects) = server.smith_sets(1, "kiwi", 200);
    assert!(!news && effects.is_empty(), "it is known");
    let (news, effects) = server.smith_sets(1, "emu", 50);
    assert!(news && effects.is_empty(), "it waited, and did not travel");
    server
        .receiving
        .note_merged(vec![(incarnation("Smith", 1), 7)]);
    let report = server
        .receiving
        .report(WriteNumber::default(), &mut server.known.feed);
    assert_eq!(report.of(&incarnation("Smith", 1)).merged, 7);
}

#[test]
fn whose_burial_is_told_of_us_ends_this_incarnation() {
    let mut server = ReceivingServer::new();
    let buried = Change::Buried(vec![incarnation("Hill", 5)]);
    let (now, mut effects) = (server.now, Vec::new());
    let (receiving, mut ground) = server.ground(&mut effects);
    let smith = incarnation("Smith", 1);
    let merged = receiving.merge(&[(smith.clone(), buried)], now, &mut ground);
    assert_eq!(merged, ControlFlow::Break(smith));
}

#[test]
fn a_silent_publisher_is_adopted_from_in_turn_and_buried_late() {
    let mut server = ReceivingServer::new();
    server.sight(1, true);
    server.look();
    server.smith_sets(1, "kiwi", 200);
    server.sight(1, false);
    server.look_for(GONE_AFTER - RECEIVER_TICK);
    assert_eq!(server.map.backlog_len(), 0, "it may be back");
    let effects = server.look_for(2 * RECEIVER_TICK);
    let again = Effect::NoteAgain(incarnation("Smith", 1));
    assert!(!effects.contains(&again), "it is not among the living");
    assert_eq!(server.map.backlog_len(), 0, "Smith's own turn is the first");
    server.look_for(ADOPTION_RANK_DELAY);
    assert_eq!(server.map.backlog_len(), 1);
    let bury = Effect::Bury(incarnation("Smith", 1));
    assert!(
        !server.look_for(BURIAL_AFTER_GONE).contains(&bury),
        "not before it is published"
    );
    server.publish();
    assert!(server.look_for(RECEIVER_TICK).contains(&bury));
}

#[test]
fn a_superseded_publisher_is_gone_at_once_and_buried_soon() {
    let mut server = ReceivingServer::new();
    server.sight(1, true);
    server.look();
    server.smith_sets(1, "kiwi", 200);
    server.sight(1, false);
    server.sight(2, true);
    server.look_for(Duration::from_secs(1));
    assert_eq!(server.map.backlog_len(), 0, "its successor may hold it");
    let told = Told {
        settlement: Settlement::Settled,
        version: 1,
    };
    server.settlements.note(&incarnation("Smith", 2), told);
    server.look_for(Duration::from_secs(1));
    assert_eq!(server.map.backlog_len(), 1);
    server.publish();
    let bury = Effect::Bury(incarnation("Smith", 1));
    server.sight(2, true);
    assert!(!server.look_for(GONE_AFTER).contains(&bury));
    assert!(server.look_for(BURIAL_AFTER_SUPERSEDED).contains(&bury));
}

#[test]
fn a_later_incarnation_of_our_name_ends_this_one() {
    let mut server = ReceivingServer::new();
    for (live, waits, expected) in [
        (
            false,
            Duration::ZERO,
            Some(IncarnationVerdict::MustExceed(9)),
        ),
        (true, Duration::ZERO, None),
        (true, GONE_AFTER, Some(IncarnationVerdict::Superseded(9))),
    ] {
        server.now = server.start + waits;
        server.smiths = vec![Sighting {
            incarnation: incarnation("Hill", 9),
            live,
            heartbeat: 1,
            max_version: 1,
            holds_slots: false,
        }];
        let ended = server.look().into_iter().find_map(|effect| match effect {
            Effect::End(verdict) => Some(verdict),
            _ => None,
        });
        assert_eq!(ended, expected);
    }
}

#[test]
fn a_copy_on_which_a_late_record_relies_is_not_buried() {
    let mut server = ReceivingServer::new();
    let bury = Effect::Bury(incarnation("Smith", 1));
    server.sight(1, true);
    server.look();
    server.sight(2, true);
    let effects = server.look_for(GONE_AFTER + BURIAL_AFTER_SUPERSEDED);
    assert!(effects.contains(&bury), "nothing relies on it");
    server.smith_sets(1, "kiwi", 200);
    assert!(!server.look().contains(&bury));
    assert_eq!(server.map.backlog_len(), 0, "its own server comes first");
}

#[test]
fn records_of_an_earlier_life_are_taken_up_at_once() {
    let mut server = ReceivingServer::new();
    let earlier = incarnation("Hill", 3);
    let id = server.known.membership.id_of(&earlier, server.now);
    let record = Record::new(b"kiwi", b"+1+1", b"1", "Hill".into(), 100).unwrap();
    let membership = &server.known.membership;
    server.map.deliver([record], id, membership);
    server.sight(1, true);
    let effects = server.look();
    assert_eq!(server.map.backlog_len(), 1);
    // The living may have delivered some of them before, at a time when that did not count.
    let again = Effect::NoteAgain(incarnation("Smith", 1));
    assert!(effects.contains(&again));
    assert!(!server.look().contains(&again), "once");
}

#[test]
fn what_a_publisher_delivers_is_looked_at_again_when_it_is_back() {
    let mut server = ReceivingServer::new();
    let again = Effect::NoteAgain(incarnation("Smith", 1));
    server.sight(1, true);
    assert!(!server.look().contains(&again));
    server.sight(1, false);
    assert!(!server.look_for(GONE_AFTER).contains(&again));
    server.sight(1, true);
    assert!(server.look().contains(&again));
}

#[test]
fn after_a_step_back_of_the_clock_all_is_merged_again() {
    let mut server = ReceivingServer::new();
    server.sight(1, false);
    server.rejoin = true;
    let again = Effect::NoteAgain(incarnation("Smith", 1));
    assert!(server.look().contains(&again), "be it live or not");
    assert!(!server.look().contains(&again));
}

#[test]
fn neither_a_garbled_group_nor_a_text_that_is_none_is_merged() {
    let mut cut_short = herd_crdt::group::empty_group();
    cut_short.pop();
    for group in [None, Some(cut_short)] {
        let mut server = ReceivingServer::new();
        let smith = incarnation("Smith", 1);
        server.smith_sets_group(1, group);
        server.receiving.note_merged(vec![(smith.clone(), 9)]);
        let feed = &mut server.known.feed;
        let report = server.receiving.report(WriteNumber::default(), feed);
        assert_eq!(report.of(&smith).merged, 6);
    }
}

#[test]
fn a_copy_with_a_group_of_a_later_format_is_not_buried() {
    let mut server = ReceivingServer::new();
    server.sight(1, true);
    server.look();
    let mut builder = GroupBuilder::new(GroupFormat::next());
    let record = Record::new(b"kiwi", b"+1+1", b"1", "Smith".into(), 0);
    assert!(builder.try_push(&record.unwrap()));
    let (news, _) = server.smith_sets_group(1, Some(builder.finish()));
    assert!(!news, "it cannot be read here");
    server.sight(2, true);
    let bury = Effect::Bury(incarnation("Smith", 1));
    let effects = server.look_for(GONE_AFTER + BURIAL_AFTER_SUPERSEDED);
    assert!(!effects.contains(&bury));
}

#[test]
fn the_gone_publisher_of_a_record_published_here_is_forgotten() {
    let mut server = ReceivingServer::new();
    server.sight(1, true);
    server.look();
    server.smith_sets(1, "kiwi", 200);
    server.sight(1, false);
    server.look_for(GONE_AFTER + 2 * ADOPTION_RANK_DELAY);
    server.publish();
    server.look_for(ADOPTION_REVIEW);
    let (_, publisher) = server.map.publication(b"kiwi").unwrap();
    assert_eq!(publisher, herd_crdt::PublisherId::NOBODY);
}

/// What a look says of the servers that do not read tombstones; `None` if it says nothing.
fn unread_by(server: &mut ReceivingServer) -> Option<Option<ServerName>> {
    let effects = server.look();
    let mut said = effects.into_iter().filter_map(|effect| match effect {
        Effect::TombstonesUnreadBy(server) => Some(server),
        _ => None,
    });
    said.next()
}

#[test]
fn a_process_that_begins_waits_for_a_word_of_each_server() {
    let smith = incarnation("Smith", 3);
    let mut server = ReceivingServer::new();
    assert_eq!(unread_by(&mut server), None, "nobody has said anything");
    // Not held for live yet, and the neighbour's copy of its groups is not merged.
    server.sight(3, false);
    assert_eq!(unread_by(&mut server), None);
    server.receiving.note_merged(vec![(smith.clone(), 7)]);
    assert_eq!(
        unread_by(&mut server),
        Some(Some("Smith".into())),
        "it may live, and its release says nothing"
    );
    server.known.readers.note(&smith, 2);
    assert_eq!(unread_by(&mut server), Some(None));
    // Who says nothing for that long counts as gone.
    let mut server = ReceivingServer::new();
    server.sight(3, false);
    server.look();
    server.now += GONE_AFTER;
    assert_eq!(unread_by(&mut server), Some(None));
}

#[test]
fn an_unknown_server_leaves_what_is_known_of_tombstones() {
    let mut server = ReceivingServer::new();
    server.now += GONE_AFTER;
    assert_eq!(unread_by(&mut server), Some(None));
    server.sight(3, true);
    assert_eq!(unread_by(&mut server), None, "nothing is merged of it");
    let smith = incarnation("Smith", 3);
    server.receiving.note_merged(vec![(smith.clone(), 7)]);
    assert_eq!(unread_by(&mut server), Some(Some("Smith".into())));
    server.known.readers.note(&smith, 2);
    assert_eq!(unread_by(&mut server), Some(None));
    // The next incarnation of this server knows it at once, though nothing is merged.
    server.receiving.note_merged(Vec::new());
    let smiths = std::mem::take(&mut server.smiths);
    assert_eq!(unread_by(&mut server), Some(None));
    server.smiths = smiths;
    assert_eq!(unread_by(&mut server), Some(None));
    // Of another incarnation of Smith's it knows nothing.
    server.sight(3, false);
    server.sight(4, true);
    assert_eq!(unread_by(&mut server), None);
}
