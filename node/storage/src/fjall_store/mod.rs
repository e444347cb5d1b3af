//! The store of a server: one fjall database, and beside it a file that says how far it was synced.
//!
//! In the data folder `store/db` is the database and `store/watermark` that file. The layout of the database is in
//! `layout.rs`.
//!
//! # Detected damage, and its detection
//!
//! fjall checks blocks of tables when it reads them, but cuts off the end of a journal that it cannot
//! read, without an error, and panics on some garbled files. So:
//!
//! - **Each commit is numbered** and carries, in the same atomic batch, how many groups there are
//!   now and a checksum over all of them (`layout::Meta`). A load reads every group and adds the
//!   checksums up anew. A lost table, a hole between journals, a deletion that came undone, a value
//!   that changed: all of them show.
//! - **The watermark** says which commit was the last one synced (`watermark.rs`). If the database
//!   ends before it, something is missing that may not be; if it ends behind it, a crash at most
//!   tore unsynced data.
//! - **Journals are read before fjall opens them** (`journal.rs`). A torn end behind the watermark is
//!   cut off, reported in [`LoadReport::torn_tail_bytes`], and opened then. Everything else is
//!   damage, and fjall is not let near it.
//! - A watermark without a database, a database without a watermark, and any panic of fjall while it
//!   opens or reads are damage.
//! - After a failed sync the watermark says so, and the store is not opened again: data that reads back
//!   well may never have reached the disk.
//!
//! A store that is deleted as a whole is a new store. Damage to the watermark itself, and a data
//! folder that was put back to an older state as a whole, cannot be seen.

mod contents;
pub mod database;
mod fault;
pub mod journal;
pub mod layout;
mod purge;
pub mod watermark;

use std::fs::{self, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fjall::{Database, Guard, Keyspace, PersistMode};
use tracing::warn;

use self::contents::{CommitChanges, Contents};
use self::database::{has_room, write_error};
use self::fault::{Fault, guarded};
use self::journal::{JournalFault, TornTail, read_journals};
use self::layout::{META_KEY, Meta, group_hash, parse_group_key, parse_group_value};
use self::purge::{FILLERS_PER_BATCH, Filler, NO_ROOM, Purge, RunningPurge};
use self::watermark::{DatabaseState, Watermark};
use super::data_folder::{DataFolder, DataFolderError, create_folder};
use super::{LoadReport, PurgeReply, Store, StoreError, StoredGroup, Write};
use herd_files::own_file::sync_folder;

/// A store in a data folder, which it holds.
pub struct FjallStore {
    /// A purge holds it too.
    folder: Arc<DataFolder>,
    /// Gone only while the store is dropped.
    database: Option<(Database, Keyspace)>,
    watermark: Watermark,
    contents: Contents,
    filler: Filler,
    purge: Option<RunningPurge>,
    torn_tail_bytes: u64,
    loaded: bool,
    failed: bool,
}

/// The result of [`FjallStore::lower_floor`]. Times are in nanoseconds since the POSIX epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorChange {
    /// The store has no floor.
    None,
    /// The floor is this low already.
    Kept(i64),
    /// It fell.
    Lowered {
        /// From where.
        from_ns: i64,
        /// To where.
        to_ns: i64,
    },
}

impl FjallStore {
    /// Opens the store of a data folder, or makes one.
    ///
    /// # Errors
    /// Damage, or a disk that cannot be read or written. Nothing was changed then.
    pub fn open(folder: DataFolder) -> Result<Self, StoreError> {
        let data_dir = folder.path().to_owned();
        let (watermark, database, torn_tail_bytes) = open(&folder.store_path())
            .map_err(|fault| fault.into_error(&data_dir, "open the store"))?;
        Ok(FjallStore {
            folder: Arc::new(folder),
            database: Some(database),
            watermark,
            contents: Contents::default(),
            filler: Filler::default(),
            purge: None,
            torn_tail_bytes,
            loaded: false,
            failed: false,
        })
    }

