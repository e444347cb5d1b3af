//! The marks of one watcher: clients that have changed since it looked.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;

use super::budget::{Share, units};

/// The ID of a client, shared by the marks of all watchers that a change touches.
pub(crate) type ClientId = Arc<[u8]>;

/// One watcher, as the registry knows it.
#[derive(Debug)]
pub(crate) struct Watcher {
    marks: Mutex<Marks>,
    marks_max: usize,
}

#[derive(Debug)]
struct Marks {
    clients: HashSet<ClientId>,
    /// The units of their IDs.
    units: usize,
    /// Those of the ones that were taken together, and may not all have been looked at.
    taken_units: usize,
    share: Share,
    /// There were too many: no more are kept.
    overflowed: bool,
    waker: Option<Waker>,
}

/// What a mark has changed.
pub(crate) enum Marked {
    /// Nothing that the watcher has to be woken for.
    Known,
    /// It waits, and is to be woken.
    Wake(Waker),
}

impl Watcher {
    pub(crate) fn new(marks_max: usize, share: Share) -> Self {
        Watcher {
            marks: Mutex::new(Marks {
                clients: HashSet::new(),
                units: 0,
                taken_units: 0,
                share,
                overflowed: false,
                waker: None,
            }),
            marks_max,
        }
    }

    /// Marks a client. `shared` is its ID, made when it is needed first.
    pub(crate) fn mark(&self, client: &[u8], shared: &mut Option<ClientId>) -> Marked {
        let mut marks = self.marks.lock();
        if marks.overflowed || marks.clients.contains(client) {
            return Marked::Known;
        }
        let shared = shared.get_or_insert_with(|| client.into());
        marks.insert(Arc::clone(shared));
        marks.count(self.marks_max);
        match marks.waker.take() {
            Some(waker) => Marked::Wake(waker),
            None => Marked::Known,
        }
    }

    /// The mark of a client is not needed; to be called under the lock of the client's shard, with a look at its record.
    pub(crate) fn unmark(&self, client: &[u8]) {
        let mut marks = self.marks.lock();
        if marks.clients.remove(client) {
            marks.units -= units(client);
            marks.count(self.marks_max);
        }
    }

    /// Takes all marks. Until the next call they count as if they were there.
    pub(crate) fn take(&self) -> Vec<ClientId> {
        let mut marks = self.marks.lock();
        let taken: Vec<ClientId> = marks.clients.drain().collect();
        if taken.len() < marks.clients.capacity() / 8 {
            marks.clients = HashSet::new();
        }
        marks.taken_units = std::mem::take(&mut marks.units);
        marks.count(self.marks_max);
        taken
    }

    /// Takes back marks that were taken and not looked at.
    pub(crate) fn give_back(&self, clients: impl IntoIterator<Item = ClientId>) {
        let mut marks = self.marks.lock();
        if !marks.overflowed {
            clients.into_iter().for_each(|client| marks.insert(client));
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
        match &mut marks.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        false
    }
}

impl Marks {
    fn insert(&mut self, client: ClientId) {
        let more = units(&client);
        if self.clients.insert(client) {
            self.units += more;
        }
    }

    fn count(&mut self, marks_max: usize) {
        let fits = self.share.set(self.units + self.taken_units);
        // One that gives marks back is not ended for that.
        if !fits || self.clients.len() > marks_max {
            self.overflowed = true;
            self.clients = HashSet::new();
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
        (Watcher::new(marks_max, budget.share()), budget)
    }

    fn mark(watcher: &Watcher, client: &str) {
        let _ = watcher.mark(client.as_bytes(), &mut None);
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
    fn those_with_many_marks_share_a_bound() {
        let budget = Budget::new(100);
        let watchers = [0, 1].map(|_| Watcher::new(10_000, budget.share()));
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
