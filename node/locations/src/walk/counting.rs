//! Counting clients, and not one of them copied.

use super::{PIECE_CLIENTS, Walk};
use crate::Locations;

impl Walk {
    /// The number of the next clients that are `wanted`; forgotten and expired ones are not asked about. `None` at the
    /// end.
    pub fn next_count(
        &mut self,
        locations: &Locations,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Option<usize> {
        let floor_ns = locations.floor_ns();
        let shard = self.next_shard(locations)?.lock();
        let mut count = 0;
        for _ in 0..PIECE_CLIENTS {
            let Some(hash) = self.hashes.pop() else { break };
            let known = shard.map.with_hash(hash).filter(|record| {
                !record.is_tombstone() && record.time().ns() >= floor_ns && wanted(record.client())
            });
            count += known.count();
        }
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::{Record, ServerName};

    use super::*;
    use crate::Forget;

    #[test]
    fn known_clients_that_are_wanted_are_counted_once() {
        let locations = Locations::default();
        for number in 0..3_000 {
            let client = format!("{}/{number}", if number % 3 == 0 { "a" } else { "b" });
            let record = Record::new(client.as_bytes(), b"+1+1", b"1", "Hill".into(), 0);
            locations.report(record.unwrap());
        }
        let server = ServerName::from("Hill");
        let forget = Forget {
            client: b"a/0",
            server: &server,
            received_ns: 0,
        };
        locations.begin_reports().forget(&forget).unwrap();
        let count = |prefix: &[u8]| {
            let mut walk = Walk::frugal();
            let mut count = 0;
            while let Some(more) = walk.next_count(&locations, |client| client.starts_with(prefix))
            {
                count += more;
            }
            count
        };
        assert_eq!((count(b"a/"), count(b"b/"), count(b"c/")), (999, 2_000, 0));
    }
}
