//! The marks of one watcher: clients that have changed since it looked.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::task::Waker;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::Mutex;

use super::areas::Slots;
use super::budget::{Share, units};

/// The ID of a client, shared by the marks of all watchers that a change touches.
pub(crate) type ClientId = Arc<[u8]>;

/// One watcher, as the registry knows it.
#[derive(Debug)]
pub(crate) struct Watcher {
    marks: Mutex<Marks>,
    marks_max: usize,
    slots: Slots,
    /// That of the registry, so that a change is hashed once for all its watchers.
    hasher: RandomState,
}

#[derive(Debug)]
struct Marks {
    clients: HashTable<ClientId>,
    /// The units of their IDs.
    units: usize,
    /// Those of the ones that were taken together, and may not all have been looked at.
    taken_units: usize,
    share: Share,
    /// There were too many: no more are kept.
    overflowed: bool,
    /// Is to be woken at a mark.
    waker: Option<Waker>,
    /// Is to be woken when there are too many.
    overflow_waker: Option<Waker>,
}

/// The ID of a client that has changed, hashed and shared when a watcher needs that first.
pub(crate) struct MarkedClient<'a> {
    id: &'a [u8],
    hash: u64,
    shared: Option<ClientId>,
}

impl<'a> MarkedClient<'a> {
    pub(crate) fn new(id: &'a [u8], hasher: &RandomState) -> Self {
        MarkedClient {
            id,
            hash: hasher.hash_one(id),
            shared: None,
        }
    }
}

/// What a mark has changed.
pub(crate) enum Marked {
    /// Nothing that the watcher has to be woken for.
    Known,
    /// It waits, and is to be woken.
    Wake(Waker),
}

impl Watcher {
    pub(crate) fn new(marks_max: usize, share: Share, hasher: RandomState) -> Self {
        Watcher {
            marks: Mutex::new(Marks {
                clients: HashTable::new(),
                units: 0,
                taken_units: 0,
                share,
                overflowed: false,
                waker: None,
                overflow_waker: None,
            }),
            marks_max,
            slots: Slots::default(),
            hasher,
        }
    }

    /// Where it is in the index of areas.
    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Marks a client.
    pub(crate) fn mark(&self, client: &mut MarkedClient<'_>) -> Marked {
        let marks = &mut *self.marks.lock();
        if marks.overflowed {
            return Marked::Known;
        }
        let hasher = |id: &ClientId| self.hasher.hash_one(&**id);
        let is_it = |id: &ClientId| **id == *client.id;
        let Entry::Vacant(place) = marks.clients.entry(client.hash, is_it, hasher) else {
            return Marked::Known;
        };
        let shared = client.shared.get_or_insert_with(|| client.id.into());
        place.insert(Arc::clone(shared));
        marks.units += units(client.id);
        marks.count(self.marks_max);
        let overflow_waker = marks.overflow_waker.take_if(|_| marks.overflowed);
        match marks.waker.take().or(overflow_waker) {
            Some(waker) => Marked::Wake(waker),
            None => Marked::Known,
        }
    }

    /// The mark of a client is not needed; to be called under the lock of the client's shard, with a look at its record.
    pub(crate) fn unmark(&self, client: &[u8]) {
        let hash = self.hasher.hash_one(client);
        let mut marks = self.marks.lock();
        if let Ok(marked) = marks.clients.find_entry(hash, |id| **id == *client) {
            marked.remove();
            marks.units -= units(client);
            marks.count(self.marks_max);
        }
    }

    /// Takes all marks. Until the next call they count as if they were there.
    pub(crate) fn take(&self) -> Vec<ClientId> {
        let mut marks = self.marks.lock();
        let taken: Vec<ClientId> = marks.clients.drain().collect();
        if taken.len() < marks.clients.capacity() / 8 {
            marks.clients = HashTable::new();
        }
        marks.taken_units = std::mem::take(&mut marks.units);
        marks.count(self.marks_max);
        taken
    }

    /// Takes back marks that were taken and not looked at.
    pub(crate) fn give_back(&self, clients: impl IntoIterator<Item = ClientId>) {
        let mut marks = self.marks.lock();
        let hasher = |id: &ClientId| self.hasher.hash_one(&**id);
        for client in clients {
            if marks.overflowed {
                break;
            }
            let more = units(&client);
            let entry = marks
                .clients
                .entry(hasher(&client), |id| *id == client, hasher);
            if let Entry::Vacant(place) = entry {
                place.insert(client);
                marks.units += more;
            }
        }
        marks.taken_units = 0;
        marks.count(self.marks_max);
    }

