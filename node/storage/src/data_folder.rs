//! The folder in which one server keeps its store: whose it is, and that only one process uses it.
//!
//! - `lock` is locked for as long as a process uses the folder, and holds that process's ID.
//! - `identity.json` says which server of which herd the folder belongs to, and its format version.
//! - `store` is the store itself.

mod identity;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use self::identity::FORMAT_VERSION;
use self::identity::{Identity, parse};
use herd_clock::clock::WallClock;
use herd_files::own_file::{self, sync_folder};

/// Only the server's own user may read the reports of clients.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// A process ID takes fewer.
const LOCK_BYTES_MAX: u64 = 32;
/// No identity is longer; a longer file is none.
const IDENTITY_BYTES_MAX: usize = 16 * 1024;

/// Why a data folder cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// The system refused.
    #[error("cannot use the data folder: {}: {source}", .path.display())]
    Io {
        /// The file or folder in question.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file of it is a symbolic link, which may lead to a file of somebody else.
    #[error(
        "{} is a symbolic link, and writing to it would change another file; remove the link. The data \
         folder itself may be a link",
        .path.display()
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Another process uses it.
    #[error(
        "the data folder {} is in use by another process{}; stop that one first, or give each \
         server a folder of its own",
        .path.display(), .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The data folder.
        path: PathBuf,
        /// The other process, if it could be found out.
        pid: Option<u32>,
    },
    /// It belongs to another server.
    #[error(
        "the data folder {} belongs to server {found:?}, and this is {expected:?}; give each \
         server a folder of its own",
        .path.display()
    )]
    OtherServer {
        /// The data folder.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// This server.
        expected: String,
    },
    /// It belongs to a server of another herd.
    #[error(
        "the data folder {} belongs to cluster {found:?}, and this is {expected:?}; give each \
         cluster folders of its own",
        .path.display()
    )]
    OtherCluster {
        /// The data folder.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// This server or herd.
        expected: String,
    },
    /// A later version of herd made it.
    #[error(
        "the data folder {} was written by a newer version of herd (format {found}; this one \
         reads up to {FORMAT_VERSION}); run that version, or use another folder",
        .path.display()
    )]
    Newer {
        /// The data folder.
        path: PathBuf,
        /// Its format version.
        found: u64,
    },
    /// The identity is not one.
    #[error(
        "{} does not say whose data folder this is: {what}. Put it back from a copy, or use \
         another folder",
        .path.display()
    )]
    Garbled {
        /// The file.
        path: PathBuf,
        /// The fault.
        what: String,
    },
    /// There is no data folder.
    #[error("{} is not a data folder of herd: it has no identity.json", .path.display())]
    NotADataFolder {
        /// The given value.
        path: PathBuf,
    },
    /// There is no store.
    #[error("the data folder {} has no store; nothing was changed", .path.display())]
    NoStore {
        /// The data folder.
        path: PathBuf,
    },
}

