//! The map of a server, and its events from outside.

use std::collections::{BTreeMap, VecDeque};

use herd_crdt::{
    Death, LocationMap, NANOSECONDS_PER_SECOND, Publication, Publications, PublisherId, Publishers,
    Record, SlotId,
};

use crate::strategies::Masked;

/// The records of one second in this number are tombstones.
const FORGETS_EVERY: i64 = 7;

/// Publishers of odd number outrank us.
pub(super) struct Ranks<'a> {
    pub(super) live: &'a [bool],
}

impl Publishers for Ranks<'_> {
    fn presumed_live(&self, publisher: PublisherId) -> bool {
        self.live
            .get(publisher.0 as usize)
            .copied()
            .unwrap_or(false)
    }

    fn outranks(&self, publisher: PublisherId, _: &Record) -> bool {
        publisher.0 % 2 == 1
    }
}

/// An event of the map from outside.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A client reports.
    Heard { client: usize, time_s: i64 },
    /// A publisher delivers a record that it heard.
    Delivered {
        client: usize,
        time_s: i64,
        publisher: u32,
    },
    /// A publisher delivers the very record that we hold.
    DeliveredSame { client: usize, publisher: u32 },
    /// We come to know that a publisher is live, or is not.
    Live { publisher: u32, live: bool },
    /// This server adopts records of publishers that are not live.
    Adopt,
    /// We look for publications to give up.
    Yield,
    /// The floor rises, or is asked to fall.
    RaiseFloor { floor_s: i64 },
}

/// The map of one server, and all that was ever out.
pub(super) struct World {
    pub(super) clients: Vec<Vec<u8>>,
    pub(super) map: LocationMap<Masked>,
    pub(super) queue: Vec<u64>,
    pub(super) deaths: Vec<Death>,
    pub(super) live: Vec<bool>,
    /// Each client's greatest record that was ever out, here or elsewhere.
    pub(super) floor: BTreeMap<Vec<u8>, Record>,
    /// The same, of other servers and of our earlier incarnations.
    pub(super) elsewhere: BTreeMap<Vec<u8>, Record>,
    /// The records that each publisher ever delivered.
    pub(super) delivered: Vec<(PublisherId, Record)>,
}

/// Raises `known`, unless the record has expired.
pub(super) fn raise(known: &mut BTreeMap<Vec<u8>, Record>, record: &Record, expiry_ns: i64) {
    if record.expires_ns() < expiry_ns {
        return;
    }
    let known = known
        .entry(record.client().to_vec())
        .or_insert_with(|| record.clone());
    if record.order(known).is_gt() {
        *known = record.clone();
    }
}

