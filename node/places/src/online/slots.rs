//! How many questions are in flight, and how many wait for their turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// So many questions may wait for each that is in flight.
const WAITING_PER_SLOT: usize = 8;

/// The bound on questions in flight, with a bounded queue before it.
#[derive(Debug)]
pub struct QuestionSlots {
    free: Semaphore,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// The queue is full: the answer would come too late anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyWaiting;

impl QuestionSlots {
    /// So many questions at a time.
    #[must_use]
    pub fn new(in_flight_max: usize) -> Self {
        QuestionSlots {
            free: Semaphore::new(in_flight_max),
            waiting: AtomicUsize::new(0),
            waiting_max: in_flight_max.saturating_mul(WAITING_PER_SLOT),
        }
    }

    /// Waits for a slot, which is free again when the result is dropped. The caller bounds the wait.
    ///
    /// # Errors
    /// If too many wait already.
    pub async fn enter(&self) -> Result<SemaphorePermit<'_>, TooManyWaiting> {
        if let Ok(permit) = self.free.try_acquire() {
            return Ok(permit);
        }
        let queued = Queued::new(&self.waiting);
        if queued.position >= self.waiting_max {
            return Err(TooManyWaiting);
        }
        // The semaphore is never closed.
        self.free.acquire().await.map_err(|_| TooManyWaiting)
    }
}

struct Queued<'a> {
    waiting: &'a AtomicUsize,
    position: usize,
}

impl<'a> Queued<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        Queued {
            waiting,
            position: waiting.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn slots_and_queue_are_bounded() {
        let slots = QuestionSlots::new(1);
        let held = slots.enter().await.unwrap();
        let mut queue: Vec<_> = (0..WAITING_PER_SLOT)
            .map(|_| Box::pin(slots.enter()))
            .collect();
        for waiting in &mut queue {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        assert!(slots.enter().await.is_err());
        // One that gives up makes room in the queue.
        queue.pop();
        assert!(slots.enter().now_or_never().is_none());
        drop(held);
        assert!(queue.remove(0).await.is_ok());
    }
}