/// A data folder that this process holds as long as this lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is not there, locks it, and sees that it belongs to this server.
    ///
    /// # Errors
    /// See [`DataFolderError`].
    pub fn open(path: &Path, server: &str, cluster: &str) -> Result<Self, DataFolderError> {
        create_folder(path).map_err(|source| fault(path, source))?;
        let folder = DataFolder::lock(path)?;
        let own = Identity::new(server, cluster);
        match folder.identity()? {
            None => folder.write_identity(&own)?,
            Some(found) => folder.check(&found, &own)?,
        }
        Ok(folder)
    }

    /// Locks a folder that holds a store, whichever server's; gives that server's name too.
    ///
    /// # Errors
    /// See [`DataFolderError`].
    pub fn open_existing(path: &Path) -> Result<(Self, String), DataFolderError> {
        let folder = DataFolder::lock_existing(path)?;
        let Some(identity) = folder.identity()? else {
            let path = folder.path;
            return Err(DataFolderError::NotADataFolder { path });
        };
        Ok((folder, identity.server))
    }

    fn lock_existing(path: &Path) -> Result<Self, DataFolderError> {
        if !path.join("identity.json").is_file() {
            let path = path.to_owned();
            return Err(DataFolderError::NotADataFolder { path });
        }
        let folder = DataFolder::lock(path)?;
        if folder.store_path().is_dir() {
            Ok(folder)
        } else {
            let path = folder.path;
            Err(DataFolderError::NoStore { path })
        }
    }

    /// Renames the store of a folder that no process uses, and gives its new path. The folder keeps
    /// its identity, and the server starts with an empty store.
    ///
    /// # Errors
    /// See [`DataFolderError`].
    pub fn set_aside(path: &Path, clock: &dyn WallClock) -> Result<PathBuf, DataFolderError> {
        let folder = DataFolder::lock_existing(path)?;
        let store = folder.store_path();
        let time = utc(clock.now_ns());
        // A second one within a second gets a number.
        let aside = (0..u32::MAX)
            .map(|number| match number {
                0 => folder.path.join(format!("store.set-aside-{time}")),
                _ => folder.path.join(format!("store.set-aside-{time}-{number}")),
            })
            .find(|aside| fs::symlink_metadata(aside).is_err());
        let aside = aside.unwrap_or_else(|| folder.path.join("store.set-aside"));
        let renamed = fs::rename(&store, &aside).and_then(|()| sync_folder(&folder.path));
        renamed.map_err(|source| fault(&store, source))?;
        Ok(aside)
    }

    /// Where the folder is, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the store is to be.
    #[must_use]
    pub fn store_path(&self) -> PathBuf {
        self.path.join("store")
    }

    fn lock(path: &Path) -> Result<Self, DataFolderError> {
        // The working directory may change, and messages should name the folder in full.
        let path = fs::canonicalize(path).map_err(|source| fault(path, source))?;
        let lock_path = path.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let opened = own_file::open_regular(options.mode(FILE_MODE), &lock_path);
        let mut lock = opened.map_err(|source| own_fault(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = lock.take(LOCK_BYTES_MAX).read_to_string(&mut text);
                let pid = read.ok().and_then(|_| text.trim().parse().ok());
                return Err(DataFolderError::InUse { path, pid });
            }
            Err(TryLockError::Error(source)) => return Err(fault(&lock_path, source)),
        }
        let pid = format!("{}\n", std::process::id());
        // For the message above only: on a full disk the lock is as good without it.
        let _ = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| lock.write_all(pid.as_bytes()));
        Ok(DataFolder { path, _lock: lock })
    }

    fn identity(&self) -> Result<Option<Identity>, DataFolderError> {
        let path = self.path.join("identity.json");
        match own_file::read_regular(&path, IDENTITY_BYTES_MAX) {
            Ok(bytes) => parse(&bytes, &path, &self.path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(fault(&path, source)),
        }
    }

    fn check(&self, found: &Identity, own: &Identity) -> Result<(), DataFolderError> {
        let path = self.path.clone();
        if found.cluster != own.cluster {
            return Err(DataFolderError::OtherCluster {
                path,
                found: found.cluster.clone(),
                expected: own.cluster.clone(),
            });
        }
        if found.server != own.server {
            return Err(DataFolderError::OtherServer {
                path,
                found: found.server.clone(),
                expected: own.server.clone(),
            });
        }
        Ok(())
    }

    /// Writes the identity under another name first, so that it is there whole or not at all.
    fn write_identity(&self, identity: &Identity) -> Result<(), DataFolderError> {
        let path = self.path.join("identity.json");
        let new_path = self.path.join("identity.json.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let opened = own_file::open_regular(options.mode(FILE_MODE), &new_path);
        let mut file = opened.map_err(|source| own_fault(&new_path, source))?;
        let written = file
            .write_all(identity.to_json().as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new_path, &path))
            .and_then(|()| sync_folder(&self.path));
        written.map_err(|source| fault(&path, source))
    }
}

/// As [`fault`], for files that must be in the folder itself.
fn own_fault(path: &Path, source: io::Error) -> DataFolderError {
    if source.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) {
        return DataFolderError::Link {
            path: path.to_owned(),
        };
    }
    fault(path, source)
}

fn fault(path: &Path, source: io::Error) -> DataFolderError {
    DataFolderError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Makes a folder, and those that it is in, for this user alone; their names are on the disk then.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    own_file::create_folder(path, FOLDER_MODE)
}

/// A time as in `20180302T205214Z`.
fn utc(time_ns: i64) -> String {
    let seconds = u64::try_from(time_ns / herd_crdt::NANOSECONDS_PER_SECOND).unwrap_or(0);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.replace(['-', ':'], "")
}
