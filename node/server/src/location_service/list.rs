//! Which clients are known, a page at a time.

use std::sync::Arc;

use super::answer_bytes::AnswerBytes;
use super::asked::Asked;
use super::locate::wait_for_store;
use super::search::{SearchRefusal, SearchScope, Searches, Work, Worked};
use super::service::LocationService;
use crate::access::Principal;
use herd_locations::{AnswerableAfter, ListQuery, Listed, Listing, Locations};

/// A page, or why there is none.
pub type ListPage = Result<ListAnswer, SearchRefusal>;

/// A page of clients.
#[derive(Debug)]
pub struct ListAnswer {
    /// The clients.
    pub listed: Listed,
    /// To be kept until the clients are told: their memory counts until then.
    pub bytes: AnswerBytes,
}

impl LocationService {
    /// A page of the clients that exist for `principal`, in the order of their IDs' bytes. It looks at all clients, as a
    /// long search does, and counts as one.
    pub fn list(&self, principal: &Principal, query: ListQuery) -> Asked<ListPage> {
        let searches = Arc::clone(&self.searches);
        let principal = principal.clone();
        if !self.locations.loading().is_running() {
            return searches.list(principal, query);
        }
        Asked::AfterLoading(Box::pin(async move {
            wait_for_store(&searches.locations, AnswerableAfter::Load).await;
            searches.list(principal, query).answer().await
        }))
    }
}

impl Searches {
    fn list(self: Arc<Self>, principal: Principal, query: ListQuery) -> Asked<ListPage> {
        if !principal.may_see_some() {
            // Nothing is looked at for a stranger.
            return Asked::Now(Ok(ListAnswer {
                listed: Listed::default(),
                bytes: AnswerBytes::of(&self.answers),
            }));
        }
        let listed = {
            let searches = Arc::clone(&self);
            move |(listing, bytes): Worked<Listing>| searches.listed(listing, bytes)
        };
        self.work(SearchScope::all(principal), Listing::new(query))
            .map(|worked| worked.and_then(listed))
    }

    fn listed(&self, listing: Listing, mut bytes: AnswerBytes) -> ListPage {
        // The texts of a record are about as long as its ID.
        if !bytes.set(2 * listing.bytes()) {
            return Err(self.refusal());
        }
        let listed = listing.into_page(&self.locations);
        Ok(ListAnswer { listed, bytes })
    }
}

impl Work for Listing {
    fn carry_on(
        &mut self,
        locations: &Locations,
        may_see: &dyn Fn(&[u8]) -> bool,
        piece: usize,
    ) -> bool {
        Listing::carry_on(self, locations, may_see, piece)
    }

    fn bytes(&self) -> usize {
        Listing::bytes(self)
    }
}
