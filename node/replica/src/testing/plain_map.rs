//! A map without shards and locks.

use std::collections::BTreeSet;
use std::hash::{BuildHasherDefault, DefaultHasher};

use herd_crdt::{
    Death, Delivery, Incoming, LocationMap, Merged, Publication, Publications, PublisherId,
    Publishers, Record, ServerMap, SlotAddress, SlotId, Work,
};

/// See the module.
pub(crate) struct PlainMap {
    map: LocationMap<BuildHasherDefault<DefaultHasher>>,
    pending: Vec<u64>,
    backlog: Vec<u64>,
    deaths: Vec<Death>,
}

impl Default for PlainMap {
    fn default() -> Self {
        PlainMap {
            map: LocationMap::new(BuildHasherDefault::default()),
            pending: Vec::new(),
            backlog: Vec::new(),
            deaths: Vec::new(),
        }
    }
}

impl PlainMap {
    /// A client reports this.
    pub(crate) fn report(&mut self, record: Record) {
        let hash = self.map.hash(record.client());
        let merged = self.map.merge_heard(hash, record);
        self.note(hash, &merged);
    }

    /// Another server delivers these.
    pub(crate) fn deliver(
        &mut self,
        records: impl IntoIterator<Item: Incoming>,
        from: impl Into<SlotAddress>,
        publishers: &impl Publishers,
    ) -> Delivery {
        let records = records.into_iter();
        let hashed = records.map(|record| (self.map.hash(record.borrowed().client()), record));
        let records: Vec<_> = hashed.collect();
        self.deliver_hashed(records, from.into(), publishers)
    }

    /// Where a client's record is published, and the publisher that delivered it last.
    pub(crate) fn publication(&self, client: &[u8]) -> Option<(Publication, PublisherId)> {
        self.map.publication(self.map.hash(client), client)
    }

    fn note(&mut self, hash: u64, merged: &Merged) {
        self.deaths.extend(merged.death);
        if merged.queue {
            self.pending.push(hash);
        }
    }
}

impl Publications for PlainMap {
    fn place_pending(&mut self, hash: u64, place: &mut dyn FnMut(&Record) -> SlotId) {
        self.map.place_pending(hash, place);
    }

    fn relocate(&mut self, hash: u64, from: SlotId, place: &mut dyn FnMut(&Record) -> SlotId) {
        self.map.relocate(hash, from, place);
    }
}

impl ServerMap for PlainMap {
    fn hash_of(&self, client: &[u8]) -> u64 {
        self.map.hash(client)
    }

    fn prefetch(&self, _: Vec<u64>) {}

    fn deliver_hashed(
        &mut self,
        records: impl IntoIterator<Item = (u64, impl Incoming)>,
        from: SlotAddress,
        publishers: &impl Publishers,
    ) -> Delivery {
        let mut delivery = Delivery::default();
        for (hash, record) in records {
            let merged = self.map.merge_delivered(hash, record, from, publishers);
            self.note(hash, &merged);
            if merged.outcome.changed() {
                delivery.changed += 1;
            } else {
                delivery.unchanged += 1;
                delivery.given_up += usize::from(merged.death.is_some());
            }
        }
        delivery
    }

    fn relying_on(&self, publisher: PublisherId) -> usize {
        self.map.relying_on(publisher)
    }

    fn relied_on(&self) -> BTreeSet<PublisherId> {
        self.map.relied_on().collect()
    }

    fn stands_in(&self, hash: u64, place: SlotAddress) -> bool {
        self.map.stands_in(hash, place)
    }

    fn standing(&self, hash: u64, place: SlotAddress) -> Vec<Record> {
        self.map.standing(hash, place).cloned().collect()
    }

    fn take_over(&mut self, hashes: Vec<u64>, place: SlotAddress) -> usize {
        let mut taken = 0;
        for hash in hashes {
            let count = self.map.take_over(hash, place);
            taken += count;
            self.pending.extend(vec![hash; count]);
        }
        taken
    }

    fn adopt(&mut self, is_ours: impl FnMut(&Record, PublisherId) -> bool) -> usize {
        let adopted = self.map.adopt(is_ours);
        let count = adopted.len();
        self.backlog.extend(adopted);
        count
    }

    fn yield_publications(&mut self, publishers: &impl Publishers) -> usize {
        let deaths = self.map.yield_publications(publishers);
        let given_up = deaths.len();
        self.deaths.extend(deaths);
        given_up
    }

    fn forget_gone(&mut self, publishers: &impl Publishers) -> usize {
        self.map.forget_gone(publishers)
    }

    fn pending_len(&self) -> usize {
        self.pending.len()
    }

    fn take_work(&mut self) -> Work {
        Work {
            deaths: std::mem::take(&mut self.deaths),
            pending: std::mem::take(&mut self.pending),
        }
    }

    fn backlog_len(&self) -> usize {
        self.backlog.len()
    }

    fn take_backlog(&mut self, max: usize) -> Vec<u64> {
        let left = self.backlog.len().saturating_sub(max);
        self.backlog.split_off(left)
    }

    fn floor_ns(&self) -> i64 {
        self.map.floor_ns()
    }
}
