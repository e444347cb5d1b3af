//! The newest of the clients that OwnTracks' apps show each other.
//!
//! They are followed by a watch of their beginning, so that an answer looks at few of them, and at no other client. The
//! watch goes on when an app asks: until then its marks wait.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::FutureExt as _;
use herd_crdt::Record;
use herd_locations::Said;
use herd_protocol::Watch;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::access::Principal;
use crate::location_service::{LocationService, WatchListener, WatchStream};

/// How the IDs of OwnTracks' clients begin.
pub(super) const PREFIX: &str = "owntracks/";

/// Friends in an answer.
const FRIENDS_MAX: usize = 100;

/// Clients that are remembered, the newest.
const KNOWN_MAX: usize = 10_000;

/// The longest ID of a friend, in bytes. Longer ones would make each answer long, and what is remembered large.
const ID_BYTES_MAX: usize = 256;

/// How long an app waits for its friends; then there are none in the answer.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The clients of OwnTracks' apps.
#[derive(Default)]
pub(in crate::http_json) struct Friends {
    watching: Mutex<Option<(WatchStream, Known)>>,
}

/// The newest clients, by their IDs and by their times.
#[derive(Default)]
struct Known {
    records: HashMap<Box<[u8]>, Record>,
    by_time: BTreeSet<(Reverse<i64>, Box<[u8]>)>,
    is_live: bool,
}

impl Friends {
    /// The newest clients that exist for `principal`, the newest first; none if they are not found in time.
    pub(super) async fn newest(
        &self,
        service: &LocationService,
        principal: &Principal,
    ) -> Vec<Record> {
        let found = timeout(WAIT_MAX, async {
            let mut watching = self.watching.lock().await;
            for _ in 0..2 {
                let Some((stream, known)) = begun(&mut watching, service) else {
                    return Vec::new();
                };
                if go_on(stream, known).await {
                    return known.newest(principal);
                }
                // The watch is over: more have changed than it may leave unread.
                *watching = None;
            }
            Vec::new()
        });
        found.await.unwrap_or_default()
    }
}

/// The watch, which begins if there is none. `None` if too many watch.
fn begun<'a>(
    watching: &'a mut Option<(WatchStream, Known)>,
    service: &LocationService,
) -> Option<&'a mut (WatchStream, Known)> {
    if watching.is_none() {
        let command = Watch::Prefix(PREFIX.as_bytes());
        // The server itself watches, and tells each app what its token may see.
        let stream = service.watch(
            &Principal::Anyone,
            &command,
            IpAddr::V4(Ipv4Addr::LOCALHOST),
        );
        *watching = Some((stream.ok()?, Known::default()));
    }
    watching.as_mut()
}

/// Takes in all that has changed. `false` if the watch is over.
async fn go_on(stream: &mut WatchStream, known: &mut Known) -> bool {
    loop {
        let ready = stream.ready().now_or_never();
        if ready.is_none() && known.is_live {
            return true;
        }
        if ready.is_none() {
            stream.ready().await;
        }
        if let Some(reason) = stream.go_on(&Principal::Anyone, known) {
            stream.ended(reason);
            return false;
        }
    }
}

impl Known {
    fn newest(&self, principal: &Principal) -> Vec<Record> {
        let newest = self.by_time.iter().map(|(_, client)| client);
        let seen = newest.filter(|client| principal.may_see(client));
        let records = seen.filter_map(|client| self.records.get(client));
        records.take(FRIENDS_MAX).cloned().collect()
    }

    fn forget(&mut self, client: &[u8]) {
        if let Some(record) = self.records.remove(client) {
            let time = Reverse(record.time().ns());
            self.by_time.remove(&(time, client.into()));
        }
    }

    fn note(&mut self, record: &Record) {
        if record.client().len() > ID_BYTES_MAX {
            return;
        }
        let client: Box<[u8]> = record.client().into();
        self.forget(&client);
        let time = Reverse(record.time().ns());
        self.by_time.insert((time, client.clone()));
        self.records.insert(client, record.clone());
        if self.records.len() > KNOWN_MAX
            && let Some((_, oldest)) = self.by_time.pop_last()
        {
            self.records.remove(&oldest);
        }
    }
}

impl WatchListener for Known {
    fn has_room(&self) -> bool {
        true
    }

    fn hear(&mut self, said: Said<'_>) {
        match said {
            Said::At(record) | Said::Enter(record) => self.note(record),
            Said::Leave(record) => self.forget(record.client()),
            Said::Gone(client) => self.forget(client),
            Said::Live(_) => self.is_live = true,
            Said::Centre(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(client: &str, time: usize) -> Record {
        let time = time.to_string();
        Record::new(
            client.as_bytes(),
            b"+1+1",
            time.as_bytes(),
            "Hill".into(),
            0,
        )
        .unwrap()
    }

    #[test]
    fn friends_have_short_ids() {
        let mut known = Known::default();
        for bytes in [ID_BYTES_MAX, ID_BYTES_MAX + 1] {
            known.hear(Said::Enter(&record(&"x".repeat(bytes), 1)));
        }
        assert_eq!((known.records.len(), known.by_time.len()), (1, 1));
    }

    #[test]
    fn the_newest_are_kept_and_told() {
        let mut known = Known::default();
        for number in 0..KNOWN_MAX + 10 {
            known.hear(Said::At(&record(&format!("owntracks/u/{number}"), number)));
        }
        // One that moves on is there once.
        known.hear(Said::At(&record("owntracks/u/20", 20_000)));
        known.hear(Said::Gone(b"owntracks/u/10009"));
        assert_eq!(
            (known.records.len(), known.by_time.len()),
            (KNOWN_MAX - 1, KNOWN_MAX - 1)
        );
        let newest = known.newest(&Principal::Anyone);
        assert_eq!(newest.len(), FRIENDS_MAX);
        assert_eq!(newest[0].client(), b"owntracks/u/20");
        assert_eq!(newest[1].client(), b"owntracks/u/10008");
    }
}
