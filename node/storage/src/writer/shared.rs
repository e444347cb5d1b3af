//! The state that the handles of a writer and its driver share, and the driver's work on the store.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::super::{Store, StoreError, Write};
use super::core::{QueueLimits, WriterCore, WriterStep};
use super::figures::WriterFigures;
use super::observer::StoreObserver;
use super::state::{SyncPolicy, SyncState};

pub(super) struct Shared {
    pub(super) core: Mutex<WriterCore>,
    /// Wakes the driver if it is a thread.
    pub(super) work: Condvar,
    /// Wakes the driver if it is a task.
    pub(super) work_for_task: Notify,
    pub(super) state: watch::Sender<SyncState>,
    observer: Box<dyn StoreObserver>,
    pub(super) figures: Mutex<WriterFigures>,
    /// True once the driver does nothing more.
    pub(super) ended: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(
        policy: SyncPolicy,
        limits: QueueLimits,
        observer: Box<dyn StoreObserver>,
    ) -> Arc<Self> {
        Arc::new(Shared {
            core: Mutex::new(WriterCore::new(policy, limits)),
            work: Condvar::new(),
            work_for_task: Notify::new(),
            state: watch::Sender::new(SyncState::default()),
            observer,
            figures: Mutex::new(WriterFigures::default()),
            ended: watch::Sender::new(false),
        })
    }

    pub(super) fn wake_driver(&self) {
        self.work.notify_one();
        self.work_for_task.notify_one();
    }

    /// Takes nothing more, and lets the driver finish and end.
    pub(super) fn close(&self) {
        self.core.lock().close();
        self.wake_driver();
    }

    /// Commits or syncs. False if the store failed, and the driver is to end.
    pub(super) fn perform(&self, store: &mut dyn Store, step: WriterStep) -> bool {
        let done = match step {
            WriterStep::Commit => self.commit(store),
            WriterStep::Sync => self.sync(store),
            WriterStep::Wait(_) | WriterStep::Stop => Ok(()),
        };
        match done {
            Ok(()) => true,
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    /// Syncs the data that a killed process had left to the system, before anything else: the first commit may fail,
    /// and then no sync comes after it. Returns whether to go on.
    pub(super) fn sync_what_was_left(&self, store: &mut dyn Store) -> bool {
        match store.sync() {
            Ok(()) => true,
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    fn commit(&self, store: &mut dyn Store) -> Result<(), StoreError> {
        let batch = self.core.lock().take_batch();
        store.commit(&batch.writes)?;
        {
            let mut figures = self.figures.lock();
            figures.commits += 1;
            figures.writes += batch.writes.len() as u64;
            let group_bytes = batch.writes.iter().map(|write| match write {
                Write::Put { group, .. } => group.len() as u64,
                _ => 0,
            });
            figures.group_bytes += group_bytes.sum::<u64>();
        }
        self.core.lock().note_committed(batch.through);
        // Nobody waits for a commit, and waking the tasks that wait for a sync is dear where syncs are quick.
        self.state.send_if_modified(|state| {
            state.committed = batch.through;
            false
        });
        Ok(())
    }

    fn sync(&self, store: &mut dyn Store) -> Result<(), StoreError> {
        // Only the driver commits, so this is still so when the sync is done.
        let through = self.core.lock().committed();
        let begin = Instant::now();
        store.sync()?;
        let end = Instant::now();
        self.figures
            .lock()
            .count_sync(end.saturating_duration_since(begin));
        self.core.lock().note_synced(through, end);
        self.observer.synced(through);
        self.state.send_modify(|state| state.synced = through);
        Ok(())
    }

    /// Says that nothing more will be stored, and why. The first reason stays.
    pub(super) fn fail(&self, error: StoreError) {
        self.core.lock().fail();
        let failure = Arc::new(error);
        let is_first = self.state.send_if_modified(|state| {
            let is_first = state.failure.is_none();
            state.failure.get_or_insert_with(|| failure.clone());
            is_first
        });
        if is_first {
            self.observer.failed(&failure);
        }
    }
}

/// Held by the driver. When it goes, however it ends (a panic, an aborted task), the owner is told.
pub(super) struct EndGuard {
    shared: Arc<Shared>,
    orderly: bool,
}

impl EndGuard {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        EndGuard {
            shared: Arc::clone(shared),
            orderly: false,
        }
    }

    /// The driver came to its end as it should.
    pub(super) fn orderly(mut self) {
        self.orderly = true;
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if !self.orderly {
            self.shared.fail(StoreError::WriterEnded);
        }
        self.shared.ended.send_replace(true);
    }
}
