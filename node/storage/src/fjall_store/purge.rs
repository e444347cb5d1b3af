//! Taking off the disk what was overwritten or deleted.
//!
//! fjall writes everything to a journal first, and later to tables. A table that is overwritten in part goes with a
//! compaction. A journal goes when all of it is in tables and a newer one was begun, which fjall does only behind
//! 64 MB. So the writer of the store makes the journal that long: with fillers, which lie in a keyspace of their own.
//! Then all is written to tables, all tables are compacted into new ones, and the old files are deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use fjall::{Database, Keyspace, OwnedWriteBatch};
use tracing::{debug, warn};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::database;

/// The keyspace of fillers.
const KEYSPACE: &str = "fillers";

/// The one key in it.
const KEY: &[u8] = &[1];

/// A filler has this many bytes. With 128 of them a journal is long enough.
const FILLER_BYTES: usize = 512 * 1024;

/// How often a purge looks whether fjall has deleted the old journals, and how many times.
const LOOK_GAP: Duration = Duration::from_millis(50);
/// See [`LOOK_GAP`].
const LOOKS_MAX: u32 = 200;

/// Makes fillers.
#[derive(Default)]
pub(super) struct Filler {
    /// Opened with the first of them.
    keyspace: Option<Keyspace>,
    /// No two fillers are alike, so they cannot be compressed.
    seed: u64,
}

impl Filler {
    /// The keyspace, which this makes if there is none.
    pub(super) fn keyspace(&mut self, database: &Database) -> fjall::Result<Keyspace> {
        if let Some(keyspace) = &self.keyspace {
            return Ok(keyspace.clone());
        }
        let keyspace = database.keyspace(KEYSPACE, database::options)?;
        self.keyspace = Some(keyspace.clone());
        Ok(keyspace)
    }

    /// Adds one, in the place of the last.
    pub(super) fn add_to(
        &mut self,
        database: &Database,
        batch: &mut OwnedWriteBatch,
    ) -> fjall::Result<()> {
        let keyspace = self.keyspace(database)?;
        let mut bytes = Vec::with_capacity(FILLER_BYTES);
        while bytes.len() < FILLER_BYTES {
            self.seed = self.seed.wrapping_add(1);
            bytes.extend(xxh3_64_with_seed(KEY, self.seed).to_le_bytes());
        }
        batch.insert(&keyspace, KEY, bytes);
        Ok(())
    }
}

/// What a purge works on.
pub(super) struct Purge {
    pub(super) database: Database,
    pub(super) groups: Keyspace,
    pub(super) filler: Keyspace,
}

impl Purge {
    /// Says whether it came to its end.
    fn run(&self, stop: &AtomicBool) -> fjall::Result<bool> {
        // The first of these begins a new journal, since the present one is long enough.
        self.filler.rotate_memtable_and_wait()?;
        self.groups.rotate_memtable_and_wait()?;
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        self.groups.major_compact()?;
        for _ in 0..LOOKS_MAX {
            if self.database.journal_count() == 1 {
                return Ok(true);
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
            sleep(LOOK_GAP);
            // Old journals are looked at when a memtable goes.
            self.filler.rotate_memtable()?;
            self.groups.rotate_memtable()?;
        }
        Ok(false)
    }
}

/// A purge on a thread of its own: compactions take a while, and writes go on meanwhile.
pub(super) struct RunningPurge {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RunningPurge {
    /// `None` if the system gives no thread; then nothing is purged.
    pub(super) fn begin(purge: Purge) -> Option<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let of_thread = stop.clone();
        let thread = std::thread::Builder::new()
            .name("herd-purge".to_owned())
            .spawn(move || match purge.run(&of_thread) {
                Ok(true) => debug!("what was overwritten has left the disk"),
                Ok(false) if of_thread.load(Ordering::Relaxed) => {}
                Ok(false) => warn!("the store keeps old journals: locations of forgotten clients may still be on the disk"),
                // The next commit fails for the same reason, and the server deals with that.
                Err(error) => warn!(%error, "the store could not be compacted: locations of forgotten clients may still be on the disk"),
            });
        match thread {
            Ok(thread) => Some(RunningPurge {
                stop,
                thread: Some(thread),
            }),
            Err(error) => {
                warn!(%error, "no thread to compact the store: locations of forgotten clients may still be on the disk");
                None
            }
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for RunningPurge {
    /// Waits for it: the database stays open as long as it runs.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It panics only if fjall does, and then the database is closed all the same.
            let _ = thread.join();
        }
    }
}
