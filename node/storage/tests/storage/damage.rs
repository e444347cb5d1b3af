//! Files that were cut, garbled or deleted: everything that was synced is there, or the store is
//! refused. Never less without a word, and never a panic.

use std::fs;
use std::path::Path;

use herd_storage::{Store, Write};
use tempfile::TempDir;

use crate::model::{Model, load, noise, put};
use crate::on_disk;

/// A folder whose journal holds commits, some of them synced.
struct Written {
    folder: TempDir,
    /// The content after each commit.
    states: Vec<Model>,
    /// How many of the states were synced, and where the journal ended then.
    synced: usize,
    synced_len: usize,
    len: usize,
}

fn in_the_journal() -> Written {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    let mut store = on_disk::open(&live).unwrap();
    load(&mut store).unwrap();
    let mut states = vec![Model::default()];
    let mut synced_len = 0;
    for number in 0..8 {
        let writes = [put(number % 5, &noise(number, 300)), put(9, b"each time")];
        store.commit(&writes).unwrap();
        let mut next = states.last().unwrap().clone();
        next.apply(&writes);
        states.push(next);
        if number == 4 {
            store.sync().unwrap();
            synced_len = on_disk::journal_len(&live);
        }
    }
    let kept = folder.path().join("kept");
    on_disk::copy(&live, &kept);
    let len = on_disk::journal_len(&kept);
    drop(store);
    fs::remove_dir_all(&live).unwrap();
    Written {
        folder,
        states,
        synced: 5,
        synced_len,
        len,
    }
}

impl Written {
    /// Opens a copy that was spoilt. The number of the commit that it ends with; `None` if it was
    /// refused as damaged.
    fn try_spoilt(&self, spoil: impl FnOnce(&mut Vec<u8>)) -> Option<usize> {
        let copy = self.folder.path().join("copy");
        on_disk::copy(&self.folder.path().join("kept"), &copy);
        let journal = on_disk::journal(&copy);
        let mut bytes = fs::read(&journal).unwrap();
        spoil(&mut bytes);
        fs::write(&journal, &bytes).unwrap();
        let found = on_disk::open_and_load(&copy);
        if let Err(error) = &found {
            assert!(error.is_damage(), "{error}");
            assert!(
                error
                    .to_string()
                    .contains("herd store set-aside --data-dir")
            );
            let mut after = fs::read(&journal).unwrap();
            // Zeros at the end of a journal are nothing, and may go.
            after.resize(bytes.len(), 0);
            assert!(after == bytes, "nothing was changed");
            let again = on_disk::open_and_load(&copy).unwrap_err();
            assert!(again.is_damage(), "still: {again}");
        }
        fs::remove_dir_all(&copy).unwrap();
        let (found, _) = found.ok()?;
        let number = self.states.iter().position(|state| *state == found);
        Some(number.expect("what is there was there once"))
    }

    /// Points all over the journal, some of them the ends of the parts.
    fn points(&self) -> Vec<usize> {
        let ends = [0, 1, self.synced_len - 1, self.synced_len, self.len - 1];
        let mut points: Vec<usize> = (0..self.len).step_by(173).chain(ends).collect();
        points.sort_unstable();
        points
    }

    fn check(&self, at: usize, found: Option<usize>) {
        if at < self.synced_len {
            assert_eq!(found, None, "byte {at} had been synced");
        } else {
            let found = found.expect("only an unsynced end was torn");
            assert!(found >= self.synced, "byte {at}: {found}");
        }
    }
}

#[test]
fn a_journal_that_was_cut_short_or_zeroed() {
    let written = in_the_journal();
    assert_eq!(written.try_spoilt(|_| {}), Some(8));
    for at in written.points() {
        written.check(at, written.try_spoilt(|bytes| bytes.truncate(at)));
        written.check(at, written.try_spoilt(|bytes| bytes[at..].fill(0)));
    }
}

#[test]
fn a_journal_with_a_byte_that_changed() {
    let written = in_the_journal();
    for at in written.points() {
        let found = written.try_spoilt(|bytes| bytes[at] ^= 0x04);
        // No crash does this, so damage is an answer behind the last sync too. The database's own
        // sequence numbers are outside of its checksums, and one that changed may do no harm.
        if found.is_some_and(|found| found != 8) {
            written.check(at, found);
        }
    }
}

