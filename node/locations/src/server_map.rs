//! The map as replication works on it: by reference, since all tasks share it.

use std::collections::BTreeSet;

use herd_crdt::{
    Delivery, Incoming, PublisherId, Publishers, Record, ServerMap, SlotAddress, Work,
};

use super::Locations;

impl ServerMap for &Locations {
    fn hash_of(&self, client: &[u8]) -> u64 {
        Locations::hash_of(self, client)
    }

    fn prefetch(&self, hashes: Vec<u64>) {
        Locations::prefetch(self, hashes);
    }

    fn deliver_hashed(
        &mut self,
        records: impl IntoIterator<Item = (u64, impl Incoming)>,
        from: SlotAddress,
        publishers: &impl Publishers,
    ) -> Delivery {
        Locations::deliver_hashed(self, records, from, publishers)
    }

    fn relying_on(&self, publisher: PublisherId) -> usize {
        Locations::relying_on(self, publisher)
    }

    fn relied_on(&self) -> BTreeSet<PublisherId> {
        Locations::relied_on(self)
    }

    fn stands_in(&self, hash: u64, place: SlotAddress) -> bool {
        Locations::stands_in(self, hash, place)
    }

    fn standing(&self, hash: u64, place: SlotAddress) -> Vec<Record> {
        Locations::standing(self, hash, place)
    }

    fn take_over(&mut self, hashes: Vec<u64>, place: SlotAddress) -> usize {
        Locations::take_over(self, hashes, place)
    }

    fn adopt(&mut self, is_ours: impl FnMut(&Record, PublisherId) -> bool) -> usize {
        Locations::adopt(self, is_ours)
    }

    fn yield_publications(&mut self, publishers: &impl Publishers) -> usize {
        Locations::yield_publications(self, publishers)
    }

    fn forget_gone(&mut self, publishers: &impl Publishers) -> usize {
        Locations::forget_gone(self, publishers)
    }

    fn pending_len(&self) -> usize {
        Locations::pending_len(self)
    }

    fn take_work(&mut self) -> Work {
        Locations::take_work(self)
    }

    fn backlog_len(&self) -> usize {
        Locations::backlog_len(self)
    }

    fn take_backlog(&mut self, max: usize) -> Vec<u64> {
        Locations::take_backlog(self, max)
    }

    fn floor_ns(&self) -> i64 {
        Locations::floor_ns(self)
    }
}
