//! The end of a purge, told to whoever asked for it: [`crate::Write::Purge`] works in the background.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Where a store tells that a purge has succeeded. Clones are of the same purge; when the last is dropped untold, the
/// purge counts as failed.
#[derive(Clone, Debug)]
pub struct PurgeReply(Arc<Mutex<Option<oneshot::Sender<()>>>>);

/// Waits for the end of a purge.
#[derive(Debug)]
pub struct PurgeEnd(oneshot::Receiver<()>);

/// A purge that is to be asked for, and its end.
#[must_use]
pub fn purging() -> (PurgeReply, PurgeEnd) {
    let (tell, told) = oneshot::channel();
    (PurgeReply(Arc::new(Mutex::new(Some(tell)))), PurgeEnd(told))
}

impl PurgeReply {
    /// Nothing is on the disk any more that was overwritten before.
    pub fn succeeded(&self) {
        if let Some(tell) = self.0.lock().take() {
            // Who asked may have gone.
            let _ = tell.send(());
        }
    }
}

impl PartialEq for PurgeReply {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PurgeReply {}

impl PurgeEnd {
    /// Whether it succeeded. If not, the data may still be on the disk, and it can be asked for again.
    pub async fn is_success(self) -> bool {
        self.0.await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_purge_that_nobody_ends_has_failed() {
        let (reply, end) = purging();
        let copy = reply.clone();
        drop(reply);
        copy.succeeded();
        assert!(end.is_success().await);
        let (reply, end) = purging();
        drop(reply.clone());
        drop(reply);
        assert!(!end.is_success().await);
    }
}
