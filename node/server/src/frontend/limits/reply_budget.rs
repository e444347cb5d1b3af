//! The memory limit for unsent replies of all connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Replies of a connection that are not counted, in bytes: a connection with no more than this waiting is never
/// delayed, and does not touch the shared count.
const UNCOUNTED_BYTES: usize = 8 * 1024;

/// The count changes in pieces of this number of bytes, so that not every reply touches it.
const PIECE_BYTES: usize = 4 * 1024;

/// The bytes of all connections.
#[derive(Debug)]
pub(in crate::frontend) struct ReplyBudget {
    bytes_max: usize,
    bytes: AtomicUsize,
}

/// The part of one connection; it is given back when this is dropped.
#[derive(Debug)]
pub(in crate::frontend) struct ReplyShare {
    budget: Arc<ReplyBudget>,
    counted_bytes: usize,
}

impl ReplyBudget {
    /// Nothing waits. Beyond `bytes_max` connections that have much waiting get no more.
    pub(in crate::frontend) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(ReplyBudget {
            bytes_max,
            bytes: AtomicUsize::new(0),
        })
    }

    pub(in crate::frontend) fn share(self: &Arc<Self>) -> ReplyShare {
        ReplyShare {
            budget: Arc::clone(self),
            counted_bytes: 0,
        }
    }
}

impl ReplyShare {
    /// So much of the connection waits now.
    pub(in crate::frontend) fn set(&mut self, bytes: usize) {
        let beyond = bytes.saturating_sub(UNCOUNTED_BYTES);
        let counted = beyond.next_multiple_of(PIECE_BYTES);
        let total = &self.budget.bytes;
        if counted > self.counted_bytes {
            total.fetch_add(counted - self.counted_bytes, Ordering::Relaxed);
        } else if counted < self.counted_bytes {
            total.fetch_sub(self.counted_bytes - counted, Ordering::Relaxed);
        }
        self.counted_bytes = counted;
    }

    /// Whether the connection may execute more: it has few waiting replies, or there is room for all connections. Its
    /// own replies are read by its client or complete by themselves, so it never waits for others only.
    pub(in crate::frontend) fn has_room(&self) -> bool {
        self.counted_bytes == 0 || self.budget.bytes.load(Ordering::Relaxed) < self.budget.bytes_max
    }
}

impl Drop for ReplyShare {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_with_few_waiting_replies_is_never_delayed() {
        let budget = ReplyBudget::new(100_000);
        let (mut much, mut little) = (budget.share(), budget.share());
        little.set(UNCOUNTED_BYTES);
        much.set(1_000);
        assert_eq!(
            budget.bytes.load(Ordering::Relaxed),
            0,
            "nothing is counted"
        );
        much.set(UNCOUNTED_BYTES + 1);
        assert!(much.has_room());
        much.set(200_000);
        assert!(!much.has_room() && little.has_room());
        little.set(UNCOUNTED_BYTES + 1);
        assert!(!little.has_room());
        much.set(50_000);
        assert!(much.has_room() && little.has_room());
        drop(much);
        drop(little);
        assert_eq!(budget.bytes.load(Ordering::Relaxed), 0);
    }
}
