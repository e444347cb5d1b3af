//! Taking off the disk what was overwritten or deleted.
//!
//! fjall writes everything to a journal first, and later to tables. A table that is overwritten in part goes with a
//! compaction. A journal goes when all of it is in tables and a newer one was begun, which fjall does only behind
//! 64 MB. So the writer of the store makes the journal that long: with fillers, which lie in a keyspace of their own.
//! Then all is written to tables, all tables are compacted into new ones, and the old files are deleted. The new tables
//! take room beside the old ones: without that room nothing is begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use fjall::{Database, Keyspace, OwnedWriteBatch};
use parking_lot::Mutex;
use tracing::{debug, warn};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::{DataFolder, FILLERS, PurgeReply};
use super::database::{self, available_bytes};

/// The keyspace of fillers.
const KEYSPACE: &str = "fillers";

/// The one key in it.
const KEY: &[u8] = &[1];

/// A filler has this many bytes. With 128 of them a journal is long enough.
const FILLER_BYTES: usize = 512 * 1024;

/// Fillers of one batch, which is in memory as a whole.
pub(super) const FILLERS_PER_BATCH: usize = 4;

/// The room on the disk that a purge needs beside that for all tables anew: for fillers, and for what goes on meanwhile.
const ROOM_BYTES: u64 = 128 * 1024 * 1024;

/// How often a purge looks how far fjall has come: with writing memtables to tables, and with deleting old journals.
const LOOK_GAP: Duration = Duration::from_millis(50);
/// Looks until the memtables of a keyspace have to be written: 2 minutes.
const FLUSH_LOOKS_MAX: u32 = 2_400;
/// Looks until the old journals have to be deleted: 10 seconds.
const JOURNAL_LOOKS_MAX: u32 = 200;
/// Looks for the end of a purge that was told to stop: 5 seconds. A compaction does not stop.
const END_LOOKS_MAX: u32 = 100;

/// Makes fillers.
#[derive(Default)]
pub(super) struct Filler {
    /// Opened with the first of them.
    keyspace: Option<Keyspace>,
    /// No two fillers are alike, so they cannot be compressed.
    seed: u64,
    /// How many were written since the last purge.
    written: usize,
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

    /// So many were written.
    pub(super) fn note_written(&mut self, count: usize) {
        self.written += count;
    }

    /// Whether there is room for another filler and the purge behind it.
    pub(super) fn has_room(&self, folder: &DataFolder, groups: &Keyspace) -> bool {
        available_bytes(folder.path()) >= needed_bytes(groups.disk_space(), self.written)
    }

    /// Whether there are enough for a purge, which takes them.
    pub(super) fn take_written(&mut self) -> bool {
        std::mem::take(&mut self.written) >= FILLERS
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
    /// Nobody else opens the store as long as a purge works in it.
    pub(super) folder: Arc<DataFolder>,
}

impl Purge {
    /// Says whether it came to its end.
    fn run(&self, stop: &AtomicBool) -> fjall::Result<bool> {
        // The first of these begins a new journal, since the present one is long enough.
        for keyspace in [&self.filler, &self.groups] {
            keyspace.rotate_memtable()?;
            // fjall's own wait has no end if its thread has failed.
            let is_flushed = || Ok(keyspace.sealed_memtable_count() == 0);
            if !looks(FLUSH_LOOKS_MAX, stop, is_flushed)? {
                return Ok(false);
            }
        }
        let needed = needed_bytes(self.groups.disk_space(), FILLERS);
        if available_bytes(self.folder.path()) < needed {
            warn!(needed_bytes = needed, "{NO_ROOM}");
            return Ok(false);
        }
        self.groups.major_compact()?;
        looks(JOURNAL_LOOKS_MAX, stop, || {
            if self.database.journal_count() == 1 {
                return Ok(true);
            }
            // Old journals are looked at when a memtable goes.
            self.filler.rotate_memtable()?;
            self.groups.rotate_memtable()?;
            Ok(false)
        })
    }
}

/// Said if there is too little room.
pub(super) const NO_ROOM: &str = "the disk has no room to compact the store: locations of forgotten clients stay on it. Make \
    room; it is tried again";

/// Looks this often until there is what is looked for; not any more when told to stop.
fn looks(
    max: u32,
    stop: &AtomicBool,
    mut is_there: impl FnMut() -> fjall::Result<bool>,
) -> fjall::Result<bool> {
    for _ in 0..max {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        if is_there()? {
            return Ok(true);
        }
        sleep(LOOK_GAP);
    }
    Ok(false)
}

/// The room that the rest of a purge needs, if tables of so many bytes are to be written anew.
fn needed_bytes(tables_bytes: u64, fillers_written: usize) -> u64 {
    let written_bytes = (fillers_written.min(FILLERS) * FILLER_BYTES) as u64;
    tables_bytes.saturating_add(ROOM_BYTES - written_bytes)
}

/// What the thread of purges is to do.
#[derive(Default)]
struct Asked {
    /// The next purge, which is for what was overwritten during the present one.
    next: Option<PurgeReply>,
    /// The thread has looked for the last time.
    has_ended: bool,
}

/// Purges, on a thread of their own: compactions take a while, and writes go on meanwhile.
pub(super) struct RunningPurge {
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Asked>>,
    thread: JoinHandle<()>,
}

impl RunningPurge {
    /// `None` if the system gives no thread; then nothing is purged.
    pub(super) fn begin(purge: Purge, reply: PurgeReply) -> Option<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(Mutex::new(Asked {
            next: Some(reply),
            has_ended: false,
        }));
        let of_thread = (stop.clone(), asked.clone());
        let thread = std::thread::Builder::new()
            .name("herd-purge".to_owned())
            .spawn(move || purge_all(&purge, &of_thread.0, &of_thread.1));
        match thread {
            Ok(thread) => Some(RunningPurge {
                stop,
                asked,
                thread,
            }),
            Err(error) => {
                warn!(%error, "no thread to compact the store: locations of forgotten clients may still be on the disk");
                None
            }
        }
    }

