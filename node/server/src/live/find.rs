//! Finds clients by the beginning of their ids, in any case, as a person types it.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use herd_admission::Addresses;
use herd_crdt::Record;
use herd_locations::{Locations, Walk};
use serde::Serialize;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until, timeout};

use super::client_text;

/// How many clients are named.
const FOUND_MAX: usize = 8;

/// The longest beginning, in bytes: nobody types more.
const BEGINNING_BYTES_MAX: usize = 256;

/// Characters of an id that are shown.
const LABEL_CHARS_MAX: usize = 60;

/// For how long a search waits for those before it.
const TURN_WAIT_MAX: Duration = Duration::from_secs(2);

/// How many searches of one address may wait or run: several people may share one.
const PER_ADDRESS_MAX: usize = 4;

/// After a search as much time passes before the next one, and at most this, in which others have the processor.
const REST_MAX: Duration = Duration::from_secs(1);

/// A client that was found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct FoundClient {
    /// The id byte for byte, in base64url.
    id: String,
    /// The id as a person reads it.
    label: String,
}

/// Walks over all clients, one search at a time with a rest after each: so all of them cost no more than half a thread.
pub(super) struct Finder {
    locations: Arc<Locations>,
    addresses: Arc<Addresses>,
    /// When the next search may begin.
    next_at: Mutex<Instant>,
}

/// Why a search gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FindError {
    #[error("others search; try again in a moment")]
    Busy,
    #[error("the beginning of an id is at most {BEGINNING_BYTES_MAX} bytes here")]
    TooLong,
}

/// An id in the order in which people look for it: that of its lower case, then its own.
#[derive(PartialEq, Eq)]
struct InOrder {
    lower: String,
    client: Box<[u8]>,
}

impl Ord for InOrder {
    fn cmp(&self, other: &Self) -> Ordering {
        let own = (&self.lower, &self.client);
        own.cmp(&(&other.lower, &other.client))
    }
}

impl PartialOrd for InOrder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Finder {
    pub(super) fn new(locations: Arc<Locations>) -> Self {
        Finder {
            locations,
            addresses: Addresses::new(Some(PER_ADDRESS_MAX), None),
            next_at: Mutex::new(Instant::now()),
        }
    }

    /// The first clients, in the order of their ids, whose ids begin so, for somebody at `address`; none before a letter
    /// was typed.
    ///
    /// # Errors
    /// See [`FindError`].
    pub(super) async fn find(
        &self,
        beginning: &str,
        address: IpAddr,
    ) -> Result<Vec<FoundClient>, FindError> {
        if beginning.len() > BEGINNING_BYTES_MAX {
            return Err(FindError::TooLong);
        }
        if beginning.is_empty() {
            return Ok(Vec::new());
        }
        let share = self.addresses.enter(address, Instant::now());
        let _share = share.ok_or(FindError::Busy)?;
        let turn = timeout(TURN_WAIT_MAX, async {
            let next_at = self.next_at.lock().await;
            sleep_until(*next_at).await;
            next_at
        });
        let next_at = turn.await.map_err(|_| FindError::Busy)?;
        let _rest = Rest {
            began: Instant::now(),
            next_at,
        };
        Ok(self.walk_over(beginning).await)
    }

    async fn walk_over(&self, beginning: &str) -> Vec<FoundClient> {
        let floor_ns = self.locations.floor_ns();
        let lower = beginning.to_lowercase();
        let wanted = |record: &Record| {
            let is_known = !record.is_tombstone() && record.time().ns() >= floor_ns;
            is_known && begins_with(record.client(), &lower)
        };
        let mut first = BTreeSet::new();
        let mut walk = Walk::default();
        while let Some(ids) = walk.next_ids(&self.locations, wanted) {
            for client in ids {
                let lower = String::from_utf8_lossy(&client).to_lowercase();
                first.insert(InOrder { lower, client });
                if first.len() > FOUND_MAX {
                    first.pop_last();
                }
            }
            tokio::task::yield_now().await;
        }
        let found = first.iter().map(|InOrder { client, .. }| FoundClient {
            id: client_text::encoded(client),
            label: client_text::label(client, LABEL_CHARS_MAX),
        });
        found.collect()
    }
}

/// The rest after a search, which begins also if nobody waits for the answer any more.
struct Rest<'a> {
    began: Instant,
    next_at: MutexGuard<'a, Instant>,
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        *self.next_at = now + (now - self.began).min(REST_MAX);
    }
}

