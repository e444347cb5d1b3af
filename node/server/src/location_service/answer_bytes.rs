//! The memory of answers of searches, from finding the clients until their lines are sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers of at most this number of bytes are not counted: some hundred clients. So a small question is never refused
/// because others ask for much.
const UNCOUNTED_BYTES: usize = 16 * 1024;

/// The most that all others may take together, in bytes. A thousand clients with the longest IDs take 8 MiB.
const ANSWERS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The bytes of all answers.
#[derive(Debug, Default)]
pub(super) struct AnswerBudget {
    bytes: AtomicUsize,
}

/// The part of one answer. It is given back when this is dropped.
#[derive(Debug)]
pub struct AnswerBytes {
    budget: Arc<AnswerBudget>,
    counted: usize,
}

impl AnswerBytes {
    /// Nothing yet.
    pub(super) fn of(budget: &Arc<AnswerBudget>) -> Self {
        AnswerBytes {
            budget: Arc::clone(budget),
            counted: 0,
        }
    }

    /// Whether it is large enough to be counted: only then has it to be kept.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.counted > 0
    }

    /// Sets the bytes of the answer. Says whether there is room for them.
    #[must_use]
    pub fn set(&mut self, bytes: usize) -> bool {
        let counted = if bytes > UNCOUNTED_BYTES { bytes } else { 0 };
        let total = &self.budget.bytes;
        let fits = if counted > self.counted {
            let more = counted - self.counted;
            total.fetch_add(more, Ordering::Relaxed) + more <= ANSWERS_BYTES_MAX
        } else {
            total.fetch_sub(self.counted - counted, Ordering::Relaxed);
            true
        };
        self.counted = counted;
        fits
    }
}

impl Drop for AnswerBytes {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_have_a_bound_and_small_ones_always_fit() {
        let budget = Arc::<AnswerBudget>::default();
        let (mut large, mut other) = (AnswerBytes::of(&budget), AnswerBytes::of(&budget));
        assert!(large.set(ANSWERS_BYTES_MAX - 1));
        assert!(!other.set(UNCOUNTED_BYTES + 1));
        assert!(other.set(UNCOUNTED_BYTES));
        assert!(large.set(UNCOUNTED_BYTES + 1));
        assert!(other.set(UNCOUNTED_BYTES + 1));
        drop((large, other));
        assert_eq!(budget.bytes.load(Ordering::Relaxed), 0);
    }
}
