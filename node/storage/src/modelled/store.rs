//! A store on a modelled disk, for as long as one process lives.

use std::io;
use std::path::PathBuf;

use parking_lot::MutexGuard;

use super::super::{LoadReport, Store, StoreError, StoredGroup, Write};
use super::{CommitFault, DiskState, ModelledDisk};

/// The path that errors name.
const PATH: &str = "modelled disk";

/// See [`ModelledDisk::open`].
#[derive(Debug)]
pub struct ModelledStore {
    disk: ModelledDisk,
    life: u64,
    loaded: bool,
    failed: bool,
}

impl ModelledStore {
    pub(super) fn new(disk: ModelledDisk, life: u64) -> Self {
        ModelledStore {
            disk,
            life,
            loaded: false,
            failed: false,
        }
    }

    /// The disk that it is on.
    #[must_use]
    pub fn disk(&self) -> ModelledDisk {
        self.disk.clone()
    }

    /// Waits as long as the disk hangs at the start.
    pub async fn before_load(&self) {
        if self.disk.state.lock().groups_before_stall.is_none() {
            self.wait(std::time::Duration::ZERO).await;
        }
    }

    /// The same, after each group that was read.
    pub async fn between_groups(&self) {
        let is_due = match &mut self.disk.state.lock().groups_before_stall {
            Some(groups) if *groups > 0 => {
                *groups -= 1;
                *groups == 0
            }
            Some(_) | None => false,
        };
        if is_due {
            self.wait(std::time::Duration::ZERO).await;
        }
    }

    /// Waits as long as the disk takes for a commit.
    pub(in super::super) async fn before_commit(&self) {
        let time = self.disk.state.lock().commit_time;
        self.wait(time).await;
    }

    /// Waits as long as the disk takes for a sync.
    pub(in super::super) async fn before_sync(&self) {
        let time = self.disk.state.lock().sync_time;
        self.wait(time).await;
    }

    async fn wait(&self, time: std::time::Duration) {
        let once = std::mem::take(&mut self.disk.state.lock().stall_once);
        if !(time + once).is_zero() {
            tokio::time::sleep(time + once).await;
        }
        let mut stalled = self.disk.stalled.subscribe();
        // The disk that this store holds keeps the sender alive.
        let _released = stalled.wait_for(|stalled| !*stalled).await;
    }

    fn alive(&self) -> Result<MutexGuard<'_, DiskState>, StoreError> {
        let state = self.disk.state.lock();
        if state.life == self.life {
            Ok(state)
        } else {
            Err(StoreError::Crashed)
        }
    }

    fn ready(&self) -> Result<MutexGuard<'_, DiskState>, StoreError> {
        if self.failed {
            return Err(StoreError::FailedBefore);
        }
        if !self.loaded {
            return Err(StoreError::NotLoaded);
        }
        self.alive()
    }
}

impl Store for ModelledStore {
    fn load(&mut self, each: &mut dyn FnMut(StoredGroup)) -> Result<LoadReport, StoreError> {
        let mut state = self.alive()?;
        let damaged = |what: &str| StoreError::Damaged {
            path: PathBuf::from(PATH),
            what: what.to_owned(),
        };
        if state.damaged {
            return Err(damaged("a test damaged it"));
        }
        if state.sync_failed {
            return Err(damaged("a sync of it failed in an earlier run"));
        }
        let now = state.present();
        let mut report = LoadReport {
            floor_ns: now.floor_ns,
            own_generation: now.own_generation,
            // A model has no bytes on a disk; each lost commit counts for one.
            torn_tail_bytes: std::mem::take(&mut state.lost_commits),
            ..LoadReport::default()
        };
        drop(state);
        for (incarnation, slots) in now.groups {
            for (slot, (version, group)) in slots {
                let stored = StoredGroup {
                    incarnation: incarnation.clone(),
                    slot,
                    version,
                    group,
                };
                report.count(&stored);
                each(stored);
            }
        }
        self.loaded = true;
        Ok(report)
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let mut state = self.ready()?;
        if !writes.iter().all(Write::is_storable) {
            return Err(StoreError::InvalidWrite("not the name of a server"));
        }
        let fault = match state.failing_commits {
            Some((count, fault)) if count > 0 => {
                state.failing_commits = Some((count - 1, fault));
                Some(fault)
            }
            _ => None,
        };
        if fault.is_none() {
            state.unsynced.push(writes.to_vec());
            if state.remains.note(writes) {
                let stored = state.present().into_groups();
                state.remains.purge(stored);
                for write in writes {
                    if let Write::Purge(reply) = write {
                        reply.succeeded();
                    }
                }
            }
        }
        drop(state);
        let kind = match fault {
            None => return Ok(()),
            Some(CommitFault::Full) => io::ErrorKind::StorageFull,
            Some(CommitFault::Io) => io::ErrorKind::Other,
        };
        self.failed = true;
        Err(StoreError::from_io(
            PATH.as_ref(),
            "write to the store",
            kind.into(),
        ))
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let mut state = self.ready()?;
        if std::mem::take(&mut state.failing_sync) {
            state.sync_failed = true;
            drop(state);
            self.failed = true;
            return Err(StoreError::SyncFailed {
                path: PathBuf::from(PATH),
                source: io::ErrorKind::Other.into(),
            });
        }
        for writes in std::mem::take(&mut state.unsynced) {
            state.synced.apply(&writes);
        }
        Ok(())
    }
}
