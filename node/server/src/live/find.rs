//! Finds clients by the beginning of their ids, in any case, as a person types it.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use herd_crdt::Record;
use herd_locations::{Locations, Walk};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::client_text;

/// How many clients are named.
const FOUND_MAX: usize = 8;

/// The longest beginning, in bytes: nobody types more.
const BEGINNING_BYTES_MAX: usize = 256;

/// Characters of an id that are shown.
const LABEL_CHARS_MAX: usize = 60;

/// For how long a search waits for the one before it.
const TURN_WAIT_MAX: Duration = Duration::from_secs(2);

/// A client that was found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct FoundClient {
    /// The id byte for byte, in base64url.
    id: String,
    /// The id as a person reads it.
    label: String,
}

/// Walks over all clients, one search at a time: so they cost no more than one thread.
pub(super) struct Finder {
    locations: Arc<Locations>,
    turn: Mutex<()>,
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
            turn: Mutex::default(),
        }
    }

    /// The first clients, in the order of their ids, whose ids begin so.
    ///
    /// # Errors
    /// See [`FindError`].
    pub(super) async fn find(&self, beginning: &str) -> Result<Vec<FoundClient>, FindError> {
        if beginning.len() > BEGINNING_BYTES_MAX {
            return Err(FindError::TooLong);
        }
        let turn = timeout(TURN_WAIT_MAX, self.turn.lock());
        let _turn = turn.await.map_err(|_| FindError::Busy)?;
        let floor_ns = self.locations.floor_ns();
        let lower = beginning.to_lowercase();
        let wanted = |record: &Record| {
            record.time().ns() >= floor_ns && begins_with(record.client(), &lower)
        };
        let mut first = BTreeSet::new();
        let mut walk = Walk::frugal();
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
        Ok(found.collect())
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
    use super::*;

    fn finder(clients: &[&[u8]]) -> Finder {
        let locations = Arc::new(Locations::default());
        for client in clients {
            let record = Record::new(client, b"+1+1", b"1", "Hill".into(), 0);
            locations.report(record.unwrap());
        }
        Finder::new(locations)
    }

    async fn labels(finder: &Finder, beginning: &str) -> Vec<String> {
        let found = finder.find(beginning).await.unwrap();
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
        assert_eq!(labels(&finder, "").await.len(), 5);
        let long = "x".repeat(300);
        assert_eq!(finder.find(&long).await, Err(FindError::TooLong));
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
