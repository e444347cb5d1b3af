//! What goes from gossip to the store, and how far that has come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use herd_crdt::ServerName;

use super::held_groups::HeldGroups;
use super::incarnation::Incarnation;
use super::store::{Store, StoreGroup, WriteNumber};

/// Batches that are remembered until they are on disk. More are counted with the newest.
const WAITING_MAX: usize = 64;

/// Puts groups of other servers into the store, each once. Outlives incarnations of this server.
pub struct StoreFeed {
    me: ServerName,
    /// There is a store that takes groups.
    is_open: bool,
    /// What the store has of others.
    pub held: HeldGroups,
    /// For each incarnation, the version up to which the store was given all that it published.
    stored: BTreeMap<Incarnation, u64>,
    /// Incarnations of which the store holds groups that this version of herd cannot read.
    undecoded: BTreeSet<Incarnation>,
    /// What was given to the store and is not on disk yet, in order.
    waiting: VecDeque<(WriteNumber, BTreeMap<Incarnation, u64>)>,
    durable: BTreeMap<Incarnation, u64>,
}

impl StoreFeed {
    /// A feed of no store.
    pub fn new(me: ServerName) -> Self {
        StoreFeed {
            me,
            is_open: false,
            held: HeldGroups::default(),
            stored: BTreeMap::new(),
            undecoded: BTreeSet::new(),
            waiting: VecDeque::new(),
            durable: BTreeMap::new(),
        }
    }

    /// From now on groups go to a store.
    pub fn open(&mut self) {
        self.is_open = true;
    }

    /// The publisher puts groups of this server's own incarnation into the store.
    pub fn note_own(&mut self, incarnation: &Incarnation) {
        if self.is_open {
            raise(&mut self.stored, incarnation, 0);
        }
    }

    /// Groups of this server's own, that no other server's groups are part of.
    pub fn put_own(&mut self, groups: Vec<StoreGroup>, store: &mut dyn Store) {
        if self.is_open && !groups.is_empty() {
            // Refused only by a store that has failed, as its watcher says.
            let _ = store.put(groups);
        }
    }

    /// The store held this group when the server started.
    pub fn note_loaded(&mut self, incarnation: &Incarnation, version: u64) {
        raise(&mut self.stored, incarnation, version);
    }

    /// The store holds a group of this incarnation that cannot be read: a newer version of herd can.
    pub fn note_undecoded(&mut self, incarnation: &Incarnation) {
        self.undecoded.insert(incarnation.clone());
    }

    /// Whether the store is to have this group.
    ///
    /// It is not if the store has it already: after a start gossip delivers everything again, and perhaps from a
    /// neighbour who has fallen behind the store. Nor are those of this server's own earlier incarnations, for the
    /// same reason: their records are published and stored under the present one.
    pub fn wants(&self, incarnation: &Incarnation, version: u64) -> bool {
        let known = || self.stored.get(incarnation).copied().unwrap_or(0);
        self.is_open && incarnation.server != self.me && version > known()
    }

    /// Gives the store all these groups in one write that is stored as a
    /// whole or not at all; `versions` are how far each publisher's state has come with it, if it is all of that. To be
    /// called before any of it is merged: what a merge leads to (a slot overwritten, an incarnation forgotten) must
    /// not be on disk before it.
    pub fn put(
        &mut self,
        groups: impl IntoIterator<Item = StoreGroup>,
        versions: Option<&[(Incarnation, u64)]>,
        store: &mut dyn Store,
    ) {
        if !self.is_open {
            return;
        }
        let groups: Vec<StoreGroup> = groups.into_iter().collect();
        if groups.is_empty() && versions.is_none() {
            return;
        }
        // A store that takes nothing has failed, and its watcher says so.
        let Some(number) = store.put(groups) else {
            self.durable(store.synced());
            // What is left never will be, and nobody is to wait for it.
            self.waiting.clear();
            self.is_open = false;
            store.give_up();
            return;
        };
        let Some(versions) = versions else {
            return;
        };
        for (incarnation, version) in versions {
            if incarnation.server != self.me {
                raise(&mut self.stored, incarnation, *version);
            }
        }
        let given: BTreeMap<Incarnation, u64> = versions.iter().cloned().collect();
        if self.waiting.len() >= WAITING_MAX
            && let Some(newest) = self.waiting.back_mut()
        {
            *newest = (number, given);
        } else {
            self.waiting.push_back((number, given));
        }
    }

