//! The last-writer-wins map: for each client the greatest record, its publisher, and whether this server
//! publishes it.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

use entry::{ClientEntry, EntryState};
pub use merged::{Death, Expired, Merged, Outcome, Publication, RepublishPolicy};
pub use standing::SlotAddress;

use totals::Totals;

use crate::record::{Incoming, Record};
use crate::slots::SlotId;

mod by_hash;
mod entry;
mod merged;
mod standing;
mod totals;

/// One incarnation of a server, by a number that the caller gives it. [`PublisherId::NOBODY`] is the
/// publisher of a record that no other server delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublisherId(pub u32);

impl PublisherId {
    /// No other server delivered the record: it was heard here, or read from a store.
    pub const NOBODY: PublisherId = PublisherId(0);
}

/// The facts about publishers that the map needs to remember the right one.
pub trait Publishers {
    /// Whether `publisher` counts as live: not known to be gone.
    fn presumed_live(&self, publisher: PublisherId) -> bool;

    /// Whether `publisher` has a lower rank than this server for this record, so that this server
    /// leaves the publication to it.
    fn outranks(&self, publisher: PublisherId, record: &Record) -> bool;
}

/// For each client its greatest record: a join semilattice, so that merging is commutative,
/// associative and idempotent.
///
/// A record may be a tombstone, which says that its client is forgotten. To the map it is a record like
/// any other.
///
/// A map may have a **floor**: a time below which it holds and takes in nothing. The floor only
/// rises, and the join of two floors is the higher one, so a map with a floor is a join semilattice
/// too: it does not matter whether the floor rises before a record arrives or after.
///
/// Tombstones alone stay for [`TOMBSTONE_SLACK_NS`](crate::TOMBSTONE_SLACK_NS) below the floor, to keep locations out
/// of maps whose floor is lower. Two maps with one floor may differ in these, and in nothing else.
///
/// Callers pass the hash of the client ID, by [`LocationMap::hash`], so that a map that is split
/// into shards hashes an ID once.
#[derive(Debug)]
pub struct LocationMap<S> {
    table: HashTable<ClientEntry>,
    hasher: S,
    /// For each publisher, how many entries rely on it. Never zero.
    relying: BTreeMap<PublisherId, usize>,
    /// No entry has a time below this, in nanoseconds since the epoch.
    floor_ns: i64,
    totals: Totals,
}

impl<S: BuildHasher> LocationMap<S> {
    /// An empty map whose floor is below every time.
    pub fn new(hasher: S) -> Self {
        LocationMap {
            table: HashTable::new(),
            hasher,
            relying: BTreeMap::new(),
            floor_ns: i64::MIN,
            totals: Totals::default(),
        }
    }

    /// The hash of a client ID.
    pub fn hash(&self, client: &[u8]) -> u64 {
        self.hasher.hash_one(client)
    }

    /// How many records the map holds, tombstones among them.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether the map holds no record.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// How many of the records are tombstones.
    pub fn tombstones(&self) -> usize {
        self.totals.tombstones
    }

    /// The current record of a client; a tombstone, if it is forgotten.
    pub fn find(&self, hash: u64, client: &[u8]) -> Option<&Record> {
        self.table
            .find(hash, |entry| entry.record.client() == client)
            .map(|entry| &entry.record)
    }

