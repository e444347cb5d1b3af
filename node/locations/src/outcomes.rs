//! Counts of the outcomes of merges.

use std::sync::atomic::{AtomicU64, Ordering};

use herd_crdt::{Merged, Outcome};

/// How many kinds of [`Outcome`] there are.
const OUTCOMES: usize = 7;

/// How many merges ended in which way, since the start.
#[derive(Debug, Default)]
pub struct OutcomeCounts {
    counts: [AtomicU64; OUTCOMES],
}

impl OutcomeCounts {
    /// The count of one outcome.
    pub fn get(&self, outcome: Outcome) -> u64 {
        self.counts[Self::index(outcome)].load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, merges: &Merges) {
        for (shared, &count) in self.counts.iter().zip(&merges.outcomes) {
            if count > 0 {
                shared.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    fn index(outcome: Outcome) -> usize {
        match outcome {
            Outcome::New => 0,
            Outcome::Newer => 1,
            Outcome::TieWon => 2,
            Outcome::Same => 3,
            Outcome::TieLost => 4,
            Outcome::Stale => 5,
            Outcome::Expired => 6,
        }
    }
}

/// Results of merges that are not in the shared counters yet: a batch of records touches these once.
#[derive(Debug, Default)]
pub(super) struct Merges {
    outcomes: [u64; OUTCOMES],
    pub(super) queued: usize,
}

impl Merges {
    pub(super) fn count(&mut self, merged: &Merged, queued: bool) {
        self.outcomes[OutcomeCounts::index(merged.outcome)] += 1;
        self.queued += usize::from(queued);
    }

    pub(super) fn count_of(&self, outcome: Outcome) -> u64 {
        self.outcomes[OutcomeCounts::index(outcome)]
    }
}