impl World {
    pub(super) fn ranks(live: &[bool]) -> Ranks<'_> {
        Ranks { live }
    }

    pub(super) fn record(&self, client: usize, time_s: i64, server: &str) -> Record {
        let client = &self.clients[client % self.clients.len()];
        let time = time_s.to_string();
        let (time, server) = (time.as_bytes(), server.into());
        let received_ns = (1_520_023_934 + time_s) * NANOSECONDS_PER_SECOND;
        let record = match time_s.rem_euclid(FORGETS_EVERY) {
            0 => Record::tombstone_of(client, time, server, received_ns),
            _ => Record::new(client, b"+1+1", time, server, received_ns),
        };
        record.unwrap()
    }

    pub(super) fn deliver(&mut self, record: Record, publisher: u32) {
        let expiry_ns = self.map.floor_ns();
        raise(&mut self.floor, &record, expiry_ns);
        raise(&mut self.elsewhere, &record, expiry_ns);
        self.delivered
            .push((PublisherId(publisher), record.clone()));
        let hash = self.map.hash(record.client());
        let merged = self.map.merge_delivered(
            hash,
            record.clone(),
            PublisherId(publisher),
            &Self::ranks(&self.live),
        );
        assert!(!merged.queue);
        if let Some(death) = merged.death {
            let yielded = self.live[publisher as usize] && publisher % 2 == 1;
            assert!(merged.outcome.changed() || yielded, "withdrawn for nobody");
            self.deaths.push(death);
        }
    }

    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::Heard { client, time_s } => {
                let record = self.record(client, time_s, "Hill");
                let merged = self
                    .map
                    .merge_heard(self.map.hash(record.client()), record.clone());
                self.deaths.extend(merged.death);
                if merged.queue {
                    self.queue.push(self.map.hash(record.client()));
                }
            }
            Event::Delivered {
                client,
                time_s,
                publisher,
            } => {
                let record = self.record(client, time_s, "Smith");
                self.deliver(record, publisher);
            }
            Event::DeliveredSame { client, publisher } => {
                let client = &self.clients[client % self.clients.len()];
                let known = self.map.find(self.map.hash(client), client).cloned();
                // Another server has our record only once it is out.
                if let Some(record) = known
                    && self.floor.get(client) == Some(&record)
                {
                    self.deliver(record, publisher);
                }
            }
            Event::Live { publisher, live } => self.live[publisher as usize] = live,
            Event::Adopt => {
                let live = self.live.clone();
                let adopted = self.map.adopt(|_, publisher| !live[publisher.0 as usize]);
                self.queue.extend(adopted);
            }
            Event::Yield => self.yield_publications(),
            Event::RaiseFloor { floor_s } => self.raise_floor(floor_s * NANOSECONDS_PER_SECOND),
        }
    }

    pub(super) fn raise_floor(&mut self, floor_ns: i64) {
        let floor_ns = floor_ns.max(self.map.floor_ns());
        let before = self.entries();
        let below = |record: &Record| record.expires_ns() < floor_ns;
        let expired = self.map.raise_floor(floor_ns);
        assert_eq!(self.map.floor_ns(), floor_ns);
        let left: Vec<_> = before.iter().filter(|(record, _)| !below(record)).collect();
        assert_eq!(self.entries().iter().collect::<Vec<_>>(), left);
        assert_eq!(expired.records, before.len() - left.len());
        let in_slots = |(record, publication): &&(Record, Publication)| {
            below(record) && matches!(publication, Publication::InSlot(_))
        };
        assert_eq!(expired.deaths.len(), before.iter().filter(in_slots).count());
        self.deaths.extend(expired.deaths);
        // Expired records may be lost.
        for known in [&mut self.floor, &mut self.elsewhere] {
            known.retain(|_, record| !below(record));
        }
    }

    pub(super) fn yield_publications(&mut self) {
        let before: Vec<(Record, Publication)> = self.entries();
        let deaths = self.map.yield_publications(&Self::ranks(&self.live));
        let mut died = 0;
        for ((record, before), (_, after)) in before.into_iter().zip(self.entries()) {
            if before == after {
                continue;
            }
            assert_eq!(after, Publication::Elsewhere);
            died += usize::from(before != Publication::Pending);
            let (_, publisher) = self.publication(record.client());
            let delivered = self.delivered.contains(&(publisher, record));
            assert!(delivered, "yielded what it had not delivered");
            assert!(self.live[publisher.0 as usize] && publisher.0 % 2 == 1);
        }
        assert_eq!(died, deaths.len());
        self.deaths.extend(deaths);
    }

    pub(super) fn publication(&self, client: &[u8]) -> (Publication, PublisherId) {
        self.map.publication(self.map.hash(client), client).unwrap()
    }

    /// All entries in the order of their clients.
    pub(super) fn entries(&self) -> Vec<(Record, Publication)> {
        let mut records: Vec<Record> = self.map.records().cloned().collect();
        records.sort_by(|a, b| a.client().cmp(b.client()));
        records
            .into_iter()
            .map(|record| {
                let publication = self.publication(record.client()).0;
                (record, publication)
            })
            .collect()
    }
}

/// The map while a round runs: before each record that moves, more may have happened.
pub(super) struct Interleaved<'a> {
    pub(super) world: &'a mut World,
    pub(super) events: &'a mut VecDeque<Event>,
}

impl Publications for Interleaved<'_> {
    fn place_pending(&mut self, hash: u64, place: &mut dyn FnMut(&Record) -> SlotId) {
        if let Some(event) = self.events.pop_front() {
            self.world.apply(event);
        }
        self.world.map.place_pending(hash, place);
    }

    fn relocate(&mut self, hash: u64, from: SlotId, place: &mut dyn FnMut(&Record) -> SlotId) {
        if let Some(event) = self.events.pop_front() {
            self.world.apply(event);
        }
        self.world.map.relocate(hash, from, place);
    }
}