    /// All current records, in no order.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.table.iter().map(|entry| &entry.record)
    }

    /// Bytes that the texts of all records take: client IDs, locations and times.
    pub fn texts_bytes(&self) -> usize {
        self.totals.texts_bytes
    }

    /// The time below which the map holds nothing, in nanoseconds since the epoch.
    pub fn floor_ns(&self) -> i64 {
        self.floor_ns
    }

    /// Raises the floor and removes every entry below it, or a tombstone if it is below by the slack; a lower floor than
    /// the present one changes nothing. Looks at every entry.
    ///
    /// Nothing takes the place of removed records, so their deaths may be counted at any time. Entries
    /// that were pending are gone too: their hashes stay queued, and [`LocationMap::place_pending`]
    /// finds nothing there.
    pub fn raise_floor(&mut self, floor_ns: i64) -> Expired {
        self.raise_floor_telling(floor_ns, |_| {})
    }

    /// As [`LocationMap::raise_floor`], and tells `removed` of each record that it removes.
    pub fn raise_floor_telling(
        &mut self,
        floor_ns: i64,
        mut removed: impl FnMut(&Record),
    ) -> Expired {
        let mut expired = Expired::default();
        if floor_ns <= self.floor_ns {
            return expired;
        }
        self.floor_ns = floor_ns;
        let Self {
            table,
            hasher,
            relying,
            totals,
            ..
        } = self;
        table.retain(|entry| {
            if entry.record.expires_ns() >= floor_ns {
                return true;
            }
            recount(relying, entry.relies_on(), None);
            totals.remove(&entry.record);
            expired.records += 1;
            if let Some(at) = entry.record.quantized() {
                let hash = hasher.hash_one(entry.record.client());
                expired.locations.push((hash, at));
            }
            expired.deaths.extend(entry.withdraw());
            removed(&entry.record);
            false
        });
        expired
    }

    /// Takes in a record that this server heard from a client, to be published here.
    pub fn merge_heard(&mut self, hash: u64, record: impl Incoming) -> Merged {
        self.merge_heard_with(hash, record, RepublishPolicy::Never)
    }

    /// As [`LocationMap::merge_heard`]; `policy` says whether a repeat publishes the record of the map.
    /// [`Outcome::Expired`] says that only the floor keeps the record out: the map holds no greater one.
    pub fn merge_heard_with(
        &mut self,
        hash: u64,
        record: impl Incoming,
        policy: RepublishPolicy,
    ) -> Merged {
        let said = record.borrowed();
        let Self {
            table,
            hasher,
            relying,
            floor_ns,
            totals,
        } = self;
        let is_expired = said.expires_ns() < *floor_ns;
        let same_client = |entry: &ClientEntry| entry.record.client() == said.client();
        match table.entry(hash, same_client, |entry| {
            hasher.hash_one(entry.record.client())
        }) {
            TableEntry::Vacant(_) if is_expired => Merged::EXPIRED,
            TableEntry::Vacant(vacant) => {
                let record = record.into_record();
                totals.add(&record);
                vacant.insert(ClientEntry::heard(record));
                count_up(relying, PublisherId::NOBODY);
                Merged {
                    outcome: Outcome::New,
                    death: None,
                    queue: true,
                    replaced: None,
                }
            }
            TableEntry::Occupied(mut occupied) => {
                let entry = occupied.get_mut();
                let outcome = Outcome::of(&entry.record, &said);
                let relied_on = entry.relies_on();
                // An entry above the floor makes such a record a stale one; a tombstone may lie below.
                if is_expired && outcome.changed() {
                    return Merged::EXPIRED;
                }
                if !outcome.changed() {
                    let queue = entry.repeat(policy);
                    recount(relying, relied_on, entry.relies_on());
                    return Merged {
                        outcome,
                        death: None,
                        queue,
                        replaced: None,
                    };
                }
                let replaced = entry.record.quantized();
                let queue = entry.state != EntryState::Pending;
                let death = entry.withdraw();
                totals.remove(&entry.record);
                entry.hear(record);
                totals.add(&entry.record);
                recount(relying, relied_on, entry.relies_on());
                Merged {
                    outcome,
                    death,
                    queue,
                    replaced,
                }
            }
        }
    }

    /// Takes in a record that another server's slot delivered.
    ///
    /// The delivering incarnation is remembered as the record's publisher, unless it is gone and
    /// the one that we remember is not. If we publish the very same record, we go on, unless
    /// `publisher` is live and outranks us: then the publication is given up to it. From then on
    /// only publishers that outrank us are remembered for this record: one that does not may give
    /// it up to us at any time, since it may have seen us publish it, and would leave it with
    /// nobody. When all that outrank us are gone the entry is an orphan, and we can adopt it again.
    ///
    /// [`PublisherId::NOBODY`] (a store) makes a record known, but never replaces a publisher.
    pub fn merge_delivered(
        &mut self,
        hash: u64,
        record: impl Incoming,
        from: impl Into<SlotAddress>,
        publishers: &impl Publishers,
    ) -> Merged {
        let from = from.into();
        let said = record.borrowed();
        if said.expires_ns() < self.floor_ns {
            return Merged::EXPIRED;
        }
        let Self {
            table,
            hasher,
            relying,
            totals,
            ..
        } = self;
        let same_client = |entry: &ClientEntry| entry.record.client() == said.client();
        match table.entry(hash, same_client, |entry| {
            hasher.hash_one(entry.record.client())
        }) {
            TableEntry::Vacant(vacant) => {
                let record = record.into_record();
                totals.add(&record);
                vacant.insert(ClientEntry::delivered(record, from));
                count_up(relying, from.publisher);
                Merged {
                    outcome: Outcome::New,
                    death: None,
                    queue: false,
                    replaced: None,
                }
            }
            TableEntry::Occupied(mut occupied) => {
                let entry = occupied.get_mut();
                let outcome = Outcome::of(&entry.record, &said);
                let relied_on = entry.relies_on();
                let (mut death, mut replaced) = (None, None);
                if outcome.changed() {
                    replaced = entry.record.quantized();
                    death = entry.withdraw();
                    totals.remove(&entry.record);
                    entry.take(record, from);
                    totals.add(&entry.record);
                } else if outcome == Outcome::Same {
                    death = entry.note_delivery(from, publishers);
                }
                recount(relying, relied_on, entry.relies_on());
                Merged {
                    outcome,
                    death,
                    queue: false,
                    replaced,
                }
            }
        }
    }

    /// How many entries rely on `publisher`: it is the last known to publish them, and none of our
    /// slots holds them.
    pub fn relying_on(&self, publisher: PublisherId) -> usize {
        self.relying.get(&publisher).copied().unwrap_or(0)
    }

    /// Publishers that entries rely on.
    pub fn relied_on(&self) -> impl Iterator<Item = PublisherId> + '_ {
        self.relying.keys().copied()
    }

    /// Puts into the backlog every entry that is published elsewhere and that `is_ours` picks, by its record
    /// and its last known publisher. Returns their hashes.
    ///
    /// An entry in the backlog is ours to publish like a pending one, but nobody waits for it. As soon as a report
    /// does, it is pending: [`Merged::queue`].
    pub fn adopt(&mut self, mut is_ours: impl FnMut(&Record, PublisherId) -> bool) -> Vec<u64> {
        let Self { table, hasher, .. } = self;
        let mut queue = Vec::new();
        for entry in table.iter_mut() {
            if entry.state == EntryState::Elsewhere && is_ours(&entry.record, entry.publisher) {
                // It relies on its last publisher as before, until it stands in a slot of ours.
                entry.state = EntryState::Backlog;
                queue.push(hasher.hash_one(entry.record.client()));
            }
        }
        queue
    }

    /// Gives up this server's publication of every record that a live server of lower rank publishes too. Records in
    /// the backlog stay there: they are given up when that server delivers them.
    pub fn yield_publications(&mut self, publishers: &impl Publishers) -> Vec<Death> {
        let Self { table, relying, .. } = self;
        let mut deaths = Vec::new();
        for entry in table.iter_mut() {
            if matches!(entry.state, EntryState::Elsewhere | EntryState::Backlog)
                || entry.publisher == PublisherId::NOBODY
                || !publishers.presumed_live(entry.publisher)
                || !publishers.outranks(entry.publisher, &entry.record)
            {
                continue;
            }
            let relied_on = entry.relies_on();
            deaths.extend(entry.give_up());
            recount(relying, relied_on, entry.relies_on());
        }
        deaths
    }

    /// Forgets the publisher of each record that this server publishes and whose publisher is gone. Returns the number
    /// of records: a live server of lower rank, which was not the last to deliver one, may publish it too, so
    /// everything that the live deliver is worth another look.
    pub fn forget_gone(&mut self, publishers: &impl Publishers) -> usize {
        let mut forgotten = 0;
        for entry in self.table.iter_mut() {
            let is_known = entry.publisher != PublisherId::NOBODY;
            if entry.state == EntryState::InSlot
                && is_known
                && !publishers.presumed_live(entry.publisher)
            {
                // A slot of ours has it: nothing hangs on its publisher.
                entry.set_publisher(PublisherId::NOBODY.into());
                forgotten += 1;
            }
        }
        forgotten
    }

    /// Puts every record that this server publishes into the backlog, for a new incarnation whose slots are empty; the
    /// caller hastens the records of its own queue again. Returns the hashes in the backlog.
    ///
    /// Deaths that the map reported before this call are of slots of the old incarnation: the caller
    /// forgets them all, and never applies them to the new incarnation's publisher.
    pub fn republish_all(&mut self) -> Vec<u64> {
        let Self {
            table,
            hasher,
            relying,
            ..
        } = self;
        let mut queue = Vec::new();
        for entry in table.iter_mut() {
            if entry.state == EntryState::Elsewhere {
                continue;
            }
            let relied_on = entry.relies_on();
            entry.state = EntryState::Backlog;
            recount(relying, relied_on, entry.relies_on());
            queue.push(hasher.hash_one(entry.record.client()));
        }
        queue
    }

    /// Makes the records with this hash pending that are in the backlog; the caller has queued the hash.
    pub fn hasten(&mut self, hash: u64) {
        let Self { table, hasher, .. } = self;
        for entry in table.iter_hash_mut(hash) {
            if entry.state == EntryState::Backlog && hasher.hash_one(entry.record.client()) == hash
            {
                entry.state = EntryState::Pending;
            }
        }
    }

    /// Whether a record with this hash lives in this slot of ours.
    pub fn lives_in(&self, hash: u64, slot: SlotId) -> bool {
        let mut entries = self.table.iter_hash(hash);
        entries.any(|entry| {
            entry.publication() == Publication::InSlot(slot)
                && self.hasher.hash_one(entry.record.client()) == hash
        })
    }

    /// Where a client's record is published, and the publisher that delivered it last.
    pub fn publication(&self, hash: u64, client: &[u8]) -> Option<(Publication, PublisherId)> {
        let entry = self
            .table
            .find(hash, |entry| entry.record.client() == client)?;
        Some((entry.publication(), entry.publisher))
    }

    /// Puts every record with this hash that is pending or in the backlog into the slot that `place` names. There may
    /// be none: it was given up, has expired, or was placed already.
    pub fn place_pending(&mut self, hash: u64, mut place: impl FnMut(&Record) -> SlotId) {
        let Self {
            table,
            hasher,
            relying,
            ..
        } = self;
        for entry in table.iter_hash_mut(hash) {
            // Entries with other hashes turn up here too.
            let waits = matches!(entry.state, EntryState::Pending | EntryState::Backlog);
            if waits && hasher.hash_one(entry.record.client()) == hash {
                let relied_on = entry.relies_on();
                entry.place(place(&entry.record));
                recount(relying, relied_on, entry.relies_on());
            }
        }
    }

    /// Moves the records with this hash that live in `from` to the slot that `place` names.
    pub fn relocate(&mut self, hash: u64, from: SlotId, mut place: impl FnMut(&Record) -> SlotId) {
        let Self { table, hasher, .. } = self;
        for entry in table.iter_hash_mut(hash) {
            if entry.publication() == Publication::InSlot(from)
                && hasher.hash_one(entry.record.client()) == hash
            {
                entry.place(place(&entry.record));
            }
        }
    }
}

fn count_up(relying: &mut BTreeMap<PublisherId, usize>, publisher: PublisherId) {
    *relying.entry(publisher).or_insert(0) += 1;
}

fn recount(
    relying: &mut BTreeMap<PublisherId, usize>,
    before: Option<PublisherId>,
    after: Option<PublisherId>,
) {
    if before == after {
        return;
    }
    if let Some(publisher) = before
        && let Some(count) = relying.get_mut(&publisher)
    {
        *count -= 1;
        if *count == 0 {
            relying.remove(&publisher);
        }
    }
    if let Some(publisher) = after {
        count_up(relying, publisher);
    }
}

#[cfg(test)]
mod tests;