    /// Opens the store of this server again after it has failed for want of room or descriptors, in the same process.
    /// Unsynced data is checked as after a crash.
    ///
    /// # Errors
    /// As [`FjallStore::open`], or if there is still no room.
    pub fn open_again(path: &Path, server: &str, cluster: &str) -> Result<Self, StoreError> {
        let doing = "open the store again";
        if !has_room(path) {
            let full = io::ErrorKind::StorageFull.into();
            return Err(StoreError::from_io(path, doing, full));
        }
        let folder = DataFolder::open(path, server, cluster).map_err(|error| {
            let source = match error {
                DataFolderError::Io { source, .. } => source,
                // Another holder of the lock is temporary: the folder is this server's.
                in_use @ DataFolderError::InUse { .. } => {
                    io::Error::new(io::ErrorKind::WouldBlock, in_use)
                }
                other => io::Error::other(other),
            };
            StoreError::from_io(path, doing, source)
        })?;
        FjallStore::open(folder)
    }

    /// Lowers the floor of expiry to `floor_ns`, in nanoseconds since the POSIX epoch, if it is higher. For an
    /// operator, while no server runs on the store; it is synced when this returns.
    ///
    /// # Errors
    /// As [`Store::commit`] and [`Store::sync`].
    pub fn lower_floor(&mut self, floor_ns: i64) -> Result<FloorChange, StoreError> {
        let from_ns = match self.contents.meta.floor_ns {
            None => return Ok(FloorChange::None),
            Some(from_ns) if from_ns <= floor_ns => return Ok(FloorChange::Kept(from_ns)),
            Some(from_ns) => from_ns,
        };
        self.contents.meta.floor_ns = Some(floor_ns);
        self.commit(&[Write::Floor { time_ns: floor_ns }])?;
        self.sync()?;
        Ok(FloorChange::Lowered {
            from_ns,
            to_ns: floor_ns,
        })
    }

    /// Begins to take off the disk what was overwritten, or has that follow on what is under way. It fails if the reply is
    /// dropped.
    fn begin_purge(&mut self, (database, keyspace): (Database, Keyspace), reply: PurgeReply) {
        if !self.filler.take_written() {
            warn!("{NO_ROOM}");
            return;
        }
        let reply = match &self.purge {
            None => reply,
            Some(running) => match running.follow(reply) {
                Ok(()) => return,
                Err(reply) => reply,
            },
        };
        self.purge = None;
        self.purge = self.filler.keyspace(&database).ok().and_then(|filler| {
            let purge = Purge {
                database,
                groups: keyspace,
                filler,
                folder: self.folder.clone(),
            };
            RunningPurge::begin(purge, reply)
        });
    }

    /// Commits changes that the contents have already, and some fillers.
    fn commit_batch(&mut self, changes: CommitChanges, fillers: usize) -> fjall::Result<()> {
        let Some((database, keyspace)) = self.database.clone() else {
            return Ok(());
        };
        let mut batch = database.batch().durability(Some(PersistMode::Buffer));
        for (key, group) in changes {
            match group {
                Some(group) => batch.insert(&keyspace, key, group.as_ref()),
                None => batch.remove(&keyspace, key),
            }
        }
        batch.insert(&keyspace, META_KEY, self.contents.meta.encode());
        for _ in 0..fillers {
            self.filler.add_to(&database, &mut batch)?;
        }
        batch.commit()?;
        self.filler.note_written(fillers);
        Ok(())
    }

    /// Commits this number of fillers, a few at a time; none for which there is no room. Each commit has a number.
    fn commit_fillers(&mut self, mut left: usize, keyspace: &Keyspace) -> fjall::Result<()> {
        while left > 0 && self.filler.has_room(&self.folder, keyspace) {
            let some = left.min(FILLERS_PER_BATCH);
            let changes = self.contents.apply(&[]).unwrap_or_default();
            self.commit_batch(changes, some)?;
            left -= some;
        }
        Ok(())
    }

    /// The database, unless it must not be written to.
    fn writable(&self) -> Result<&(Database, Keyspace), StoreError> {
        if self.failed {
            return Err(StoreError::FailedBefore);
        }
        match &self.database {
            Some(database) if self.loaded => Ok(database),
            _ => Err(StoreError::NotLoaded),
        }
    }
}

