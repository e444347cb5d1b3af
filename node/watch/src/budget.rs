//! A bound on what all watchers hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A watcher's own entries up to this number are not counted, so one that reads what it is told is never ended because
/// others do not.
pub const UNCOUNTED_ENTRIES: usize = 256;

/// The entries of all watchers, with a bound.
#[derive(Debug)]
pub struct Budget {
    entries_max: usize,
    entries: AtomicUsize,
}

/// The entries of one watcher; they count no more when this is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    counted: usize,
}

impl Budget {
    /// At most `entries_max` entries, beside the first ones of each watcher.
    #[must_use]
    pub fn new(entries_max: usize) -> Arc<Self> {
        Arc::new(Budget {
            entries_max,
            entries: AtomicUsize::new(0),
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

    /// The entries that count now.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }
}

impl Share {
    /// So many entries this watcher holds now. Says whether there is room for them.
    #[must_use]
    pub fn set(&mut self, entries: usize) -> bool {
        let counted = entries.saturating_sub(UNCOUNTED_ENTRIES);
        let all = &self.budget.entries;
        let fits = if counted > self.counted {
            let more = counted - self.counted;
            all.fetch_add(more, Ordering::Relaxed) + more <= self.budget.entries_max
        } else {
            all.fetch_sub(self.counted - counted, Ordering::Relaxed);
            true
        };
        self.counted = counted;
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let all = &self.budget.entries;
        all.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_entries_always_fit() {
        let budget = Budget::new(10);
        let (mut much, mut little) = (budget.share(), budget.share());
        assert!(much.set(UNCOUNTED_ENTRIES + 10));
        assert!(!much.set(UNCOUNTED_ENTRIES + 11));
        assert!(little.set(UNCOUNTED_ENTRIES));
        assert!(!little.set(UNCOUNTED_ENTRIES + 1));
        assert_eq!(budget.entries(), 12);
        assert!(much.set(0));
        assert_eq!(budget.entries(), 1);
        drop((much, little));
        assert_eq!(budget.entries(), 0);
    }
}
