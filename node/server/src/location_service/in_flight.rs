//! How many questions wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A count with a bound.
#[derive(Debug)]
pub(super) struct InFlight {
    max: usize,
    now: AtomicUsize,
}

/// One that waits; it does no more when this is dropped.
#[derive(Debug)]
pub(super) struct Waiting(Arc<InFlight>);

impl InFlight {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(InFlight {
            max,
            now: AtomicUsize::new(0),
        })
    }

    /// One more, unless the limit is reached.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Waiting> {
        let before = self.now.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(Arc::clone(self));
        (before < self.max).then_some(waiting)
    }

    /// How many wait.
    pub(super) fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed).min(self.max)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_and_no_more() {
        let in_flight = InFlight::new(2);
        let one = in_flight.enter().unwrap();
        let _two = in_flight.enter().unwrap();
        assert!(in_flight.enter().is_none());
        assert!(in_flight.enter().is_none(), "a refusal takes no place");
        drop(one);
        assert!(in_flight.enter().is_some());
    }
}
