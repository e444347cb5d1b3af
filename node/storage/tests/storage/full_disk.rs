//! A disk that runs full, on a small file system in memory. Needs the right to mount one.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use herd_storage::{StorageWriter, Store, SyncPolicy};

use crate::model::{Model, load, noise, put};
use crate::on_disk;
use crate::purge::{holds, is_success, purge, secret};

/// A mounted file system, which goes with this.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

fn mount<'a>(path: &'a Path, size: &str) -> Option<Mounted<'a>> {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", size, "none"]).arg(path);
    if mount.output().is_ok_and(|output| output.status.success()) {
        return Some(Mounted(path));
    }
    // As everywhere: `integration-tests/src/rights.rs`.
    let required = std::env::var("HERD_REQUIRE_ROOT").is_ok_and(|value| value == "1");
    assert!(!required, "no right to mount, and HERD_REQUIRE_ROOT=1");
    eprintln!("left out: no right to mount a small file system");
    None
}

#[tokio::test]
async fn synced_writes_survive_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mounted) = mount(folder.path(), "size=24m") else {
        return;
    };
    let filler = folder.path().join("filler");
    fs::write(&filler, vec![1; 16 * 1024 * 1024]).unwrap();
    let data = folder.path().join("data");
    let mut store = on_disk::open(&data).unwrap();
    load(&mut store).unwrap();
    let (writer, thread) =
        StorageWriter::spawn(Box::new(store), SyncPolicy::EachCommit, Box::new(())).unwrap();
    let mut state = writer.synced();
    // One write at a time, so that each ticket is one commit.
    let mut states = vec![Model::default()];
    let failure = loop {
        let number = states.len() as u32;
        assert!(number < 10_000, "the disk never ran full");
        let writes = vec![put(number % 50, &noise(number, 10_000))];
        let mut next = states.last().unwrap().clone();
        next.apply(&writes);
        states.push(next);
        let ticket = writer.write(writes).unwrap();
        let known = state.wait_for(|s| s.synced >= ticket || s.failure.is_some());
        let known = tokio::time::timeout(Duration::from_secs(60), known).await;
        if let Some(failure) = &known.unwrap().unwrap().failure {
            break failure.clone();
        }
    };
    assert!(failure.is_full(), "{failure}");
    assert!(
        failure.to_string().contains("Make room on the disk"),
        "{failure}"
    );
    let synced = state.borrow().synced.0 as usize;
    assert!(synced > 100, "only {synced} writes fitted");
    assert!(thread.close(Duration::from_secs(60)).await.is_err());
    drop(writer);

    fs::remove_file(&filler).unwrap();
    let mut store = on_disk::open(&data).unwrap();
    let (found, _) = load(&mut store).unwrap();
    let found = states.iter().rposition(|state| *state == found);
    assert!(
        found.is_some_and(|found| found >= synced),
        "{found:?} of {synced}"
    );
    store.commit(&[put(99, b"goes on")]).unwrap();
    store.sync().unwrap();
    drop(store);
    drop(mounted);
}

#[tokio::test]
async fn a_purge_without_room_fails_and_is_done_when_there_is_some() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mounted) = mount(folder.path(), "size=96m") else {
        return;
    };
    let data = folder.path().join("data");
    let mut store = on_disk::open(&data).unwrap();
    load(&mut store).unwrap();
    store.commit(&[put(0, &secret(1))]).unwrap();
    store.commit(&[put(0, &secret(2))]).unwrap();
    for _ in 0..2 {
        let end = purge(&mut store);
        assert!(!is_success(end).await, "it has too little room");
        assert!(holds(&data, &secret(1)));
        // The store goes on as if nothing had been asked.
        store.commit(&[put(1, &secret(3))]).unwrap();
        store.sync().unwrap();
    }
    let mut remount = Command::new("mount");
    remount.args(["-o", "remount,size=400m"]).arg(folder.path());
    assert!(remount.status().unwrap().success());
    let end = purge(&mut store);
    assert!(is_success(end).await);
    assert!(!holds(&data, &secret(1)) && holds(&data, &secret(2)));
    drop(store);
    let (found, _) = on_disk::open_and_load(&data).unwrap();
    let mut expected = Model::default();
    expected.apply(&[put(0, &secret(2)), put(1, &secret(3))]);
    assert_eq!(found, expected);
    drop(mounted);
}
