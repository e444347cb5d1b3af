//! The memory of clients, counted.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The memory of a client beside its texts, in bytes: its entry in a table that may be less than half full, the
/// allocation of the texts, its hashes in the books of publisher, store and outbox, and its place in the index, where
/// lists may be half empty and nodes of little more than 64 clients divided.
const CLIENT_BYTES: usize = 280;

/// The share of texts that gossip keeps: groups in base64, four bytes for three, if compression does not make them
/// smaller.
const GOSSIP_SHARE: (usize, usize) = (4, 3);

/// The memory of `clients` clients whose texts have `texts_bytes` bytes: map, gossip and books. It is an upper bound,
/// except for slots with dead records beside live ones, which may take as much of gossip again.
#[must_use]
pub fn memory_bytes(clients: usize, texts_bytes: usize) -> usize {
    let (times, of) = GOSSIP_SHARE;
    let in_gossip = texts_bytes.saturating_mul(times) / of;
    let fixed = clients.saturating_mul(CLIENT_BYTES);
    fixed.saturating_add(texts_bytes).saturating_add(in_gossip)
}

/// How much may be known before reports of new clients are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Clients; `None` for any number.
    pub clients_max: Option<usize>,
    /// Bytes by [`memory_bytes`]; `None` for any number.
    pub bytes_max: Option<usize>,
}

/// The bound that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// As many clients are known as may be.
    Clients,
    /// They take as many bytes as they may.
    Bytes,
}

/// Clients and the bytes of their texts, without locking any shard.
#[derive(Debug, Default)]
pub(super) struct ClientCounts {
    clients: AtomicUsize,
    texts_bytes: AtomicUsize,
}

impl ClientCounts {
    /// A shard had `before` clients and bytes of texts, and has `now`.
    pub(super) fn changed(&self, before: (usize, usize), now: (usize, usize)) {
        // For a report of a client that is known both are mostly as before, and nothing shared is touched.
        for (count, before, now) in [
            (&self.clients, before.0, now.0),
            (&self.texts_bytes, before.1, now.1),
        ] {
            if now > before {
                count.fetch_add(now - before, Ordering::Relaxed);
            } else if now < before {
                count.fetch_sub(before - now, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> usize {
        memory_bytes(
            self.clients.load(Ordering::Relaxed),
            self.texts_bytes.load(Ordering::Relaxed),
        )
    }

    /// The bound that another client with `texts_bytes` bytes of texts would exceed.
    pub(super) fn full_for(&self, texts_bytes: usize, room: Room) -> Option<Full> {
        let clients = self.clients.load(Ordering::Relaxed);
        if room.clients_max.is_some_and(|max| clients >= max) {
            return Some(Full::Clients);
        }
        let one_more = || self.bytes().saturating_add(memory_bytes(1, texts_bytes));
        let is_full = room.bytes_max.is_some_and(|max| one_more() > max);
        is_full.then_some(Full::Bytes)
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::{CLIENT_ID_BYTES_MAX, PublisherId, Record};
    use proptest::prelude::*;

    use super::super::Locations;
    use super::*;
    use crate::testing::AllLive;

    fn summed(locations: &Locations) -> usize {
        let mut clients = 0;
        let mut texts_bytes = 0;
        for shard in &locations.shards {
            for record in shard.lock().map.records() {
                clients += 1;
                let texts = [record.client(), record.location_text(), record.time_text()];
                texts_bytes += texts.map(<[u8]>::len).iter().sum::<usize>();
            }
        }
        memory_bytes(clients, texts_bytes)
    }

    /// Client, location, time, whether it was heard, and whether the floor rises to just below it.
    type Step = (u8, bool, u32, bool, bool);

    proptest! {
        #[test]
        fn the_counts_match_the_map(
            steps in prop::collection::vec(any::<Step>(), 0..200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let locations = Locations::default();
            for (client, long, time, heard, rises) in steps {
                let client = vec![b'a' + client % 20; usize::from(client) + 1];
                let location: &[u8] = if long { b"+34.068930-118.445127" } else { b"+1+1" };
                let time = (time % 1_000).to_string();
                let record = Record::new(&client, location, time.as_bytes(), "Hill".into(), 0);
                let record = record.unwrap();
                if heard {
                    locations.report(record.borrowed());
                } else {
                    locations.deliver([record.borrowed()], PublisherId(1), &AllLive);
                }
                if rises {
                    runtime.block_on(locations.raise_floor(record.time().ns() - 1));
                }
                prop_assert_eq!(locations.memory_bytes(), summed(&locations));
            }
        }
    }

    #[test]
    fn there_is_room_to_the_last_byte_and_for_known_clients() {
        let locations = Locations::default();
        let time = b"1";
        let record = |client: &[u8]| Record::new(client, b"+1+1", time, "Hill".into(), 0).unwrap();
        let long = vec![b'a'; CLIENT_ID_BYTES_MAX];
        locations.report(record(&long));
        let room = |bytes_max| Room {
            clients_max: None,
            bytes_max: Some(bytes_max),
        };
        let full = locations.memory_bytes();
        assert_eq!(full, memory_bytes(1, CLIENT_ID_BYTES_MAX + 5));
        let next = memory_bytes(1, 6);
        assert_eq!(locations.full_for(b"b", 6, room(full + next)), None);
        let refused = Some(Full::Bytes);
        assert_eq!(locations.full_for(b"b", 6, room(full + next - 2)), refused);
        assert_eq!(locations.full_for(&long, 9, room(full)), None, "known");
        let one = Room {
            clients_max: Some(1),
            bytes_max: None,
        };
        assert_eq!(locations.full_for(b"b", 6, one), Some(Full::Clients));
    }
}
