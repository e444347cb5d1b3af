//! A disk in memory that survives the process in front of it, for tests and simulations.
//!
//! It loses as much as a real disk may lose, and no less: synced writes survive every crash but
//! [`Crash::Wipe`]; writes that were only committed survive the end of the process, and as many of them survive a loss
//! of power as the seed says. Everything depends on the calls and their seeds only.

mod contents;
mod remains;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;

use self::contents::Contents;
use self::remains::Remains;
pub use self::store::ModelledStore;
use super::Write;

/// How the process in front of a disk ends. Stores that were open are of no use afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Only the process: all that was committed survives, synced or not.
    Process,
    /// Power is lost: of the commits that were not synced, the first few survive. The one after
    /// them may be torn, which comes to the same, since a commit is atomic.
    Tear {
        /// Decides how many.
        seed: u64,
    },
    /// Power is lost, and the disk had written in any order: any of the commits that were not
    /// synced survive.
    Reorder {
        /// Decides which.
        seed: u64,
    },
    /// The disk is replaced by an empty one, as when a store is set aside.
    Wipe,
}

/// Which error a commit fails with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// No room on the disk.
    Full,
    /// Any other error of the disk.
    Io,
}

/// A disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct ModelledDisk {
    state: Arc<Mutex<DiskState>>,
    stalled: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct DiskState {
    synced: Contents,
    /// Commits behind the last sync, oldest first.
    unsynced: Vec<Vec<Write>>,
    /// What was overwritten.
    remains: Remains,
    /// Rises with each crash; a store of an earlier one is dead.
    life: u64,
    /// Commits that were lost or torn by the last crash, not yet reported.
    lost_commits: u64,
    failing_commits: Option<(u64, CommitFault)>,
    failing_sync: bool,
    /// A sync failed: the disk may have lost data that it reads back now.
    sync_failed: bool,
    damaged: bool,
    commit_time: Duration,
    sync_time: Duration,
    stall_once: Duration,
    /// A load stalls after this number of groups, instead of before it begins.
    groups_before_stall: Option<usize>,
}

impl DiskState {
    /// What a process reads from it now.
    fn present(&self) -> Contents {
        let mut present = self.synced.clone();
        for writes in &self.unsynced {
            present.apply(writes);
        }
        present
    }
}

impl Default for ModelledDisk {
    fn default() -> Self {
        ModelledDisk {
            state: Arc::default(),
            stalled: watch::Sender::new(false),
        }
    }
}

impl ModelledDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store on it, as a process opens it at its start. A store that was open before is of no use
    /// any more.
    #[must_use]
    pub fn open(&self) -> ModelledStore {
        let mut state = self.state.lock();
        state.life += 1;
        state.remains.begin_process();
        ModelledStore::new(self.clone(), state.life)
    }

    /// All groups that are anywhere on it: those that it stores, and those that were overwritten or forgotten since the last
    /// purge, as the files of a real disk have them.
    #[must_use]
    pub fn all_groups(&self) -> Vec<Bytes> {
        let state = self.state.lock();
        let stored = state.present().into_groups();
        stored.chain(state.remains.groups().cloned()).collect()
    }

    /// A disk of its own with a copy of all that is on this one.
    #[must_use]
    pub fn copied(&self) -> Self {
        let synced = self.state.lock().present();
        let copy = ModelledDisk::new();
        copy.state.lock().synced = synced;
        copy
    }

    /// Ends the process, and perhaps more.
    pub fn crash(&self, crash: Crash) {
        let mut state = self.state.lock();
        state.life += 1;
        let count = state.unsynced.len();
        let survivors: Vec<bool> = match crash {
            Crash::Process => return,
            Crash::Tear { seed } => {
                let kept = StdRng::seed_from_u64(seed).random_range(0..=count);
                (0..count).map(|index| index < kept).collect()
            }
            Crash::Reorder { seed } => {
                let mut rng = StdRng::seed_from_u64(seed);
                (0..count).map(|_| rng.random_bool(0.5)).collect()
            }
            Crash::Wipe => {
                *state = DiskState {
                    life: state.life,
                    commit_time: state.commit_time,
                    sync_time: state.sync_time,
                    ..DiskState::default()
                };
                return;
            }
        };
        let unsynced = std::mem::take(&mut state.unsynced);
        for (writes, survives) in unsynced.into_iter().zip(survivors) {
            if survives {
                state.synced.apply(&writes);
            } else {
                state.lost_commits += 1;
            }
        }
    }

    /// Lets the next `count` commits fail, without anything of them stored.
    pub fn fail_next_commits(&self, count: u64, fault: CommitFault) {
        self.state.lock().failing_commits = Some((count, fault));
    }

    /// Lets the next sync fail. As on a real disk nothing that was not synced by then can be trusted
    /// again, even if it reads back well: after it, a load reports damage until the disk is wiped.
    pub fn fail_sync(&self) {
        self.state.lock().failing_sync = true;
    }

    /// Spoils something that was synced, so that a load reports damage.
    pub fn damage(&self) {
        self.state.lock().damaged = true;
    }

    /// From now on each commit and each sync takes this long, by the runtime's clock. Only
    /// [`super::StorageWriter::spawn_on_runtime`] waits for it.
    pub fn set_latency(&self, commit: Duration, sync: Duration) {
        let mut state = self.state.lock();
        state.commit_time = commit;
        state.sync_time = sync;
    }

    /// Lets the next commit, sync or load take this much longer, once.
    pub fn stall_for(&self, time: Duration) {
        self.state.lock().stall_once = time;
    }

    /// The next load that stalls does so after `groups` groups, one at least, and not before it begins.
    pub fn stall_loads_after(&self, groups: usize) {
        self.state.lock().groups_before_stall = Some(groups);
    }

    /// Lets no commit, sync or load begin before [`ModelledDisk::release`]. Only
    /// [`super::StorageWriter::spawn_on_runtime`], and a server that starts, wait for it.
    pub fn stall(&self) {
        self.stalled.send_replace(true);
    }

    /// Ends a [`ModelledDisk::stall`].
    pub fn release(&self) {
        self.stalled.send_replace(false);
    }

    /// How many commits a loss of power may take.
    #[must_use]
    pub fn unsynced_commits(&self) -> usize {
        self.state.lock().unsynced.len()
    }
}