impl Store for FjallStore {
    fn load(&mut self, each: &mut dyn FnMut(StoredGroup)) -> Result<LoadReport, StoreError> {
        let Some((_, keyspace)) = &self.database else {
            return Err(StoreError::NotLoaded);
        };
        let synced = self.watermark.sequence();
        let loaded = load(keyspace, synced, each);
        let (contents, mut report) =
            loaded.map_err(|fault| fault.into_error(self.folder.path(), "read the store"))?;
        self.contents = contents;
        self.loaded = true;
        report.torn_tail_bytes = self.torn_tail_bytes;
        Ok(report)
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let (database, keyspace) = self.writable()?.clone();
        if writes.is_empty() {
            return Ok(());
        }
        if !writes.iter().all(Write::is_storable) {
            return Err(StoreError::InvalidWrite("not the name of a server"));
        }
        // Until all is well: the contents are ahead of the database from here on.
        self.failed = true;
        let Some(changes) = self.contents.apply(writes) else {
            return Err(StoreError::InvalidWrite("not the name of a server"));
        };
        let fillers = writes.iter().filter(|&write| *write == Write::Filler);
        let committed = self
            .commit_batch(changes, 0)
            .and_then(|()| self.commit_fillers(fillers.count(), &keyspace));
        committed.map_err(|error| write_error(self.folder.path(), "write to the store", error))?;
        self.failed = false;
        for write in writes {
            if let Write::Purge(reply) = write {
                self.begin_purge((database.clone(), keyspace.clone()), reply.clone());
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let (database, _) = self.writable()?;
        let synced = match database.persist(PersistMode::SyncAll) {
            Ok(()) => Ok(()),
            Err(fjall::Error::Io(source)) => Err(source),
            Err(error) => {
                // A full disk, or too few descriptors, stopped a flush in the background: no sync was tried.
                let error = write_error(self.folder.path(), "write to the store", error);
                if error.is_passing() {
                    self.failed = true;
                    return Err(error);
                }
                Err(io::Error::other(error))
            }
        };
        let sequence = self.contents.meta.sequence;
        let noted = synced.and_then(|()| self.watermark.set(DatabaseState::Live, sequence));
        noted.map_err(|source| {
            self.failed = true;
            // As well as it can be done: the disk is failing.
            let _ = self.watermark.set(DatabaseState::SyncFailed, sequence);
            let _ = self.watermark.sync();
            StoreError::SyncFailed {
                path: self.folder.path().to_owned(),
                source,
            }
        })
    }
}

impl Drop for FjallStore {
    fn drop(&mut self) {
        self.purge = None;
        self.filler = Filler::default();
        // fjall joins its thread here, and panics if that one did.
        let database = self.database.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
        let _ = self.watermark.sync();
    }
}

type Opened = (Watermark, (Database, Keyspace), u64);

fn open(store: &Path) -> Result<Opened, Fault> {
    let database_path = store.join("db");
    let watermark_path = store.join("watermark");
    if !watermark_path.try_exists().map_err(Fault::Io)? {
        if database_path.try_exists().map_err(Fault::Io)? {
            let what = format!("{} is missing", watermark_path.display());
            return Err(Fault::Damaged(what));
        }
        create_folder(store).map_err(Fault::Io)?;
        let watermark = Watermark::create(&watermark_path).map_err(Fault::Io)?;
        sync_folder(store).map_err(Fault::Io)?;
        return create(&database_path, watermark);
    }
    must_be_files(store)?;
    let Some(watermark) = Watermark::open(&watermark_path).map_err(Fault::Io)? else {
        let what = format!("{} is garbled", watermark_path.display());
        return Err(Fault::Damaged(what));
    };
    match watermark.state() {
        DatabaseState::Creating => create(&database_path, watermark),
        DatabaseState::Live => open_live(&database_path, watermark),
        DatabaseState::SyncFailed => Err(Fault::Damaged(
            "the disk failed to take it when the server ran last, and may have lost some of it"
                .to_owned(),
        )),
    }
}

/// All in a folder must be files and folders: to open a FIFO, as fjall would, is to wait for a writer without end.
fn must_be_files(folder: &Path) -> Result<(), Fault> {
    for entry in fs::read_dir(folder).map_err(Fault::Io)? {
        let path = entry.map_err(Fault::Io)?.path();
        let metadata = fs::metadata(&path).map_err(Fault::Io)?;
        if metadata.is_dir() {
            must_be_files(&path)?;
        } else if !metadata.is_file() {
            let what = format!("{} is neither a file nor a folder", path.display());
            return Err(Fault::Damaged(what));
        }
    }
    Ok(())
}

/// Makes the database anew. Files that are there are left over from an earlier attempt.
fn create(path: &Path, mut watermark: Watermark) -> Result<Opened, Fault> {
    match fs::remove_dir_all(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Fault::Io(error)),
    }
    let (database, keyspace) = database::open(path)?;
    let meta = Meta {
        sequence: 1,
        ..Meta::default()
    };
    let written = guarded(|| {
        keyspace.insert(META_KEY, meta.encode())?;
        database.persist(PersistMode::SyncAll)?;
        Ok(())
    });
    written?;
    if let Some(parent) = path.parent() {
        sync_folder(parent).map_err(Fault::Io)?;
    }
    let live = watermark.set(DatabaseState::Live, meta.sequence);
    live.and_then(|()| watermark.sync()).map_err(Fault::Io)?;
    Ok((watermark, (database, keyspace), 0))
}

fn open_live(path: &Path, watermark: Watermark) -> Result<Opened, Fault> {
    // Without it fjall would take the folder for a new one.
    let marker = path.join("version");
    if !marker.try_exists().map_err(Fault::Io)? {
        return Err(Fault::Damaged(format!("{} is missing", marker.display())));
    }
    let journals = read_journals(path).map_err(|fault| match fault {
        JournalFault::Damaged(what) => Fault::Damaged(what),
        JournalFault::Io(error) => Fault::Io(error),
    })?;
    let synced = watermark.sequence();
    if let Some(last) = journals.last_sequence
        && last < synced
    {
        return Err(cut_short(last, synced));
    }
    let torn_tail_bytes = match &journals.torn_tail {
        None => 0,
        // Nothing tells whether all that was synced is in the tables. A loss of power leaves this
        // only in the moment when a journal is begun and all before it is in tables already.
        Some(torn) if journals.last_sequence.is_none() => {
            let what = format!("{} begins with something else", torn.path.display());
            return Err(Fault::Damaged(what));
        }
        Some(torn) => cut(torn).map_err(Fault::Io)?,
    };
    let database = database::open(path)?;
    Ok((watermark, database, torn_tail_bytes))
}

/// Cuts off the bytes that a crash left behind the last whole batch. All synced data is known to be before them.
fn cut(torn: &TornTail) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).open(&torn.path)?;
    file.set_len(torn.whole_bytes)?;
    file.sync_all()?;
    Ok(torn.torn_bytes)
}

