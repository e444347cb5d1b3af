//! One server that hears records, gets others delivered and publishes in rounds, while updates
//! arrive at every point of a round, as they do in a map that is split into shards.
//!
//! Checked all the time: a crash between any two groups that go out costs nothing that was ever out; every record that
//! the map has in a slot is there; every pending record is queued; the counters agree with a recount; and the slots
//! stay within a constant factor of their live records.

use std::collections::{BTreeMap, VecDeque};

use herd_crdt::group::{GROUP_BYTES_MAX, GroupFormat, decode_group, empty_group};
use herd_crdt::{
    COMPACTED_SLOTS, CROWDED_TIERS_SLOTS_MAX, FREE_SLOT_CLEARED_AFTER_MS, LocationMap,
    NANOSECONDS_PER_SECOND, Publication, Publisher, PublisherId, ROOM_FACTOR, Record, SlotGroup,
    SlotId,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::strategies::{Masked, cases, hashers};

mod world;

use world::{Event, Interleaved, World, raise};

/// The least live bytes of a slot that no tier holds, with any records. A group is
/// closed when the next record does not fit; the largest record takes 8.4 KB, so the group holds at
/// least 3.5 KB, and half of it lives.
const HEALTHY_BYTES_MIN: u64 = 1_700;
/// The same when no record takes more than 500 bytes.
const HEALTHY_BYTES_MIN_OF_SMALL: u64 = (GROUP_BYTES_MAX as u64 - 600) / 2;
/// In one round each compaction leaves at least seven slots fewer in the tiers.
const COMPACTIONS_MAX: usize = 1_000;

#[derive(Clone, Debug)]
enum Step {
    Event(Event),
    /// A round. The events arrive between its parts, and between any two records that it moves.
    Round(Vec<Event>),
    /// Time passes and idle slots are cleared.
    ClearIdle {
        after_ms: u64,
    },
    /// The server takes another incarnation.
    Reincarnate,
}

/// Without spare slots, so that little is enough for compactions.
fn publisher() -> Publisher {
    Publisher::with_spare_slots(GroupFormat::PRESENT, 0)
}

struct Server {
    world: World,
    publisher: Publisher,
    /// The groups that are out, decoded, by slot.
    out: Vec<Vec<Record>>,
    now_ms: u64,
    healthy_bytes_min: u64,
    /// The most slots that were ever in use at once.
    peak_slots: usize,
}

impl Server {
    fn new(clients: Vec<Vec<u8>>, hasher: Masked) -> Self {
        let small = clients.iter().all(|client| client.len() < 450);
        Server {
            world: World {
                clients,
                map: LocationMap::new(hasher),
                queue: Vec::new(),
                deaths: Vec::new(),
                live: vec![false, true, true, true, true],
                floor: BTreeMap::new(),
                elsewhere: BTreeMap::new(),
                delivered: Vec::new(),
            },
            publisher: publisher(),
            out: Vec::new(),
            now_ms: 0,
            healthy_bytes_min: if small {
                HEALTHY_BYTES_MIN_OF_SMALL
            } else {
                HEALTHY_BYTES_MIN
            },
            peak_slots: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Event(event) => self.world.apply(event),
            Step::Round(events) => self.round(events.into()),
            Step::ClearIdle { after_ms } => self.clear_idle(after_ms),
            Step::Reincarnate => self.reincarnate(),
        }
        self.check();
    }

    fn round(&mut self, mut events: VecDeque<Event>) {
        let mut happen = |world: &mut World| {
            if let Some(event) = events.pop_front() {
                world.apply(event);
            }
        };
        happen(&mut self.world);
        let deaths = std::mem::take(&mut self.world.deaths);
        happen(&mut self.world);
        let pending = std::mem::take(&mut self.world.queue);
        happen(&mut self.world);
        let in_use = self.slots_in_use();
        let groups = self.publisher.publish(
            &pending,
            &mut Interleaved {
                world: &mut self.world,
                events: &mut events,
            },
        );
        self.peak_slots = self.peak_slots.max(in_use + groups.len());
        self.emit(groups);
        self.publisher.apply_deaths(&deaths, self.now_ms);
        for compactions in 0.. {
            assert!(
                compactions < COMPACTIONS_MAX,
                "compaction does not come to an end"
            );
            let mut sources = self.publisher.compaction_sources();
            if sources.is_empty() {
                let below_ns = self.drained_below_ns();
                sources = self.publisher.outdated_sources(below_ns);
            }
            if sources.is_empty() {
                break;
            }
            let in_use = self.slots_in_use();
            let (groups, moved) = self.publisher.compact(
                &sources,
                &mut Interleaved {
                    world: &mut self.world,
                    events: &mut events,
                },
            );
            self.peak_slots = self.peak_slots.max(in_use + groups.len());
            self.emit(groups);
            self.publisher.apply_deaths(&moved, self.now_ms);
        }
        for event in events {
            self.world.apply(event);
        }
        self.now_ms += 10;
    }

    /// Sets groups one by one, and after each looks at the state that a crash would leave.
    fn emit(&mut self, groups: Vec<SlotGroup>) {
        let new = groups.iter().map(|set| set.slot.0 as usize);
        let new: Vec<usize> = new.filter(|&slot| slot >= self.out.len()).collect();
        let end = self.out.len() + new.len();
        assert!(
            new.iter().all(|&slot| slot < end),
            "slots are numbered without gaps"
        );
        for SlotGroup { slot, group } in groups {
            assert!(group.len() <= GROUP_BYTES_MAX);
            let slot = slot.0 as usize;
            self.out.resize(self.out.len().max(slot + 1), Vec::new());
            self.out[slot] = decode_group(&group).unwrap();
            let expiry_ns = self.world.map.floor_ns();
            for record in &self.out[slot] {
                raise(&mut self.world.floor, record, expiry_ns);
            }
            let mut left = self.world.elsewhere.clone();
            self.out
                .iter()
                .flatten()
                .for_each(|record| raise(&mut left, record, expiry_ns));
            // A tombstone below the floor may be in a slot still, after a greater location has expired.
            let mut known = self.world.floor.clone();
            for records in [&mut left, &mut known] {
                records
                    .retain(|_, record| record.time().ns() >= expiry_ns || !record.is_tombstone());
            }
            assert_eq!(left, known, "a crash now would lose what was out");
        }
    }

    /// Slots are drained when the floor is 5 s beyond their oldest record.
    fn drained_below_ns(&self) -> i64 {
        let floor_ns = self.world.map.floor_ns();
        floor_ns.saturating_sub(5 * NANOSECONDS_PER_SECOND)
    }

    fn slots_in_use(&self) -> usize {
        self.publisher.slots().len() - self.publisher.slots().free_len()
    }

    fn clear_idle(&mut self, after_ms: u64) {
        self.now_ms += after_ms;
        let groups = self.publisher.clear_idle(self.now_ms);
        assert!(groups.iter().all(|group| group.group == empty_group()));
        self.emit(groups);
        assert!(
            self.publisher.clear_idle(self.now_ms).is_empty(),
            "cleared twice"
        );
        if after_ms >= FREE_SLOT_CLEARED_AFTER_MS {
            for (slot, records) in (0..).map(SlotId).zip(&self.out) {
                let live = self.publisher.slots().live_records_in(slot);
                assert!(
                    live > 0 || records.is_empty(),
                    "a free slot was not cleared"
                );
            }
        }
    }

    fn reincarnate(&mut self) {
        let expiry_ns = self.world.map.floor_ns();
        for record in std::mem::take(&mut self.out).iter().flatten() {
            raise(&mut self.world.elsewhere, record, expiry_ns);
        }
        let ours: Vec<Record> = self.ours();
        self.world.queue = self.world.map.republish_all();
        self.world.deaths.clear();
        self.publisher = publisher();
        self.peak_slots = 0;
        self.round(VecDeque::new());
        let out: Vec<&Record> = self.out.iter().flatten().collect();
        for record in &ours {
            assert!(out.contains(&record), "{record:?} was not published again");
        }
        assert_eq!(out.len(), ours.len());
    }

    /// Everything that we publish or are about to.
    fn ours(&self) -> Vec<Record> {
        let entries = self.world.entries().into_iter();
        entries
            .filter(|(_, publication)| *publication != Publication::Elsewhere)
            .map(|(record, _)| record)
            .collect()
    }

    fn check(&self) {
        let (world, slots) = (&self.world, self.publisher.slots());
        let mut joined = BTreeMap::new();
        self.out
            .iter()
            .flatten()
            .for_each(|record| raise(&mut joined, record, world.map.floor_ns()));
        let mut relying: BTreeMap<PublisherId, usize> = BTreeMap::new();
        for (record, publication) in world.entries() {
            let (_, publisher) = world.publication(record.client());
            match publication {
                Publication::InSlot(slot) => {
                    let stands = self.out[slot.0 as usize].contains(&record);
                    assert!(stands, "{record:?} is not in its slot");
                    assert!(
                        slots.live_records_in(slot) > 0,
                        "{record:?} is in a free slot"
                    );
                    // A greater tombstone below the floor may be out, if a location that was greater still has expired.
                    let below = |record: &Record| record.time().ns() < world.map.floor_ns();
                    if !(record.is_tombstone() && below(&record)) {
                        assert_eq!(joined.get(record.client()), Some(&record));
                    }
                }
                Publication::Pending => {
                    let hash = world.map.hash(record.client());
                    assert!(world.queue.contains(&hash), "{record:?} waits for nothing");
                }
                Publication::Elsewhere => assert_ne!(publisher, PublisherId::NOBODY),
            }
            if !matches!(publication, Publication::InSlot(_)) {
                *relying.entry(publisher).or_insert(0) += 1;
            }
        }
        let counted: BTreeMap<PublisherId, usize> = world
            .map
            .relied_on()
            .map(|publisher| (publisher, world.map.relying_on(publisher)))
            .collect();
        assert_eq!(counted, relying);
        assert!(
            slots.len() <= self.peak_slots,
            "a slot was added while another was free"
        );
    }

    /// Rounds without events, until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..2 {
            self.step(Step::Round(Vec::new()));
        }
        assert!(self.world.queue.is_empty() && self.world.deaths.is_empty());
        let mut in_slots: BTreeMap<SlotId, usize> = BTreeMap::new();
        for (_, publication) in self.world.entries() {
            if let Publication::InSlot(slot) = publication {
                *in_slots.entry(slot).or_insert(0) += 1;
            }
        }
        let slots = self.publisher.slots();
        for slot in (0..slots.len() as u32).map(SlotId) {
            let expected = in_slots.get(&slot).copied().unwrap_or(0);
            assert_eq!(slots.live_records_in(slot), expected, "{slot:?}");
        }
        assert_eq!(slots.live_records(), in_slots.values().sum::<usize>());
        assert_eq!(slots.free_len(), slots.len() - in_slots.len());
        let below_ns = self.drained_below_ns();
        for &slot in in_slots.keys() {
            let oldest_ns = self.out[slot.0 as usize].iter().map(Record::expires_ns);
            assert!(
                oldest_ns.min() >= Some(below_ns),
                "{slot:?} keeps what has expired"
            );
        }
        let healthy_max = (slots.live_bytes() / self.healthy_bytes_min) as usize;
        assert!(
            in_slots.len() <= healthy_max + ROOM_FACTOR + CROWDED_TIERS_SLOTS_MAX,
            "{} slots in use for {} bytes",
            in_slots.len(),
            slots.live_bytes()
        );
    }
}

