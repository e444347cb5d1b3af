//! Requests of the receiver that the store forget incarnations, which the publisher carries out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::incarnation::Incarnation;
use herd_replica::store::Request;

/// Incarnations whose groups the store no longer needs. The receiver asks, the publisher does it:
/// only once a round that began after the request is on disk, and with it whatever replaced them.
#[derive(Clone, Debug, Default)]
pub(super) struct Unneeded {
    requests: Arc<Mutex<Requests>>,
}

#[derive(Debug, Default)]
struct Requests {
    made: u64,
    open: BTreeMap<Incarnation, u64>,
}

impl Unneeded {
    /// The store does not need this incarnation any more.
    pub(super) fn add(&self, incarnation: Incarnation) {
        let mut requests = self.requests.lock();
        let Requests { made, open } = &mut *requests;
        open.entry(incarnation).or_insert_with(|| {
            *made += 1;
            *made
        });
    }

    /// All requests that are open.
    pub(super) fn all(&self) -> BTreeSet<Request> {
        let requests = self.requests.lock();
        let open = requests.open.iter();
        open.map(|(incarnation, number)| (incarnation.clone(), *number))
            .collect()
    }

    /// Does `forget`, and closes the request, if it is still open. Nothing else is written meanwhile.
    pub(super) fn close(&self, (incarnation, number): &Request, forget: impl FnOnce()) {
        let mut requests = self.requests.lock();
        if requests.open.get(incarnation) == Some(number) {
            requests.open.remove(incarnation);
            forget();
        }
    }

    /// Does `write`, which needs these incarnations: requests to forget them are withdrawn.
    pub(super) fn withdraw<'a, T>(
        &self,
        needed: impl Iterator<Item = &'a Incarnation>,
        write: impl FnOnce() -> T,
    ) -> T {
        let mut requests = self.requests.lock();
        for incarnation in needed {
            requests.open.remove(incarnation);
        }
        write()
    }

    pub(super) fn clear(&self) {
        self.requests.lock().open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_again_withdraws_the_request_to_forget_it() {
        let unneeded = Unneeded::default();
        let smith = Incarnation {
            server: "Smith".into(),
            generation: 1,
        };
        let only = || unneeded.all().pop_first().unwrap();
        unneeded.add(smith.clone());
        let first = only();
        unneeded.add(smith.clone());
        assert_eq!(only(), first, "one request");
        assert_eq!(unneeded.withdraw([&smith].into_iter(), || 7), 7);
        assert_eq!(unneeded.all().len(), 0);
        let mut forgotten = 0;
        unneeded.close(&first, || forgotten += 1);
        unneeded.add(smith);
        // It is another one, for which other writes have to be on disk.
        unneeded.close(&first, || forgotten += 1);
        assert_eq!(forgotten, 0);
        unneeded.close(&only(), || forgotten += 1);
        assert_eq!((forgotten, unneeded.all().len()), (1, 0));
    }
}
