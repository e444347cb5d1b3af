//! Identical questions that are asked at the same time are asked once.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{Shared, WeakShared};
use parking_lot::Mutex;

type AnswerFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The questions in progress. No task is started: the callers that wait for the answer drive it, and when all of them
/// are gone, it is cancelled.
pub struct SingleFlight<K, T> {
    flights: Arc<Flights<K, T>>,
}

struct Flights<K, T>(Mutex<FlightMap<K, T>>);

struct FlightMap<K, T> {
    by_key: HashMap<K, Flight<T>>,
    next_number: u64,
}

struct Flight<T> {
    number: u64,
    answer: WeakShared<AnswerFuture<T>>,
}

/// Takes its flight off the list when the flight is over, however it ends.
struct Landing<K: Eq + Hash, T> {
    flights: Arc<Flights<K, T>>,
    key: K,
    number: u64,
}

impl<K: Eq + Hash, T> Drop for Landing<K, T> {
    fn drop(&mut self) {
        let mut map = self.flights.0.lock();
        let own = |flight: &Flight<T>| flight.number == self.number;
        if map.by_key.get(&self.key).is_some_and(own) {
            map.by_key.remove(&self.key);
        }
    }
}

impl<K, T> Default for SingleFlight<K, T> {
    fn default() -> Self {
        let map = FlightMap {
            by_key: HashMap::new(),
            next_number: 0,
        };
        SingleFlight {
            flights: Arc::new(Flights(Mutex::new(map))),
        }
    }
}

impl<K, T> SingleFlight<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// The answer to the question `key`: that of the one in progress, else that of `ask`, which is
    /// made one in progress. Tells also whether it joined another.
    pub fn join<F>(&self, key: K, ask: impl FnOnce() -> F) -> (Shared<AnswerFuture<T>>, bool)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut map = self.flights.0.lock();
        // One that has been given up in this moment cannot be joined.
        if let Some(flight) = map.by_key.get(&key)
            && let Some(answer) = flight.answer.upgrade()
        {
            return (answer, true);
        }
        let number = map.next_number;
        map.next_number += 1;
        let landing = Landing {
            flights: Arc::clone(&self.flights),
            key: key.clone(),
            number,
        };
        let asking = ask();
        let answer: AnswerFuture<T> = Box::pin(async move {
            let _landing = landing;
            asking.await
        });
        let answer = answer.shared();
        // Neither an untaken answer nor a landing is dropped under the lock.
        let replaced = match answer.downgrade() {
            Some(weak) => map.by_key.insert(
                key,
                Flight {
                    number,
                    answer: weak,
                },
            ),
            None => None,
        };
        drop(map);
        drop(replaced);
        (answer, false)
    }

    /// How many questions are in progress.
    #[must_use]
    pub fn in_progress(&self) -> usize {
        self.flights.0.lock().by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn only_identical_questions_share_a_request() {
        let flights = SingleFlight::<u8, u32>::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let (allow, allowed) = oneshot::channel::<u32>();
        let count = Arc::clone(&asked);
        let ask = move || async move {
            count.fetch_add(1, Ordering::SeqCst);
            allowed.await.unwrap()
        };
        let (first, joined) = flights.join(1, ask);
        assert!(!joined);
        let (second, joined) = flights.join(1, std::future::pending);
        assert!(joined);
        let (other, joined) = flights.join(2, || std::future::ready(5));
        assert!(!joined);
        assert_eq!(flights.in_progress(), 2);
        assert_eq!(other.await, 5);
        allow.send(7).unwrap();
        assert_eq!(futures_util::future::join(first, second).await, (7, 7));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert_eq!(flights.in_progress(), 0);
        // The next one is asked anew.
        assert_eq!(flights.join(1, || std::future::ready(8)).0.await, 8);
    }

    #[tokio::test]
    async fn the_last_caller_to_leave_ends_the_flight() {
        let flights = SingleFlight::<u8, u32>::default();
        let (allow, allowed) = oneshot::channel::<u32>();
        let (first, _) = flights.join(1, move || async move { allowed.await.unwrap() });
        let (second, _) = flights.join(1, std::future::pending);
        drop(first);
        allow.send(3).unwrap();
        assert_eq!(second.await, 3);

        let (allow, allowed) = oneshot::channel::<u32>();
        let (alone, _) = flights.join(1, move || async move { allowed.await.unwrap() });
        drop(alone);
        assert_eq!(flights.in_progress(), 0);
        assert!(allow.is_closed(), "the flight goes on without a caller");
    }
}
