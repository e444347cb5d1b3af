//! Where a client is.

use std::sync::Arc;
use std::time::Duration;

use herd_crdt::Record;

use super::asked::Asked;
use super::service::LocationService;
use crate::access::Principal;
use herd_locations::{AnswerableAfter, Locations};

/// The longest wait for the store. Then the records that are there so far give the answer.
const LOADING_WAIT_MAX: Duration = Duration::from_secs(30);

impl LocationService {
    /// A client's current record; nothing if nobody has reported it, or if it may not be asked about.
    pub fn locate(&self, principal: &Principal, client: &[u8]) -> Asked<Option<Record>> {
        if !principal.may_ask(client) {
            return Asked::Now(None);
        }
        if !self.locations.loading().is_running() {
            return Asked::Now(self.locations.find(client));
        }
        let (locations, client) = (Arc::clone(&self.locations), client.to_vec());
        let after = locations.loading().ask(&client);
        Asked::AfterLoading(Box::pin(async move {
            wait_for_store(&locations, after).await;
            locations.find(&client)
        }))
    }
}

/// While the store is read a client that is not found may be in the rest of it; and so may a greater record than the one
/// that is found, perhaps one that was acknowledged. So the groups that hold the client are merged first. Says whether they
/// are: no question waits for longer than [`LOADING_WAIT_MAX`].
pub(super) async fn wait_for_store(locations: &Locations, after: AnswerableAfter) -> bool {
    let answerable = locations.loading().answerable(after);
    let waited = tokio::time::timeout(LOADING_WAIT_MAX, answerable).await;
    waited.is_ok()
}