    /// Whether there were too many marks.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.marks.lock().overflowed
    }

    /// Whether there is anything to do; if not, `waker` is woken when there is.
    pub(crate) fn is_marked_or_wakes(&self, waker: &Waker) -> bool {
        let mut marks = self.marks.lock();
        if marks.overflowed || !marks.clients.is_empty() {
            return true;
        }
        note(&mut marks.waker, waker);
        false
    }

    /// Whether there were too many marks; if not, `waker` is woken when there are.
    pub(crate) fn has_overflowed_or_wakes(&self, waker: &Waker) -> bool {
        let mut marks = self.marks.lock();
        if !marks.overflowed {
            note(&mut marks.overflow_waker, waker);
        }
        marks.overflowed
    }
}

fn note(known: &mut Option<Waker>, waker: &Waker) {
    match known {
        Some(known) => known.clone_from(waker),
        none => *none = Some(waker.clone()),
    }
}

impl Marks {
    fn count(&mut self, marks_max: usize) {
        let fits = self.share.set(self.units + self.taken_units);
        // One that gives marks back is not ended for that.
        if !fits || self.clients.len() > marks_max {
            self.overflowed = true;
            self.clients = HashTable::new();
            self.units = 0;
            // Those that were taken counted before, so there is room.
            let _ = self.share.set(self.taken_units);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::{Budget, UNCOUNTED_UNITS};
    use super::*;

    fn watcher(marks_max: usize, units_max: usize) -> (Watcher, Arc<Budget>) {
        let budget = Budget::new(units_max);
        (
            Watcher::new(marks_max, budget.share(), RandomState::new()),
            budget,
        )
    }

    fn mark(watcher: &Watcher, client: &str) {
        let _ = mark_and_wake(watcher, client);
    }

    fn mark_and_wake(watcher: &Watcher, client: &str) -> Marked {
        watcher.mark(&mut MarkedClient::new(client.as_bytes(), &watcher.hasher))
    }

    #[test]
    fn a_client_is_marked_once_until_it_is_taken() {
        let (watcher, _) = watcher(10, 10);
        for _ in 0..3 {
            mark(&watcher, "kiwi");
            mark(&watcher, "emu");
        }
        let mut taken = watcher.take();
        taken.sort();
        assert_eq!(taken, [&b"emu"[..], b"kiwi"].map(ClientId::from));
        assert!(watcher.take().is_empty());
        mark(&watcher, "kiwi");
        watcher.unmark(b"kiwi");
        assert!(watcher.take().is_empty());
        watcher.give_back(taken);
        mark(&watcher, "kiwi");
        assert_eq!(watcher.take().len(), 2);
    }

    #[test]
    fn too_many_marks_are_none_and_take_no_memory() {
        let (watcher, budget) = watcher(3, 1_000);
        for client in ["a", "b", "c", "c"] {
            mark(&watcher, client);
        }
        assert!(!watcher.has_overflowed());
        mark(&watcher, "d");
        assert!(watcher.has_overflowed());
        mark(&watcher, "e");
        assert!(watcher.take().is_empty());
        assert_eq!(budget.units(), 0);
    }

    #[test]
    fn who_waits_for_too_many_marks_is_woken_by_no_other() {
        let (watcher, _) = watcher(2, 1_000);
        assert!(!watcher.has_overflowed_or_wakes(Waker::noop()));
        for client in ["a", "b"] {
            assert!(matches!(mark_and_wake(&watcher, client), Marked::Known));
        }
        assert!(matches!(mark_and_wake(&watcher, "c"), Marked::Wake(_)));
        assert!(watcher.has_overflowed_or_wakes(Waker::noop()));
    }

    #[test]
    fn those_with_many_marks_share_a_bound() {
        let budget = Budget::new(100);
        let watchers = [0, 1].map(|_| Watcher::new(10_000, budget.share(), RandomState::new()));
        for number in 0..UNCOUNTED_UNITS + 100 {
            mark(&watchers[0], &number.to_string());
        }
        for number in 0..UNCOUNTED_UNITS {
            mark(&watchers[1], &number.to_string());
        }
        assert!(watchers.iter().all(|watcher| !watcher.has_overflowed()));
        mark(&watchers[1], "one more");
        assert!(watchers[1].has_overflowed() && !watchers[0].has_overflowed());
        assert_eq!(budget.units(), 100);
        drop(watchers);
        assert_eq!(budget.units(), 0);
    }

    #[test]
    fn marks_count_by_the_bytes_of_their_ids() {
        let (watcher, budget) = watcher(10, 1_000);
        let long = |byte: &str| byte.repeat(herd_crdt::CLIENT_ID_BYTES_MAX);
        for client in ["a", "b", "c"] {
            mark(&watcher, &long(client));
        }
        assert_eq!(budget.units(), 2 * UNCOUNTED_UNITS);
        let taken = watcher.take();
        mark(&watcher, &long("a"));
        assert_eq!(budget.units(), 3 * UNCOUNTED_UNITS);
        watcher.give_back(taken);
        assert_eq!(budget.units(), 2 * UNCOUNTED_UNITS);
        watcher.unmark(long("b").as_bytes());
        assert_eq!(budget.units(), UNCOUNTED_UNITS);
        drop(watcher);
        assert_eq!(budget.units(), 0);
    }
}
