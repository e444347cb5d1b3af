//! The thread that owns a store, so that no runtime ever waits for a disk.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::Store;
use super::StorageWriter;
use super::closing::close;
use super::core::WriterStep;
use super::shared::{EndGuard, Shared};
use super::state::{CloseError, SyncState};

/// Owns the thread of a writer. When it is dropped, the thread finishes the queued writes and ends.
#[must_use = "the thread ends when this is dropped"]
pub struct StorageThread {
    shared: Arc<Shared>,
}

impl StorageThread {
    /// Takes no more writes, and waits until all that queued is committed and synced, for `deadline`
    /// at the most.
    ///
    /// # Errors
    /// See [`CloseError`].
    pub async fn close(self, deadline: Duration) -> Result<SyncState, CloseError> {
        close(&self.shared, deadline).await
    }
}

impl Drop for StorageThread {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Starts the thread. See [`StorageWriter::spawn`].
pub(super) fn spawn(
    store: Box<dyn Store>,
    shared: Arc<Shared>,
) -> io::Result<(StorageWriter, StorageThread)> {
    let of_thread = Arc::clone(&shared);
    std::thread::Builder::new()
        .name("herd-storage".to_owned())
        .spawn(move || run(&of_thread, store))?;
    let writer = StorageWriter::new(Arc::clone(&shared));
    Ok((writer, StorageThread { shared }))
}

fn run(shared: &Arc<Shared>, mut store: Box<dyn Store>) {
    let guard = EndGuard::new(shared);
    let mut goes_on = shared.sync_what_was_left(&mut *store);
    while goes_on {
        let step = next_step(shared);
        goes_on = step != WriterStep::Stop && shared.perform(&mut *store, step);
    }
    // A store may do its last work when it is dropped, and a panic in that is noticed too.
    drop(store);
    guard.orderly();
}

/// Waits until there is something to do.
fn next_step(shared: &Shared) -> WriterStep {
    let mut core = shared.core.lock();
    loop {
        let now = Instant::now();
        match core.next_step(now) {
            WriterStep::Wait(None) => shared.work.wait(&mut core),
            WriterStep::Wait(Some(at)) => {
                shared
                    .work
                    .wait_for(&mut core, at.saturating_duration_since(now));
            }
            step => return step,
        }
    }
}
