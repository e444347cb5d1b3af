//! The fjall database: its settings, and the meaning of its errors.

use std::io;
use std::path::Path;

use fjall::config::BlockSizePolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::super::StoreError;
use super::super::error::{has_descriptors, no_descriptors};
use super::fault::{Fault, guarded};

/// The name of the one keyspace.
const KEYSPACE: &str = "groups";
/// Blocks that were read are not asked for again: all is read once, at the start.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;
/// Writes are held in memory until this many bytes of them go into a table.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;
/// The least that fjall allows. A journal is sealed at 64 MB.
const JOURNALS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most values are larger, and have a block of their own.
const BLOCK_BYTES: u32 = 4 * 1024;
/// One thread does all that goes on behind: flushes and compactions.
const WORKERS: usize = 1;
/// Tables that are kept open.
pub const FILES_OPEN_MAX: usize = 64;
/// With less room than this a flush or compaction has probably failed for it.
const ROOM_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// Opens the database in `path`, or makes it. Failures, and panics of fjall on garbled files, are errors.
pub(super) fn open(path: &Path) -> Result<(Database, Keyspace), Fault> {
    guarded(|| {
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNALS_BYTES_MAX)
            .max_cached_files(Some(FILES_OPEN_MAX))
            .worker_threads(WORKERS)
            .open()?;
        let keyspace = database.keyspace(KEYSPACE, options)?;
        Ok((database, keyspace))
    })
}

/// The settings of every keyspace.
pub(super) fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
}

/// The meaning of an error of fjall while `doing` something, for the store in `data_dir`.
pub(super) fn write_error(data_dir: &Path, doing: &'static str, error: fjall::Error) -> StoreError {
    let source = match error {
        fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => source,
        // A flush in the background failed before; its error has only been logged.
        fjall::Error::Poisoned if !has_room(data_dir) => io::ErrorKind::StorageFull.into(),
        fjall::Error::Poisoned if !has_descriptors() => no_descriptors(),
        other => io::Error::other(other),
    };
    StoreError::from_io(data_dir, doing, source)
}

pub(super) fn has_room(path: &Path) -> bool {
    available_bytes(path) >= ROOM_BYTES_MIN
}

/// The room on the disk of `path`; 0 if the system does not say.
pub(super) fn available_bytes(path: &Path) -> u64 {
    nix::sys::statvfs::statvfs(path).map_or(0, |stat| {
        stat.blocks_available().saturating_mul(stat.fragment_size())
    })
}