    /// Has another purge follow the present one. Gives the reply back if none is under way any more.
    pub(super) fn follow(&self, reply: PurgeReply) -> Result<(), PurgeReply> {
        let mut asked = self.asked.lock();
        // A panic of fjall ends the thread too.
        if asked.has_ended || self.thread.is_finished() {
            return Err(reply);
        }
        // One that waits already has failed: whoever asked for both knows of the later one.
        asked.next = Some(reply);
        Ok(())
    }
}

fn purge_all(purge: &Purge, stop: &AtomicBool, asked: &Mutex<Asked>) {
    loop {
        let next = {
            let mut asked = asked.lock();
            let next = asked.next.take();
            asked.has_ended = next.is_none();
            next
        };
        let Some(reply) = next else {
            return;
        };
        match purge.run(stop) {
            Ok(true) => {
                debug!("what was overwritten has left the disk");
                reply.succeeded();
            }
            Ok(false) if stop.load(Ordering::Relaxed) => {}
            Ok(false) => warn!(
                "the store keeps old files: locations of forgotten clients may still be on the disk"
            ),
            // The next commit fails for the same reason, and the server deals with that.
            Err(error) => {
                warn!(%error, "the store could not be compacted: locations of forgotten clients may still be on the disk");
            }
        }
    }
}

impl Drop for RunningPurge {
    /// Waits for it a little. A compaction that takes longer goes on by itself, holds the data folder until its end, and
    /// nobody opens the store before.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.asked.lock().next = None;
        for _ in 0..END_LOOKS_MAX {
            if self.thread.is_finished() {
                return;
            }
            sleep(LOOK_GAP);
        }
        warn!("the store is still being compacted: it can be opened again when that is done");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_needs_room_for_all_tables_and_its_fillers() {
        assert_eq!(needed_bytes(1_000, 0), ROOM_BYTES + 1_000);
        let filled = needed_bytes(1_000, FILLERS);
        assert_eq!(filled, ROOM_BYTES + 1_000 - (FILLERS * FILLER_BYTES) as u64);
        assert_eq!(needed_bytes(1_000, FILLERS + 1), filled);
        assert_eq!(needed_bytes(u64::MAX, 0), u64::MAX);
    }

    #[test]
    fn a_look_ends_when_told_to_stop_or_after_its_time() {
        let stop = AtomicBool::new(false);
        let mut count = 0;
        let found = looks(3, &stop, || {
            count += 1;
            Ok(count == 2)
        });
        assert!(found.unwrap() && count == 2);
        assert!(!looks(2, &stop, || Ok(false)).unwrap());
        stop.store(true, Ordering::Relaxed);
        assert!(!looks(1_000_000, &stop, || Ok(true)).unwrap());
    }
}
