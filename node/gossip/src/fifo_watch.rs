//! A value whose changes tasks wait for, as with tokio's `watch`: it wakes tasks in the order in which they began to
//! wait. `watch` draws that order, and a simulation could not be repeated.

use std::sync::Arc;

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::sync::Notify;

/// The side that changes the value.
#[derive(Debug)]
pub(crate) struct FifoWatch<T> {
    shared: Arc<Shared<T>>,
}

/// A side that waits.
#[derive(Clone, Debug)]
pub(crate) struct FifoReceiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

#[derive(Debug)]
struct Shared<T> {
    value: Mutex<Numbered<T>>,
    changed: Notify,
}

#[derive(Debug)]
struct Numbered<T> {
    /// Rises with each change.
    number: u64,
    value: T,
}

impl<T> FifoWatch<T> {
    pub(crate) fn new(value: T) -> Self {
        FifoWatch {
            shared: Arc::new(Shared {
                value: Mutex::new(Numbered { number: 1, value }),
                changed: Notify::new(),
            }),
        }
    }

    /// From now on: the present value counts as seen.
    pub(crate) fn subscribe(&self) -> FifoReceiver<T> {
        let seen = self.shared.value.lock().number;
        let shared = self.shared.clone();
        FifoReceiver { shared, seen }
    }

    /// The present value. Not to be held.
    pub(crate) fn borrow(&self) -> MappedMutexGuard<'_, T> {
        self.shared.borrow()
    }

    /// Changes the value in place.
    pub(crate) fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// The same, where `modify` says whether it changed anything.
    pub(crate) fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) {
        let mut numbered = self.shared.value.lock();
        if modify(&mut numbered.value) {
            numbered.number += 1;
            drop(numbered);
            self.shared.changed.notify_waiters();
        }
    }
}

impl<T> Shared<T> {
    fn borrow(&self) -> MappedMutexGuard<'_, T> {
        MutexGuard::map(self.value.lock(), |numbered| &mut numbered.value)
    }
}

impl<T> FifoReceiver<T> {
    /// The same, which counts as seen from now on.
    pub(crate) fn borrow_and_update(&mut self) -> MappedMutexGuard<'_, T> {
        let numbered = self.shared.value.lock();
        self.seen = numbered.number;
        MutexGuard::map(numbered, |numbered| &mut numbered.value)
    }

    /// The present value counts as not seen.
    pub(crate) fn mark_changed(&mut self) {
        self.seen = 0;
    }

    /// Resolves when there is a value that was not seen, which counts as seen then. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // Before the look: what comes after it wakes this.
            changed.as_mut().enable();
            let number = self.shared.value.lock().number;
            if number != self.seen {
                self.seen = number;
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_change_is_seen_once_and_by_everyone() {
        let watch = FifoWatch::new(1);
        let mut receivers = [watch.subscribe(), watch.subscribe()];
        assert!(receivers[0].changed().now_or_never().is_none());
        watch.send_if_modified(|_| false);
        assert!(receivers[0].changed().now_or_never().is_none());
        watch.send_modify(|value| *value = 2);
        for receiver in &mut receivers {
            assert!(receiver.changed().now_or_never().is_some());
            assert!(receiver.changed().now_or_never().is_none());
            assert_eq!(*receiver.borrow_and_update(), 2);
            receiver.mark_changed();
            assert_eq!(*receiver.borrow_and_update(), 2);
            assert!(receiver.changed().now_or_never().is_none());
        }
    }

    #[tokio::test]
    async fn tasks_are_woken_in_the_order_in_which_they_began_to_wait() {
        let watch = FifoWatch::new(0);
        let (order, mut woken) = tokio::sync::mpsc::channel(32);
        for number in 0..32 {
            let (mut receiver, order) = (watch.subscribe(), order.clone());
            tokio::spawn(async move {
                receiver.changed().await;
                order.send(number).await.unwrap();
            });
        }
        drop(order);
        tokio::task::yield_now().await;
        watch.send_modify(|value| *value = 1);
        let mut in_order = Vec::new();
        while let Some(number) = woken.recv().await {
            in_order.push(number);
        }
        assert_eq!(in_order, (0..32).collect::<Vec<_>>());
    }
}
