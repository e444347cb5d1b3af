//! A bounded queue that drops its oldest element when it is full.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// For messages of which the newest are worth the most. One task pops; any may push, and never
/// waits.
#[derive(Debug)]
pub struct DropOldest<T> {
    items: Mutex<VecDeque<T>>,
    pushed: Notify,
    capacity: usize,
}

impl<T> DropOldest<T> {
    /// An empty queue for at most `capacity` items.
    pub fn new(capacity: usize) -> Self {
        DropOldest {
            items: Mutex::new(VecDeque::new()),
            pushed: Notify::new(),
            capacity,
        }
    }

    /// Appends `item`; says whether the oldest had to go.
    pub fn push(&self, item: T) -> bool {
        let mut items = self.items.lock();
        let dropped = items.len() >= self.capacity && items.pop_front().is_some();
        items.push_back(item);
        drop(items);
        self.pushed.notify_one();
        dropped
    }

    /// The oldest item, if there is any.
    pub fn try_pop(&self) -> Option<T> {
        self.items.lock().pop_front()
    }

    /// The oldest item, as soon as there is any. Cancel-safe: nothing is taken before it returns.
    pub async fn pop(&self) -> T {
        loop {
            if let Some(item) = self.try_pop() {
                return item;
            }
            self.pushed.notified().await;
        }
    }

    /// Forgets all items.
    pub fn clear(&self) {
        self.items.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_goes_when_it_is_full() {
        let queue = DropOldest::new(2);
        assert!(!queue.push(1));
        assert!(!queue.push(2));
        assert!(queue.push(3));
        assert_eq!((queue.pop().await, queue.pop().await), (2, 3));
        assert_eq!(queue.try_pop(), None);
    }

    #[tokio::test]
    async fn a_push_wakes_whoever_waits() {
        let queue = DropOldest::new(2);
        let (popped, ()) = tokio::join!(queue.pop(), async {
            tokio::task::yield_now().await;
            queue.push(7);
        });
        assert_eq!(popped, 7);
    }
}
