//! A writer without a thread, for simulations: a task on a runtime whose time may be paused.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::super::ModelledStore;
use super::StorageWriter;
use super::closing::close;
use super::core::WriterStep;
use super::shared::{EndGuard, Shared};
use super::state::{CloseError, SyncState};

/// Owns the task of a writer. When it is dropped, the task finishes the queued writes and ends.
#[must_use = "the task ends when this is dropped"]
pub struct StorageTask {
    shared: Arc<Shared>,
    abort: AbortHandle,
}

impl StorageTask {
    /// As [`super::StorageThread::close`].
    ///
    /// # Errors
    /// See [`CloseError`].
    pub async fn close(self, deadline: Duration) -> Result<SyncState, CloseError> {
        close(&self.shared, deadline).await
    }

    /// Ends the task where it stands, as a crash does: the queued writes are lost.
    pub fn abort(self) {
        self.abort.abort();
    }
}

impl Drop for StorageTask {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Starts the task. See [`StorageWriter::spawn_on_runtime`].
pub(super) fn spawn(store: ModelledStore, shared: Arc<Shared>) -> (StorageWriter, StorageTask) {
    let guard = EndGuard::new(&shared);
    let task = tokio::spawn(run(Arc::clone(&shared), store, guard));
    let abort = task.abort_handle();
    let writer = StorageWriter::new(Arc::clone(&shared));
    (writer, StorageTask { shared, abort })
}

async fn run(shared: Arc<Shared>, mut store: ModelledStore, guard: EndGuard) {
    store.before_sync().await;
    let mut goes_on = shared.sync_what_was_left(&mut store);
    while goes_on {
        let step = next_step(&shared).await;
        match step {
            WriterStep::Commit => store.before_commit().await,
            WriterStep::Sync => store.before_sync().await,
            WriterStep::Wait(_) | WriterStep::Stop => {}
        }
        goes_on = step != WriterStep::Stop && shared.perform(&mut store, step);
    }
    guard.orderly();
}

/// Waits until there is something to do.
async fn next_step(shared: &Shared) -> WriterStep {
    loop {
        let step = shared.core.lock().next_step(Instant::now());
        match step {
            WriterStep::Wait(None) => shared.work_for_task.notified().await,
            WriterStep::Wait(Some(at)) => {
                tokio::select! {
                    biased;
                    () = shared.work_for_task.notified() => {}
                    () = tokio::time::sleep_until(at) => {}
                }
            }
            step => return step,
        }
    }
}
