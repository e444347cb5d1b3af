//! The map of a server together with its outbox, as the decisions of replication work on it.

use std::collections::BTreeSet;

use crate::map::{Death, PublisherId, Publishers, SlotAddress};
use crate::publisher::Publications;
use crate::record::{Incoming, Record};

/// The result of merging a delivered group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Records that the map now holds because of it.
    pub changed: usize,
    /// Records that changed nothing.
    pub unchanged: usize,
    /// Publications of ours that were given up to the server that delivered the group.
    pub given_up: usize,
}

/// The work for a round of the publisher.
#[derive(Debug, Default)]
pub struct Work {
    /// Records that died in slots of this server. The successor of such a record, if this server heard it, is among the
    /// pending records or was published before: so the slot can be overwritten once the pending records are out.
    pub deaths: Vec<Death>,
    /// The hashes of the clients whose records are pending.
    pub pending: Vec<u64>,
}

/// A map of records with an outbox: pending records, a backlog of records that this server took over, and deaths.
///
/// The decisions of replication know no more of the map than this. A server implements it by shards with locks, a model
/// by one [`crate::LocationMap`].
pub trait ServerMap: Publications {
    /// The hash by which the map knows a client.
    fn hash_of(&self, client: &[u8]) -> u64;

    /// Brings the entries of clients with these hashes near, before they are merged.
    fn prefetch(&self, hashes: Vec<u64>);

    /// Takes in records that were delivered from this place, each with the hash of its client. See
    /// [`crate::LocationMap::merge_delivered`].
    fn deliver_hashed(
        &mut self,
        records: impl IntoIterator<Item = (u64, impl Incoming)>,
        from: SlotAddress,
        publishers: &impl Publishers,
    ) -> Delivery;

    /// See [`crate::LocationMap::relying_on`].
    fn relying_on(&self, publisher: PublisherId) -> usize;

    /// See [`crate::LocationMap::relied_on`].
    fn relied_on(&self) -> BTreeSet<PublisherId>;

    /// See [`crate::LocationMap::stands_in`].
    fn stands_in(&self, hash: u64, place: SlotAddress) -> bool;

    /// See [`crate::LocationMap::standing`].
    fn standing(&self, hash: u64, place: SlotAddress) -> Vec<Record>;

    /// See [`crate::LocationMap::take_over`]; returns how many records.
    fn take_over(&mut self, hashes: Vec<u64>, place: SlotAddress) -> usize;

    /// Adopts the records for which `is_ours` says so: they are in the backlog from now on. Returns how many.
    fn adopt(&mut self, is_ours: impl FnMut(&Record, PublisherId) -> bool) -> usize;

    /// Gives up every publication that a live server of lower rank has too. Returns how many.
    fn yield_publications(&mut self, publishers: &impl Publishers) -> usize;

    /// See [`crate::LocationMap::forget_gone`].
    fn forget_gone(&mut self, publishers: &impl Publishers) -> usize;

    /// How many records wait to be published, the backlog left out.
    fn pending_len(&self) -> usize;

    /// Takes the work for a round of the publisher. See [`Work`] for the order that this has to keep.
    fn take_work(&mut self) -> Work;

    /// How many records wait in the backlog.
    fn backlog_len(&self) -> usize;

    /// Takes the hashes of at most `max` records of the backlog.
    fn take_backlog(&mut self, max: usize) -> Vec<u64>;

    /// Nothing below this time is found, in ns since the POSIX epoch.
    fn floor_ns(&self) -> i64;
}