/// Whether an id begins so in lower case.
fn begins_with(client: &[u8], lower: &str) -> bool {
    let ascii = client.get(..lower.len());
    if ascii.is_some_and(|ascii| ascii.eq_ignore_ascii_case(lower.as_bytes())) {
        return true;
    }
    // Most ids need no more than the comparison above.
    let is_ascii = lower.is_ascii() && ascii.is_some_and(<[u8]>::is_ascii);
    !is_ascii && lower_case_begins_with(client, lower)
}

fn lower_case_begins_with(client: &[u8], lower: &str) -> bool {
    let text = String::from_utf8_lossy(client.get(..4 * BEGINNING_BYTES_MAX).unwrap_or(client));
    let mut own = text.chars().flat_map(char::to_lowercase);
    lower.chars().all(|wanted| own.next() == Some(wanted))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use herd_locations::Forget;
    use tokio::time::advance;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn finder(clients: &[&[u8]]) -> Finder {
        let locations = Arc::new(Locations::default());
        for client in clients {
            let record = Record::new(client, b"+1+1", b"1", "Hill".into(), 0);
            locations.report(record.unwrap());
        }
        Finder::new(locations)
    }

    async fn labels(finder: &Finder, beginning: &str) -> Vec<String> {
        let found = finder.find(beginning, HERE).await.unwrap();
        found.into_iter().map(|client| client.label).collect()
    }

    #[tokio::test]
    async fn the_beginning_counts_and_its_case_does_not() {
        let finder = finder(&[
            b"Van-2",
            b"van-1",
            b"caravan",
            "Zürich-7".as_bytes(),
            b"z\xff",
        ]);
        assert_eq!(labels(&finder, "VAN").await, ["van-1", "Van-2"]);
        assert_eq!(labels(&finder, "zÜR").await, ["Zürich-7"]);
        assert_eq!(labels(&finder, "z").await, ["Zürich-7", "z\\xff"]);
        assert!(labels(&finder, "ran").await.is_empty());
        assert!(labels(&finder, "").await.is_empty());
        let long = "x".repeat(300);
        assert_eq!(finder.find(&long, HERE).await, Err(FindError::TooLong));
    }

    #[tokio::test]
    async fn a_forgotten_client_is_not_found() {
        let finder = finder(&[b"van-1", b"van-2"]);
        let server = "Hill".into();
        let forget = Forget {
            client: b"van-1",
            server: &server,
            received_ns: 2_000_000_000,
        };
        finder.locations.begin_reports().forget(&forget).unwrap();
        assert_eq!(labels(&finder, "van").await, ["van-2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_rests_as_long_as_the_one_before_took() {
        let finder = finder(&[b"van-1"]);
        *finder.next_at.lock().await = Instant::now() + Duration::from_secs(1);
        let asked = Instant::now();
        assert_eq!(labels(&finder, "van").await, ["van-1"]);
        assert_eq!(asked.elapsed(), Duration::from_secs(1));
        let began = Instant::now();
        let rest = Rest {
            began,
            next_at: finder.next_at.lock().await,
        };
        advance(Duration::from_millis(300)).await;
        drop(rest);
        let rests_for = *finder.next_at.lock().await - began;
        assert_eq!(rests_for, Duration::from_millis(600));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_few_searches_at_a_time_and_leaves_room_for_others() {
        let finder = Arc::new(finder(&[b"van-1"]));
        let held = finder.next_at.lock().await;
        let search = |address: IpAddr| {
            let finder = finder.clone();
            tokio::spawn(async move { finder.find("van", address).await })
        };
        let waiting: Vec<_> = (0..PER_ADDRESS_MAX).map(|_| search(HERE)).collect();
        tokio::task::yield_now().await;
        assert_eq!(finder.find("van", HERE).await, Err(FindError::Busy));
        let other = search(Ipv4Addr::new(10, 0, 0, 1).into());
        tokio::task::yield_now().await;
        drop(held);
        for search in waiting.into_iter().chain([other]) {
            assert_eq!(search.await.unwrap().unwrap().len(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_does_not_wait_for_ever() {
        let finder = finder(&[b"van-1"]);
        let _held = finder.next_at.lock().await;
        assert_eq!(finder.find("van", HERE).await, Err(FindError::Busy));
    }

    #[tokio::test]
    async fn of_many_the_first_ones_are_named() {
        let clients: Vec<String> = (0..2_000).map(|n| format!("van-{n:04}")).collect();
        let bytes: Vec<&[u8]> = clients.iter().map(|client| client.as_bytes()).collect();
        let found = labels(&finder(&bytes), "van-1").await;
        assert_eq!(found.len(), FOUND_MAX);
        assert_eq!((&*found[0], &*found[7]), ("van-1000", "van-1007"));
    }
}
