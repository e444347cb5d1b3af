//! What goes wrong with a store, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// A store that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something that had been reported synced is missing or not what was written.
    #[error(
        "the store in {} is damaged: {what}. Nothing was changed. The other servers of the herd \
         have the data: run `herd store set-aside --data-dir {}` to keep the damaged store for a \
         look, and start with an empty one",
        .path.display(), .path.display()
    )]
    Damaged {
        /// The data folder.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The disk has no room.
    #[error(
        "cannot {doing} in {}: {source}. What was synced before is safe. Make room on the disk, \
         then restart the server",
        .path.display()
    )]
    Full {
        /// The data folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The disk or the file system refused.
    #[error(
        "cannot {doing} in {}: {source}. What was synced before is safe as far as the disk is. \
         Look into the system's log for the disk, then restart the server",
        .path.display()
    )]
    Io {
        /// The data folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system or the store said.
        source: io::Error,
    },
    /// The disk did not take what had been written, and may have forgotten it.
    #[error(
        "cannot sync the store in {}: {source}. What was synced before is safe as far as the disk \
         is, the rest may be lost, and the store is not used any more. Look into the system's log \
         for the disk, then run `herd store set-aside --data-dir {}` and restart the server",
        .path.display(), .path.display()
    )]
    SyncFailed {
        /// The data folder.
        path: PathBuf,
        /// What the system or the store said.
        source: io::Error,
    },
    /// A commit or sync failed before.
    #[error("the store failed before and takes no more writes; restart the server")]
    FailedBefore,
    /// The system gave no thread to read or write with.
    #[error("cannot start a thread for the store: {0}. Nothing was read or written")]
    NoThread(io::Error),
    /// A commit without a load.
    #[error("BUG: the store was written to before it was loaded")]
    NotLoaded,
    /// A write that no store can hold.
    #[error("BUG: a write was refused: {0}")]
    InvalidWrite(&'static str),
    /// The thread or task that writes to the store is gone.
    #[error(
        "the thread that writes to the store ended unexpectedly; nothing more is stored. Restart \
         the server, and report what it logged last"
    )]
    WriterEnded,
    /// The modelled machine crashed while this was open.
    #[error("the modelled disk was taken away by a crash")]
    Crashed,
}

impl StoreError {
    /// Whether stored data is missing or garbled, so that only setting the store aside helps.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, StoreError::Damaged { .. })
    }

    /// Whether the disk has no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, StoreError::Full { .. })
    }

    /// An error of the system while `doing` something, told apart by its kind.
    pub(super) fn from_io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        if is_full(&source) {
            StoreError::Full {
                path,
                doing,
                source,
            }
        } else {
            StoreError::Io {
                path,
                doing,
                source,
            }
        }
    }
}

/// Whether the disk, or the user's share of it, has no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
