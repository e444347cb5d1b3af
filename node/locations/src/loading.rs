//! Whether the store is still being read into the map, and which clients are asked for meanwhile.
//!
//! The groups of a store come in no order: until all are merged, a client that is not found may be in
//! the rest of them, and one that is found may have a greater record there. So a question about a client
//! leaves the ID here, and waits until every group that holds the client is merged. The loader takes
//! all requested IDs at once, and searches for them together.

use std::collections::HashSet;

use parking_lot::Mutex;
use tokio::sync::watch;

/// Clients that wait for one search. Those beyond it wait for the end of the load.
const ASKED_MAX: usize = 4_096;

/// The load at the start. A map that is filled from nowhere has none.
#[derive(Debug, Default)]
pub struct Loading {
    progress: watch::Sender<LoadProgress>,
    asked: Mutex<AskedClients>,
}

#[derive(Clone, Copy, Debug, Default)]
struct LoadProgress {
    running: bool,
    /// The number of the last search that is over; the first is 1.
    searched: u64,
}

#[derive(Debug, Default)]
struct AskedClients {
    /// The clients of the next search.
    clients: HashSet<Box<[u8]>>,
    /// How many searches have begun.
    searches: u64,
}

/// The event for which a question about a client waits, unless the load ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerableAfter {
    /// The search of this number.
    Search(u64),
    /// The whole load.
    Load,
}

/// The clients of one search.
#[derive(Debug)]
pub struct ClientSearch {
    number: u64,
    clients: HashSet<Box<[u8]>>,
}

impl ClientSearch {
    /// Whether it is for this client.
    #[must_use]
    pub fn is_for(&self, client: &[u8]) -> bool {
        self.clients.contains(client)
    }
}

impl Loading {
    /// The store is about to be read.
    pub fn begin(&self) {
        self.set_running(true);
    }

    /// All of it is in the map, or no more will be.
    pub fn end(&self) {
        self.set_running(false);
    }

    fn set_running(&self, running: bool) {
        let mut asked = self.asked.lock();
        asked.clients = HashSet::new();
        self.progress
            .send_modify(|progress| progress.running = running);
    }

    /// Whether more may come: a client that is not found may be, and one that is found may have a
    /// greater record.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.progress.borrow().running
    }

    /// Asks for a client. To be waited for with [`Loading::answerable`].
    #[must_use]
    pub fn ask(&self, client: &[u8]) -> AnswerableAfter {
        let mut asked = self.asked.lock();
        if !self.is_running() {
            return AnswerableAfter::Load;
        }
        if !asked.clients.contains(client) {
            if asked.clients.len() >= ASKED_MAX {
                return AnswerableAfter::Load;
            }
            asked.clients.insert(client.into());
        }
        AnswerableAfter::Search(asked.searches + 1)
    }

    /// Resolves when all that the store holds of a client that was asked for is in the map, or when no
    /// more will come.
    pub async fn answerable(&self, after: AnswerableAfter) {
        let mut progress = self.progress.subscribe();
        let is_over = |progress: &LoadProgress| match after {
            AnswerableAfter::Search(number) => !progress.running || progress.searched >= number,
            AnswerableAfter::Load => !progress.running,
        };
        // The sender lives in `self`.
        let _ = progress.wait_for(is_over).await;
    }

    /// Begins a search for all requested clients, if there are any. Later requests are for the next search. To be ended
    /// with [`Loading::end_search`] before the next begins.
    #[must_use]
    pub fn begin_search(&self) -> Option<ClientSearch> {
        let mut asked = self.asked.lock();
        if asked.clients.is_empty() {
            return None;
        }
        asked.searches += 1;
        Some(ClientSearch {
            number: asked.searches,
            clients: std::mem::take(&mut asked.clients),
        })
    }

    /// All that the store holds of the clients of this search is in the map.
    pub fn end_search(&self, search: ClientSearch) {
        self.progress
            .send_modify(|progress| progress.searched = search.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_end_is_waited_for_whenever_it_comes() {
        let loading = Loading::default();
        let after = loading.ask(b"kiwi");
        assert_eq!(
            loading.answerable(after).now_or_never(),
            Some(()),
            "there is none"
        );
        assert!(loading.begin_search().is_none(), "nobody would search");
        loading.begin();
        assert!(loading.is_running());
        let after = loading.ask(b"kiwi");
        let mut answerable = std::pin::pin!(loading.answerable(after));
        assert_eq!(answerable.as_mut().now_or_never(), None);
        loading.end();
        answerable.await;
        assert_eq!(loading.answerable(after).now_or_never(), Some(()));
        assert!(loading.begin_search().is_none(), "nobody waits any more");
    }

    #[tokio::test]
    async fn a_question_during_a_search_waits_for_the_next_one() {
        let loading = Loading::default();
        loading.begin();
        assert!(loading.begin_search().is_none(), "nobody asks");
        let kiwi = loading.ask(b"kiwi");
        assert_eq!(loading.ask(b"kiwi"), kiwi);
        let first = loading.begin_search().unwrap();
        assert!(first.is_for(b"kiwi") && !first.is_for(b"emu"));
        let (emu, again) = (loading.ask(b"emu"), loading.ask(b"kiwi"));
        let is_told = |after| loading.answerable(after).now_or_never().is_some();
        assert!(!is_told(kiwi));
        loading.end_search(first);
        assert!(is_told(kiwi) && !is_told(emu) && !is_told(again));
        let second = loading.begin_search().unwrap();
        assert!(second.is_for(b"kiwi") && second.is_for(b"emu"));
        loading.end_search(second);
        assert!(is_told(emu) && is_told(again));
        assert!(loading.is_running());
    }

    #[tokio::test]
    async fn more_clients_than_one_search_takes_wait_for_the_end() {
        let loading = Loading::default();
        loading.begin();
        for number in 0..ASKED_MAX {
            let after = loading.ask(number.to_string().as_bytes());
            assert_eq!(after, AnswerableAfter::Search(1));
        }
        assert_eq!(loading.ask(b"kiwi"), AnswerableAfter::Load);
        assert_eq!(loading.ask(b"0"), AnswerableAfter::Search(1));
        let search = loading.begin_search().unwrap();
        assert!(!search.is_for(b"kiwi"));
        loading.end_search(search);
        let answerable = loading.answerable(AnswerableAfter::Load);
        assert_eq!(answerable.now_or_never(), None);
        assert_eq!(loading.ask(b"kiwi"), AnswerableAfter::Search(2));
    }
}