fn cut_short(last: u64, synced: u64) -> Fault {
    Fault::Damaged(format!(
        "it ends with commit {last}, but commit {synced} had been synced"
    ))
}

/// Reads everything and checks it against the summary of the last commit.
fn load(
    keyspace: &Keyspace,
    synced: u64,
    each: &mut dyn FnMut(StoredGroup),
) -> Result<(Contents, LoadReport), Fault> {
    let Some(meta) = guarded(|| Ok(keyspace.get(META_KEY)?))? else {
        return Err(Fault::Damaged("its last commit is missing".to_owned()));
    };
    let Some(meta) = Meta::decode(&meta) else {
        return Err(Fault::Damaged("its last commit is garbled".to_owned()));
    };
    if meta.sequence < synced {
        return Err(cut_short(meta.sequence, synced));
    }
    let mut contents = Contents::default();
    let mut report = LoadReport {
        floor_ns: meta.floor_ns,
        own_generation: meta.own_generation,
        ..LoadReport::default()
    };
    let mut items = guarded(|| Ok(keyspace.iter()))?;
    while let Some((key, value)) =
        guarded(|| Ok(items.next().map(Guard::into_inner).transpose()?))?
    {
        if *key == *META_KEY {
            continue;
        }
        let Some((incarnation, slot)) = parse_group_key(&key) else {
            return Err(Fault::Damaged("it has a key that is none".to_owned()));
        };
        contents.insert(&incarnation, slot, group_hash(&key, &value));
        let Some((version, group)) = parse_group_value(&Bytes::copy_from_slice(&value)) else {
            return Err(Fault::Damaged(
                "it has a group without a version".to_owned(),
            ));
        };
        let stored = StoredGroup {
            incarnation,
            slot,
            version,
            group,
        };
        report.count(&stored);
        each(stored);
    }
    if (contents.meta.groups, contents.meta.digest) != (meta.groups, meta.digest) {
        return Err(Fault::Damaged(format!(
            "it holds {} groups, and not the {} that it held after its last commit, or not the \
             same",
            contents.meta.groups, meta.groups
        )));
    }
    contents.meta = meta;
    Ok((contents, report))
}
