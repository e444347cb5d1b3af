//! An orderly end: nothing new in, everything out.

use std::time::Duration;

use super::shared::Shared;
use super::state::{CloseError, SyncState};

pub(super) async fn close(shared: &Shared, deadline: Duration) -> Result<SyncState, CloseError> {
    shared.close();
    let mut ended = shared.ended.subscribe();
    let in_time = tokio::time::timeout(deadline, ended.wait_for(|ended| *ended)).await;
    let state = shared.state.borrow().clone();
    if let Some(failure) = state.failure {
        return Err(CloseError::Failed(failure));
    }
    if in_time.is_err() {
        let core = shared.core.lock();
        return Err(CloseError::TimedOut {
            waited: deadline,
            synced: core.synced(),
            last: core.last(),
        });
    }
    Ok(state)
}
