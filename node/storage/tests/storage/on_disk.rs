//! Stores in folders, and copies of folders as a crash would leave them.

use std::fs;
use std::path::{Path, PathBuf};

use herd_storage::{DataFolder, FjallStore, LoadReport, StoreError};

use crate::model::{Model, load};

/// Opens a data folder as Hill of the cluster `test`.
pub(crate) fn open(path: &Path) -> Result<FjallStore, StoreError> {
    FjallStore::open(DataFolder::open(path, "Hill", "test").unwrap())
}

/// Opens and loads the store of a data folder.
pub(crate) fn open_and_load(path: &Path) -> Result<(Model, LoadReport), StoreError> {
    load(&mut open(path)?)
}

/// All files of a store, without its folders.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Copies a data folder as the system sees it now: the state that a killed process leaves.
pub(crate) fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        // Journals are made long and full of zeros: those are not worth writing.
        let bytes = fs::read(&file).unwrap();
        fs::write(&target, &bytes[..used(&bytes)]).unwrap();
        let copied = fs::OpenOptions::new().write(true).open(&target).unwrap();
        copied.set_len(bytes.len() as u64).unwrap();
    }
}

/// The newest journal of a data folder.
pub(crate) fn journal(path: &Path) -> PathBuf {
    let numbered = |path: &PathBuf| {
        let number = path.file_stem()?.to_str()?.parse::<u64>().ok()?;
        (path.extension()? == "jnl").then_some(number)
    };
    let all = files(&path.join("store/db"));
    all.into_iter()
        .filter(|path| numbered(path).is_some())
        .max_by_key(|path| numbered(path))
        .unwrap()
}

/// Where the written part of a journal ends. Its last batch ends in a byte that is not zero.
pub(crate) fn journal_len(path: &Path) -> usize {
    used(&fs::read(journal(path)).unwrap())
}

fn used(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}
