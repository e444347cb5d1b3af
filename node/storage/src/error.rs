//! The errors of a store, and how to mend their causes.

use std::io;
use std::path::{Path, PathBuf};

/// A store that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A write that had been reported synced is missing or garbled.
    #[error(
        "the store in {} is damaged: {what}. Nothing was changed. The other servers of the herd \
         have the data: run `herd store set-aside --data-dir {}` to keep the damaged store for a \
         look, and start with an empty one",
        .path.display(), .path.display()
    )]
    Damaged {
        /// The data folder.
        path: PathBuf,
        /// The part that does not fit.
        what: String,
    },
    /// The disk has no room.
    #[error(
        "cannot {doing} in {}: {source}. Data that was synced before is safe. Make room on the disk; the server tries \
         again by itself",
        .path.display()
    )]
    Full {
        /// The data folder.
        path: PathBuf,
        /// The attempted action.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The system has no file descriptor or no memory left, or another process holds the data folder for a moment.
    #[error(
        "cannot {doing} in {}: {source}. Data that was synced before is safe. The server tries again by itself; raise its \
         limit of open files (`ulimit -n`), or give it more memory",
        .path.display()
    )]
    Exhausted {
        /// The data folder.
        path: PathBuf,
        /// The attempted action.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The disk or the file system refused.
    #[error(
        "cannot {doing} in {}: {source}. Data that was synced before is safe as far as the disk is. \
         Look into the system's log for the disk, then restart the server",
        .path.display()
    )]
    Io {
        /// The data folder.
        path: PathBuf,
        /// The attempted action.
        doing: &'static str,
        /// The error of the system or of the store.
        source: io::Error,
    },
    /// A sync failed, and the disk may have lost the written data.
    #[error(
        "cannot sync the store in {}: {source}. Data that was synced before is safe as far as the disk \
         is, the rest may be lost, and the store is not used any more. Look into the system's log \
         for the disk, then run `herd store set-aside --data-dir {}` and restart the server",
        .path.display(), .path.display()
    )]
    SyncFailed {
        /// The data folder.
        path: PathBuf,
        /// The error of the system or of the store.
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
    #[error("BUG: a write was refused: {0}. Nothing was changed")]
    InvalidWrite(&'static str),
    /// The thread or task that writes to the store is gone.
    #[error(
        "the thread that writes to the store ended unexpectedly; nothing more is stored. Restart \
         the server, and report its last log lines"
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

    /// Whether disk and store are sound, so that opening the store anew may do: no room, no descriptors, no memory.
    /// Never after a sync that failed: the system may have dropped the data that it could not write.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, StoreError::Full { .. } | StoreError::Exhausted { .. })
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
        } else if is_exhausted(&source) {
            StoreError::Exhausted {
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

/// Whether the system, or the process by its limits, has no descriptor or no memory left, or something is locked.
fn is_exhausted(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM))
        || matches!(
            error.kind(),
            io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock
        )
}

/// Files that are opened at a time to see whether any can be.
const PROBES: usize = 4;

/// Whether files can be opened. fjall does not say why its work behind has failed, so this is looked at after it.
pub(super) fn has_descriptors() -> bool {
    let files: Vec<_> = (0..PROBES)
        .map_while(|_| std::fs::File::open("/dev/null").ok())
        .collect();
    files.len() == PROBES
}

/// The error of a process that has no descriptor left.
pub(super) fn no_descriptors() -> io::Error {
    io::Error::from_raw_os_error(nix::errno::Errno::EMFILE as i32)
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn transient_errors_differ_from_lasting_ones() {
        let of = |errno: Errno| {
            let source = io::Error::from_raw_os_error(errno as i32);
            StoreError::from_io(Path::new("data"), "write to the store", source)
        };
        for errno in [
            Errno::ENOSPC,
            Errno::EDQUOT,
            Errno::EMFILE,
            Errno::ENFILE,
            Errno::ENOMEM,
        ] {
            assert!(of(errno).is_passing(), "{errno}");
        }
        for errno in [Errno::EIO, Errno::EROFS, Errno::EACCES, Errno::ENOENT] {
            assert!(!of(errno).is_passing(), "{errno}");
        }
        let path = PathBuf::from("data");
        let source = io::Error::from_raw_os_error(Errno::ENOSPC as i32);
        assert!(!StoreError::SyncFailed { path, source }.is_passing());
        assert!(has_descriptors());
    }
}
