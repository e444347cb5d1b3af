//! The task that erases the locations of forgotten clients, and the publisher: what they say to each other.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use herd_replica::erasure::Question;

/// See the module.
#[derive(Default)]
pub(super) struct Erasure {
    asked: Mutex<Option<Question>>,
    found: Mutex<Option<usize>>,
    answered: Notify,
    /// Clients that are attended to.
    attended: AtomicUsize,
}

impl Erasure {
    /// Asks the publisher. Resolves to its answer: a number of slots.
    pub(super) async fn ask(&self, question: Question) -> usize {
        *self.found.lock() = None;
        *self.asked.lock() = Some(question);
        loop {
            let answered = self.answered.notified();
            if let Some(found) = self.found.lock().take() {
                return found;
            }
            answered.await;
        }
    }

    /// What the publisher is asked, once.
    pub(super) fn take_asked(&self) -> Option<Question> {
        self.asked.lock().take()
    }

    /// The publisher's answer.
    pub(super) fn answer(&self, found: usize) {
        *self.found.lock() = Some(found);
        self.answered.notify_one();
    }

    /// So many clients are attended to now.
    pub(super) fn set_attended(&self, clients: usize) {
        self.attended.store(clients, Ordering::Relaxed);
    }

    /// See [`Erasure::set_attended`].
    pub(super) fn attended(&self) -> usize {
        self.attended.load(Ordering::Relaxed)
    }
}
