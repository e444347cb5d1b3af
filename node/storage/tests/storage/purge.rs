//! Taking off the disk what was overwritten.

use std::fs;
use std::path::Path;
use std::time::Duration;

use herd_storage::{FILLERS, PurgeEnd, Store, Write, purging};

use crate::model::{load, noise, put};
use crate::on_disk::{files, open, open_and_load};

/// Cannot be compressed, and differs from one number to the next.
pub(crate) fn secret(number: u32) -> Vec<u8> {
    noise(number, 300)
}

/// Whether any file of the store holds it.
pub(crate) fn holds(data: &Path, secret: &[u8]) -> bool {
    let needle = &secret[..32];
    files(&data.join("store")).iter().any(|file| {
        let bytes = fs::read(file).unwrap_or_default();
        bytes.windows(needle.len()).any(|some| some == needle)
    })
}

pub(crate) fn purge(store: &mut dyn Store) -> PurgeEnd {
    let (reply, end) = purging();
    for _ in 0..FILLERS / 8 {
        store.commit(&vec![Write::Filler; 8]).unwrap();
    }
    store.commit(&[Write::Purge(reply)]).unwrap();
    end
}

pub(crate) async fn is_success(end: PurgeEnd) -> bool {
    let ended = tokio::time::timeout(Duration::from_secs(120), end.is_success());
    ended.await.expect("a purge comes to its end")
}

#[tokio::test]
async fn what_was_overwritten_is_gone_when_the_purge_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path()).unwrap();
    load(&mut store).unwrap();
    store.commit(&[put(0, &secret(1))]).unwrap();
    store.commit(&[put(0, &secret(2))]).unwrap();
    assert!(holds(folder.path(), &secret(1)), "in the journal");
    let first = purge(&mut store);
    // One that comes while the first is at work follows it.
    store.commit(&[put(0, &secret(3))]).unwrap();
    let second = purge(&mut store);
    assert!(is_success(first).await);
    assert!(!holds(folder.path(), &secret(1)));
    assert!(is_success(second).await);
    assert!(!holds(folder.path(), &secret(2)));
    assert!(holds(folder.path(), &secret(3)));
    store.sync().unwrap();
    drop(store);
    let (found, _) = open_and_load(folder.path()).unwrap();
    let mut expected = crate::model::Model::default();
    expected.apply(&[put(0, &secret(3))]);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_purge_without_its_fillers_or_store_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path()).unwrap();
    load(&mut store).unwrap();
    let (reply, end) = purging();
    store.commit(&[Write::Filler, Write::Purge(reply)]).unwrap();
    assert!(!is_success(end).await, "the journal is too short to go");
    let end = purge(&mut store);
    drop(store);
    // Either it was quick, or it has failed; the store can be opened in both cases.
    is_success(end).await;
    open_and_load(folder.path()).unwrap();
}
