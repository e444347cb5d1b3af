//! A bound on what all watchers hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use herd_crdt::CLIENT_ID_BYTES_MAX;

use super::subject::Subject;

/// An ID counts one unit more for this many bytes.
const UNIT_BYTES: usize = 64;

/// A watcher's own units up to this number are not counted, so one that reads what it is told is never ended because
/// others do not: one client with the longest ID, or so many with short ones.
pub const UNCOUNTED_UNITS: usize = 1 + CLIENT_ID_BYTES_MAX / UNIT_BYTES;

/// How many units an ID counts: one for its place, and one for each whole 64 bytes.
pub(crate) fn units(client: &[u8]) -> usize {
    1 + client.len() / UNIT_BYTES
}

/// The IDs that all watchers hold, in units, with a bound.
#[derive(Debug)]
pub struct Budget {
    units_max: usize,
    units: AtomicUsize,
}

/// The units of one watcher; they count no more when this is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    counted: usize,
}

impl Budget {
    /// At most `units_max` units, beside the first ones of each watcher.
    #[must_use]
    pub fn new(units_max: usize) -> Arc<Self> {
        Arc::new(Budget {
            units_max,
            units: AtomicUsize::new(0),
        })
    }

    /// The share of one more watcher, with nothing in it.
    #[must_use]
    pub fn share(self: &Arc<Self>) -> Share {
        Share {
            budget: Arc::clone(self),
            counted: 0,
        }
    }

    /// Room for the ID of what is watched, for as long as the share lives: one unit for each whole 64 bytes, all of which
    /// count. `None` if there is no room.
    #[must_use]
    pub fn hold(self: &Arc<Self>, subject: &Subject) -> Option<Share> {
        let mut share = self.share();
        let units = UNCOUNTED_UNITS + subject.id().len() / UNIT_BYTES;
        share.set(units).then_some(share)
    }

    /// The units that count now.
    #[must_use]
    pub fn units(&self) -> usize {
        self.units.load(Ordering::Relaxed)
    }
}

impl Share {
    /// So many units this watcher holds now. Says whether there is room for them; if not, it counts as before.
    #[must_use]
    pub fn set(&mut self, units: usize) -> bool {
        let counted = units.saturating_sub(UNCOUNTED_UNITS);
        let Budget {
            units_max,
            units: all,
        } = &*self.budget;
        if counted > self.counted {
            let more = counted - self.counted;
            let with_more = |all: usize| all.checked_add(more).filter(|all| all <= units_max);
            let added = all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_more);
            if added.is_err() {
                return false;
            }
        } else {
            all.fetch_sub(self.counted - counted, Ordering::Relaxed);
        }
        self.counted = counted;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let all = &self.budget.units;
        all.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_units_always_fit_and_others_only_with_room() {
        let budget = Budget::new(10);
        let (mut much, mut little) = (budget.share(), budget.share());
        assert!(much.set(UNCOUNTED_UNITS + 10));
        assert!(!much.set(UNCOUNTED_UNITS + 11));
        assert_eq!(budget.units(), 10, "an addition that does not fit is none");
        assert!(little.set(UNCOUNTED_UNITS));
        assert!(!little.set(UNCOUNTED_UNITS + 1));
        assert!(much.set(UNCOUNTED_UNITS + 9));
        assert!(little.set(UNCOUNTED_UNITS + 1));
        assert_eq!(budget.units(), 10);
        assert!(much.set(0));
        assert_eq!(budget.units(), 1);
        drop((much, little));
        assert_eq!(budget.units(), 0);
    }

    #[test]
    fn subjects_always_count_by_the_bytes_of_their_ids() {
        let budget = Budget::new(CLIENT_ID_BYTES_MAX / UNIT_BYTES);
        let long: Arc<[u8]> = vec![b'a'; CLIENT_ID_BYTES_MAX].into();
        let prefix = budget.hold(&Subject::Prefix(Arc::clone(&long))).unwrap();
        assert_eq!(budget.units(), CLIENT_ID_BYTES_MAX / UNIT_BYTES);
        assert!(budget.hold(&Subject::Client(Arc::clone(&long))).is_none());
        let short = budget.hold(&Subject::Client(long[..UNIT_BYTES - 1].into()));
        assert!(short.is_some() && budget.hold(&Subject::All).is_some());
        drop(prefix);
        assert!(budget.hold(&Subject::Client(long)).is_some());
        assert_eq!(budget.units(), 0);
    }

    #[test]
    fn a_long_id_counts_by_its_bytes() {
        assert_eq!(
            [0, 1, 63, 64].map(|len| units(&vec![b'a'; len])),
            [1, 1, 1, 2]
        );
        assert_eq!(units(&[b'a'; CLIENT_ID_BYTES_MAX]), UNCOUNTED_UNITS);
    }
}
