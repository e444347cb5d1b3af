//! How many clients have IDs that begin alike.

use std::sync::Arc;

use tokio::task::yield_now;
use tokio_util::task::AbortOnDropHandle;

use super::asked::Later;
use super::locate::wait_for_store;
use super::search::{SearchRefusal, SearchScope, Searches};
use super::service::LocationService;
use crate::access::Principal;
use herd_locations::{AnswerableAfter, Walk};

impl LocationService {
    /// How many clients have an ID that begins with `prefix`, up to `enough`, beyond which nothing is counted. All clients
    /// are walked over, in pieces and in turn with long searches, of which it is one: it takes as long as there are
    /// clients. One that appears or is forgotten meanwhile may count or not.
    ///
    /// # Errors
    /// If as many long searches are under way as may be, at once; later, if the threads end that it runs on.
    pub fn count(
        &self,
        principal: &Principal,
        prefix: &[u8],
        enough: usize,
    ) -> Result<Later<Result<usize, SearchRefusal>>, SearchRefusal> {
        let searches = Arc::clone(&self.searches);
        let waiting = searches.in_flight.enter();
        let Some(waiting) = waiting else {
            return Err(searches.refusal());
        };
        let scope = SearchScope {
            principal: principal.clone(),
            prefix: prefix.into(),
        };
        let background = searches.background.clone();
        let counting = async move {
            let _waiting = waiting;
            Ok(counted(&searches, &scope, enough).await)
        };
        let Some(background) = background else {
            return Ok(Box::pin(counting));
        };
        let task = AbortOnDropHandle::new(background.spawn(counting));
        // It ends without an answer if it panics, which is a defect, or with the threads that it runs on.
        Ok(Box::pin(async {
            task.await.unwrap_or(Err(SearchRefusal::TooMany))
        }))
    }
}

async fn counted(searches: &Searches, scope: &SearchScope, enough: usize) -> usize {
    if !scope.principal.may_see_some() {
        return 0;
    }
    wait_for_store(&searches.locations, AnswerableAfter::Load).await;
    let mut walk = Walk::frugal();
    let mut count: usize = 0;
    loop {
        let more = {
            let _turn = searches.turns.acquire().await;
            walk.next_count(&searches.locations, |client| scope.holds(client))
        };
        match more {
            Some(more) if count < enough => count += more,
            _ => return count.min(enough),
        }
        yield_now().await;
    }
}
