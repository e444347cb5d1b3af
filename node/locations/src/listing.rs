//! Which clients are known, in the order of their IDs' bytes, a page at a time.
//!
//! The map has no order, and an index with one would cost each client memory and each new client time. So a page takes a
//! walk over all clients, and remembers no more of them than the page holds.

use std::collections::BinaryHeap;

use herd_crdt::Record;

use super::{Locations, Walk};

/// About as many clients as a piece of a walk looks at.
const CLIENTS_A_PIECE: usize = 128;

/// A question for a page of clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// How their IDs begin.
    pub prefix: Box<[u8]>,
    /// The last ID of the page before; nothing for the first page.
    pub after: Option<Box<[u8]>>,
    /// How many clients at most.
    pub limit: usize,
}

impl ListQuery {
    /// Whether a client comes after the page before.
    fn concerns(&self, client: &[u8]) -> bool {
        client.starts_with(&self.prefix) && self.after.as_deref().is_none_or(|last| last < client)
    }
}

/// A page of clients.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// In the order of their IDs' bytes.
    pub records: Vec<Record>,
    /// Where the next page goes on, if there is one: [`ListQuery::after`].
    pub next: Option<Box<[u8]>>,
}

/// A page under way. It is carried on in pieces, so that others have their turn in between.
///
/// A client that was known all the time is on its page, with its record of the end. One that became known or was
/// forgotten meanwhile may be there or not.
#[derive(Debug)]
pub struct Listing {
    query: ListQuery,
    walk: Walk,
    /// The least IDs so far, the greatest of them on top: one more than are wanted, which tells whether there are more.
    least: BinaryHeap<Box<[u8]>>,
    bytes: usize,
}

impl Listing {
    /// Nothing is looked at yet.
    #[must_use]
    pub fn new(query: ListQuery) -> Self {
        Listing {
            query,
            walk: Walk::frugal(),
            least: BinaryHeap::new(),
            bytes: 0,
        }
    }

    /// The memory of the IDs that were found so far, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes + self.least.len() * size_of::<Box<[u8]>>()
    }

    /// Carries on for about `clients` clients; says whether all were looked at. Clients that `may_see` refuses do not
    /// exist for it.
    pub fn carry_on(
        &mut self,
        locations: &Locations,
        may_see: &dyn Fn(&[u8]) -> bool,
        clients: usize,
    ) -> bool {
        for _ in 0..clients.div_ceil(CLIENTS_A_PIECE) {
            let (query, least) = (&self.query, &self.least);
            let floor_ns = locations.floor_ns();
            let bound = least.peek().filter(|_| least.len() > query.limit);
            let bound = bound.map(|bound| &**bound);
            let wanted = |record: &Record| {
                !record.is_tombstone()
                    && record.time().ns() >= floor_ns
                    && bound.is_none_or(|bound| record.client() < bound)
                    && query.concerns(record.client())
            };
            let Some(ids) = self.walk.next_ids(locations, wanted) else {
                return true;
            };
            // Not under the lock: a token may have many patterns.
            for client in ids.into_iter().filter(|client| may_see(client)) {
                self.take(client);
            }
        }
        false
    }

    fn take(&mut self, client: Box<[u8]>) {
        self.bytes += client.len();
        self.least.push(client);
        if self.least.len() > self.query.limit + 1
            && let Some(greatest) = self.least.pop()
        {
            self.bytes -= greatest.len();
        }
    }

    /// The page, once all clients were looked at.
    #[must_use]
    pub fn into_page(self, locations: &Locations) -> Listed {
        let mut ids = self.least.into_sorted_vec();
        let is_more = ids.len() > self.query.limit;
        ids.truncate(self.query.limit);
        let records = ids.iter().filter_map(|client| locations.find(client));
        Listed {
            records: records.collect(),
            next: ids.last().filter(|_| is_more).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Forget;

    fn report(locations: &Locations, client: &[u8]) {
        let record = Record::new(client, b"+1+1", b"1", "Hill".into(), 0).unwrap();
        locations.report(record);
    }

    fn page(locations: &Locations, query: ListQuery, may_see: &dyn Fn(&[u8]) -> bool) -> Listed {
        let mut listing = Listing::new(query);
        while !listing.carry_on(locations, may_see, 200) {}
        listing.into_page(locations)
    }

    fn query(prefix: &str, after: Option<&[u8]>, limit: usize) -> ListQuery {
        ListQuery {
            prefix: prefix.as_bytes().into(),
            after: after.map(Into::into),
            limit,
        }
    }

    fn ids(listed: &Listed) -> Vec<Vec<u8>> {
        let ids = listed.records.iter().map(|record| record.client().to_vec());
        ids.collect()
    }

    #[test]
    fn pages_hold_each_client_once_in_order() {
        let locations = Locations::default();
        let mut expected: Vec<Vec<u8>> = (0..2_000)
            .map(|number| format!("van/{number}").into_bytes())
            .collect();
        expected.push(b"van/\xff".to_vec());
        for client in &expected {
            report(&locations, client);
        }
        report(&locations, b"bus");
        report(&locations, b"van");
        expected.sort();
        let mut found = Vec::new();
        let mut after: Option<Box<[u8]>> = None;
        loop {
            let listed = page(&locations, query("van/", after.as_deref(), 300), &|_| true);
            assert!(listed.records.len() <= 300);
            found.extend(ids(&listed));
            after = listed.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn a_full_last_page_has_no_next_one() {
        let locations = Locations::default();
        for client in [&b"a"[..], b"b", b"c"] {
            report(&locations, client);
        }
        let all = page(&locations, query("", None, 3), &|_| true);
        assert_eq!((all.records.len(), all.next), (3, None));
        let two = page(&locations, query("", None, 2), &|_| true);
        assert_eq!(two.next.as_deref(), Some(&b"b"[..]));
        assert_eq!(ids(&two), [b"a".to_vec(), b"b".to_vec()]);
    }

    #[test]
    fn forgotten_and_unseen_clients_are_on_no_page() {
        let locations = Locations::default();
        for client in [&b"a"[..], b"b", b"c", b"d"] {
            report(&locations, client);
        }
        let server = "Hill".into();
        let forget = Forget {
            client: b"b",
            server: &server,
            received_ns: 5_000_000_000,
        };
        locations.begin_reports().forget(&forget).unwrap();
        let seen = page(&locations, query("", None, 2), &|client| client != b"a");
        assert_eq!(ids(&seen), [b"c".to_vec(), b"d".to_vec()]);
        assert_eq!(seen.next, None, "what is not seen is no further page");
    }

    #[test]
    fn no_more_ids_are_kept_than_a_page_holds() {
        let locations = Locations::default();
        for number in 0..1_000 {
            report(&locations, format!("{number:0100}").as_bytes());
        }
        let mut listing = Listing::new(query("", None, 10));
        while !listing.carry_on(&locations, &|_| true, 100) {
            assert!(listing.bytes() <= 11 * (100 + size_of::<Box<[u8]>>()));
        }
        assert_eq!(listing.into_page(&locations).records.len(), 10);
    }
}