/// Client IDs of given lengths, numbered.
fn client_ids(lens: &[usize]) -> Vec<Vec<u8>> {
    lens.iter()
        .enumerate()
        .map(|(i, &len)| {
            let mut id = format!("{i}-").into_bytes();
            id.resize(len.max(id.len()), b'x');
            id
        })
        .collect()
}

/// Clients of few sizes, so that slots fill in all the ways they can.
fn clients() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let lens = select(vec![
        vec![80],
        vec![400],
        vec![1_500],
        vec![3_990],
        vec![5_975],
        vec![3_500, 8_192],
        vec![10, 300, 1_000, 6_000, 8_192],
    ]);
    (lens, 1..60_usize).prop_map(|(lens, count)| {
        client_ids(&lens.into_iter().cycle().take(count).collect::<Vec<_>>())
    })
}

fn event() -> impl Strategy<Value = Event> {
    let (client, time_s, publisher) = (0..60_usize, 0..400_i64, 1..5_u32);
    prop_oneof![
        12 => (client.clone(), time_s.clone())
            .prop_map(|(client, time_s)| Event::Heard { client, time_s }),
        3 => (client.clone(), time_s, publisher.clone())
            .prop_map(|(client, time_s, publisher)| Event::Delivered { client, time_s, publisher }),
        3 => (client, publisher.clone())
            .prop_map(|(client, publisher)| Event::DeliveredSame { client, publisher }),
        1 => (publisher, any::<bool>())
            .prop_map(|(publisher, live)| Event::Live { publisher, live }),
        1 => Just(Event::Adopt),
        1 => Just(Event::Yield),
        1 => (0..400_i64).prop_map(|floor_s| Event::RaiseFloor { floor_s }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => event().prop_map(Step::Event),
        10 => vec(event(), 0..25).prop_map(Step::Round),
        2 => (0..2_000_u64).prop_map(|after_ms| Step::ClearIdle { after_ms }),
        1 => Just(Step::Reincarnate),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn whatever_happens_between_the_parts_of_a_round(
        clients in clients(),
        hasher in hashers(),
        steps in vec(step(), 1..60),
    ) {
        let mut server = Server::new(clients, hasher);
        for step in steps {
            server.step(step);
        }
        server.settle();
    }
}

proptest! {
    #![proptest_config(cases(12))]

    /// Every client reports again and again, some more often than others. The live records bound the slots, not the
    /// time that passes.
    #[test]
    fn slots_do_not_grow_under_endless_updates_to_the_same_clients(
        len in select(vec![40_usize, 400, 1_500, 3_990, 5_975]),
        count in 1..120_usize,
        seed: u64,
        in_a_round in 1..40_usize,
    ) {
        let mut server = Server::new(client_ids(&vec![len; count]), Masked(u64::MAX));
        // Any sequence does; one drawn by proptest would take longer to shrink than it tells.
        let mut random = seed | 1;
        for time_s in 1..1_500 / in_a_round as i64 {
            for _ in 0..in_a_round {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let client = ((random >> 33) as usize % count) >> (random >> 62);
                server.world.apply(Event::Heard { client, time_s });
            }
            server.round(VecDeque::new());
        }
        server.check();
        server.settle();
        // At the worst moment: live records, the tiers, and the groups of one round before its
        // deaths are counted and of one compaction.
        let live_bytes = ((len + 100) * count) as u64;
        let round_bytes = ((len + 100) * in_a_round.min(count)) as u64;
        let bound = (live_bytes + round_bytes) / server.healthy_bytes_min
            + CROWDED_TIERS_SLOTS_MAX as u64 + ROOM_FACTOR as u64 + COMPACTED_SLOTS as u64;
        let slots = server.publisher.slots().len();
        prop_assert!(slots as u64 <= bound, "{slots} slots, {bound} allowed");
    }
}

fn heard(client: usize, time_s: i64) -> Event {
    Event::Heard { client, time_s }
}

/// Found by review: a record that takes just under half a group fills a slot of its own, but the
/// slot counted as hardly alive; eight of them were compacted into eight again, without end.
#[test]
fn slots_with_few_long_records_are_left_alone() {
    let mut server = Server::new(client_ids(&[5_975; 20]), Masked(u64::MAX));
    for client in 0..20 {
        server.step(Step::Event(heard(client, 1)));
    }
    server.step(Step::Round(Vec::new()));
    server.settle();
}

/// Found by review: the same with many long server names, which a slot's weight leaves out.
#[test]
fn slots_that_are_full_of_server_names_are_left_alone() {
    let mut map = LocationMap::new(Masked(u64::MAX));
    let mut publisher = publisher();
    let mut pending = Vec::new();
    for client in 0..2_000 {
        let id = client.to_string();
        let server = format!("{client:064}");
        let record = Record::new(id.as_bytes(), b"+1+1", b"1", server.as_str().into(), 1);
        let hash = map.hash(id.as_bytes());
        map.merge_heard(hash, record.unwrap());
        pending.push(hash);
    }
    let groups = publisher.publish(&pending, &mut map);
    assert!(groups.len() > COMPACTED_SLOTS);
    assert_eq!(publisher.compaction_sources(), []);
}

/// Found by review: records that died after their deaths were taken kept their slots in a tier, with
/// nothing left to move; compacting while there are sources never came to an end.
#[test]
fn a_slot_whose_last_deaths_are_to_come_is_compacted_once() {
    let mut server = Server::new(client_ids(&[1_500; 60]), Masked(u64::MAX));
    for client in 0..8 {
        server.step(Step::Event(heard(client, 1)));
        server.step(Step::Round(Vec::new()));
        // Each slot is the only one of its tier until the eighth; that round compacts them, and the
        // reports arrive before any of their records moves.
        if client == 6 {
            server.step(Step::Event(heard(7, 1)));
            let late = (0..8).map(|client| heard(client, 2));
            let none = std::iter::repeat_n(heard(7, 0), 3);
            server.step(Step::Round(none.chain(late).collect()));
            break;
        }
    }
    server.settle();
}