#[test]
fn a_journal_with_a_hole_that_was_never_written() {
    let written = in_the_journal();
    for at in (written.synced_len..written.len - 64).step_by(131) {
        let found = written.try_spoilt(|bytes| bytes[at..at + 40].fill(0));
        written.check(at, found);
    }
}

/// A folder with tables: more than is held in memory was written.
fn in_tables(folder: &Path) -> Model {
    let mut store = on_disk::open(folder).unwrap();
    let (mut model, _) = load(&mut store).unwrap();
    for number in 0..80_u32 {
        let writes: Vec<Write> = (0..12)
            .map(|slot| {
                put(
                    (number * 7 + slot) % 300,
                    &noise(number * 12 + slot, 11_000),
                )
            })
            .collect();
        store.commit(&writes).unwrap();
        model.apply(&writes);
    }
    store.sync().unwrap();
    drop(store);
    // Once more, so that all of it is at rest.
    let (found, _) = on_disk::open_and_load(folder).unwrap();
    assert_eq!(found, model);
    model
}

fn check_spoilt(folder: &Path, model: &Model, what: &str) {
    match on_disk::open_and_load(folder) {
        Ok((found, _)) => assert!(found == *model, "{what}: loaded, but not all is there"),
        Err(error) => assert!(error.is_damage(), "{what}: {error}"),
    }
}

#[test]
fn files_that_are_missing_cut_short_or_changed() {
    let parent = tempfile::tempdir().unwrap();
    let kept = parent.path().join("kept");
    let model = in_tables(&kept);
    let store = kept.join("store");
    let tables = on_disk::files(&store)
        .into_iter()
        .filter(|path| path.parent().unwrap().ends_with("tables"));
    assert!(tables.count() > 0, "nothing was flushed into tables");
    let copy = parent.path().join("copy");
    for file in on_disk::files(&store) {
        let name = file.strip_prefix(&kept).unwrap();
        let bytes = fs::read(&file).unwrap();
        let spoil = |what: &str, spoilt: Option<Vec<u8>>| {
            on_disk::copy(&kept, &copy);
            match spoilt {
                None => fs::remove_file(copy.join(name)).unwrap(),
                Some(bytes) => fs::write(copy.join(name), bytes).unwrap(),
            }
            let what = format!("{} {what}", name.display());
            check_spoilt(&copy, &model, &what);
            fs::remove_dir_all(&copy).unwrap();
        };
        spoil("is missing", None);
        spoil("is empty", Some(Vec::new()));
        if bytes.is_empty() {
            continue;
        }
        spoil("is half", Some(bytes[..bytes.len() / 2].to_vec()));
        for part in 0..5 {
            let at = (bytes.len() - 1) * part / 4;
            let mut changed = bytes.clone();
            changed[at] ^= 0x04;
            spoil(&format!("changed at byte {at}"), Some(changed));
        }
    }
}

#[test]
fn a_store_that_was_deleted_as_a_whole_is_a_new_one() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let mut store = on_disk::open(&path).unwrap();
    load(&mut store).unwrap();
    store.commit(&[put(0, b"x")]).unwrap();
    store.sync().unwrap();
    drop(store);
    fs::remove_dir_all(path.join("store")).unwrap();
    assert_eq!(on_disk::open_and_load(&path).unwrap().0, Model::default());
}

#[test]
fn a_store_whose_making_was_interrupted_is_made_anew() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    drop(on_disk::open(&path).unwrap());
    let made = parent.path().join("made");
    on_disk::copy(&path, &made);
    // As it was before the database was done: the watermark says so.
    fs::remove_dir_all(path.join("store")).unwrap();
    fs::create_dir(path.join("store")).unwrap();
    fs::copy(made.join("store/watermark"), path.join("store/watermark")).unwrap();
    let refused = on_disk::open_and_load(&path).unwrap_err();
    assert!(refused.is_damage(), "a watermark that says live: {refused}");
    let mut place = b"hwm1\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
    place.extend(crc32fast::hash(&place).to_be_bytes());
    place.resize(64, 0);
    fs::write(path.join("store/watermark"), &place).unwrap();
    fs::create_dir_all(path.join("store/db/keyspaces")).unwrap();
    fs::write(path.join("store/db/0.jnl"), b"begun").unwrap();
    assert_eq!(on_disk::open_and_load(&path).unwrap().0, Model::default());
}