    /// The first write that [`StoreFeed::durable`] waits for, by what it was told last; none once the store takes nothing.
    pub fn first_unsynced(&self) -> Option<WriteNumber> {
        self.waiting.front().map(|(number, _)| *number)
    }

    /// For each incarnation the version up to which everything is on disk.
    pub fn durable(&mut self, synced: WriteNumber) -> &BTreeMap<Incarnation, u64> {
        while let Some((number, versions)) = self.waiting.pop_front() {
            if number > synced {
                self.waiting.push_front((number, versions));
                break;
            }
            self.durable = versions;
        }
        &self.durable
    }

    /// Incarnations of which the store holds groups that it could do without, were it not for records
    /// that rely on them.
    pub fn incarnations(&self) -> impl Iterator<Item = &Incarnation> {
        let readable = |incarnation: &&Incarnation| !self.undecoded.contains(*incarnation);
        self.stored.keys().filter(readable)
    }

    /// The store may forget this incarnation: no record relies on it.
    pub fn forget(&mut self, incarnation: &Incarnation, store: &mut dyn Store) {
        if self.undecoded.contains(incarnation) {
            return;
        }
        self.stored.remove(incarnation);
        self.held.forget(incarnation);
        if self.is_open {
            store.request_to_forget(incarnation);
        }
    }
}

fn raise(versions: &mut BTreeMap<Incarnation, u64>, incarnation: &Incarnation, version: u64) {
    match versions.get_mut(incarnation) {
        Some(known) => *known = version.max(*known),
        None => {
            versions.insert(incarnation.clone(), version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store that syncs what a test says, and may have failed.
    #[derive(Debug, Default)]
    struct FakeStore {
        writes: u64,
        synced: u64,
        has_failed: bool,
        given_up: bool,
        to_forget: Vec<Incarnation>,
    }

    impl Store for FakeStore {
        fn put(&mut self, _: Vec<StoreGroup>) -> Option<WriteNumber> {
            self.writes += 1;
            (!self.has_failed).then_some(WriteNumber(self.writes))
        }
        fn synced(&self) -> WriteNumber {
            WriteNumber(self.synced)
        }
        fn give_up(&mut self) {
            self.given_up = true;
        }
        fn request_to_forget(&mut self, incarnation: &Incarnation) {
            self.to_forget.push(incarnation.clone());
        }
    }

    fn smith() -> Incarnation {
        Incarnation {
            server: "Smith".into(),
            generation: 1,
        }
    }

    #[test]
    fn a_group_as_old_as_what_is_stored_is_not_wanted() {
        let mut feed = StoreFeed::new("Hill".into());
        feed.note_loaded(&smith(), 7);
        assert!(!feed.wants(&smith(), 8), "there is no store");
        feed.open();
        let wanted = [6, 7, 8].map(|version| feed.wants(&smith(), version));
        assert_eq!(wanted, [false, false, true]);
    }

    #[test]
    fn nobody_waits_for_a_store_that_takes_nothing_any_more() {
        let mut disk = FakeStore::default();
        let mut feed = StoreFeed::new("Hill".into());
        feed.open();
        feed.put([], Some(&[(smith(), 7)]), &mut disk);
        assert_eq!(feed.first_unsynced(), Some(WriteNumber(1)));
        assert_eq!(feed.durable(WriteNumber(0)).get(&smith()), None);
        // It is on disk, and before anybody looks, the store fails and refuses what comes next.
        disk.synced = 1;
        disk.has_failed = true;
        feed.put([], Some(&[(smith(), 8)]), &mut disk);
        assert!(disk.given_up);
        assert_eq!(feed.first_unsynced(), None);
        assert_eq!(feed.durable(WriteNumber(0)).get(&smith()), Some(&7));
        assert!(!feed.wants(&smith(), 9));
    }

    #[test]
    fn the_store_forgets_nothing_that_cannot_be_read_yet() {
        let mut disk = FakeStore::default();
        let mut feed = StoreFeed::new("Hill".into());
        feed.open();
        feed.note_loaded(&smith(), 7);
        feed.note_undecoded(&smith());
        feed.forget(&smith(), &mut disk);
        assert_eq!(disk.to_forget, []);
        let later = Incarnation {
            generation: 2,
            ..smith()
        };
        feed.note_loaded(&later, 1);
        feed.forget(&later, &mut disk);
        assert_eq!(disk.to_forget, [later]);
    }
}
