//! The writer with its two drivers, over modelled disks.

use std::time::Duration;

use bytes::Bytes;
use herd_crdt::SlotId;
use parking_lot::Mutex;

use super::*;
use crate::{CommitFault, Crash, LoadReport, ModelledDisk, StoreError, StoredGroup, Write};
use herd_topology::Incarnation;

const DEADLINE: Duration = Duration::from_secs(30);

fn put(slot: u32, text: &str) -> Write {
    Write::Put {
        incarnation: Incarnation {
            server: "Hill".into(),
            generation: 1,
        },
        slot: SlotId(slot),
        version: 0,
        group: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn loaded(disk: &ModelledDisk) -> ModelledStore {
    let mut store = disk.open();
    store.load(&mut |_| {}).unwrap();
    store
}

/// The texts of the groups, by slot.
fn texts(disk: &ModelledDisk) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let mut each = |stored: StoredGroup| {
        let text = String::from_utf8(stored.group.to_vec()).unwrap();
        found.push((stored.slot.0, text));
    };
    disk.open().load(&mut each).unwrap();
    found
}

async fn until_synced(writer: &StorageWriter, ticket: Ticket) -> SyncState {
    let mut state = writer.synced();
    let reached = state.wait_for(|state| state.synced >= ticket || state.failure.is_some());
    let reached = tokio::time::timeout(DEADLINE, reached).await;
    reached.unwrap().unwrap().clone()
}

#[tokio::test]
async fn an_impossible_write_is_left_out_and_ends_nothing() {
    let disk = ModelledDisk::new();
    let store = Box::new(loaded(&disk));
    let (writer, thread) =
        StorageWriter::spawn(store, SyncPolicy::EachCommit, Box::new(())).unwrap();
    let nameless = Write::Put {
        incarnation: Incarnation {
            server: "".into(),
            generation: 1,
        },
        slot: SlotId(7),
        version: 0,
        group: Bytes::new(),
    };
    let ticket = writer
        .write(vec![put(0, "a"), nameless, put(1, "b")])
        .unwrap();
    assert!(until_synced(&writer, ticket).await.failure.is_none());
    assert_eq!(writer.figures().left_out, 1);
    thread.close(DEADLINE).await.unwrap();
    assert_eq!(texts(&disk), [(0, "a".to_owned()), (1, "b".to_owned())]);
}

#[tokio::test]
async fn the_thread_syncs_all_writes_and_closes_in_good_order() {
    let disk = ModelledDisk::new();
    let store = Box::new(loaded(&disk));
    let (writer, thread) =
        StorageWriter::spawn(store, SyncPolicy::EachCommit, Box::new(())).unwrap();
    let ticket = writer.write(vec![put(0, "a"), put(1, "b")]).unwrap();
    assert!(until_synced(&writer, ticket).await.failure.is_none());
    let last = writer.write(vec![put(0, "c")]).unwrap();
    let state = thread.close(DEADLINE).await.unwrap();
    assert_eq!((state.committed, state.synced), (last, last));
    let refused = writer.write(vec![put(0, "d")]).unwrap_err();
    assert!(matches!(refused, WriteRefused::Closed(_)), "{refused}");
    disk.crash(Crash::Tear { seed: 1 });
    assert_eq!(texts(&disk), [(0, "c".to_owned()), (1, "b".to_owned())]);
    let figures = writer.figures();
    assert_eq!((figures.commits, figures.group_bytes), (2, 3));
    assert_eq!(figures.syncs, 2);
}

/// A store that panics when it is told to commit.
struct Panicking;

impl Store for Panicking {
    fn load(&mut self, _: &mut dyn FnMut(StoredGroup)) -> Result<LoadReport, StoreError> {
        Ok(LoadReport::default())
    }

    fn commit(&mut self, _: &[Write]) -> Result<(), StoreError> {
        panic!("a store that panics, on purpose")
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn the_owner_learns_of_a_thread_that_died() {
    let store = Box::new(Panicking);
    let (writer, thread) =
        StorageWriter::spawn(store, SyncPolicy::EachCommit, Box::new(())).unwrap();
    let ticket = writer.write(vec![put(0, "a")]).unwrap();
    let state = until_synced(&writer, ticket).await;
    assert!(matches!(
        state.failure.as_deref(),
        Some(StoreError::WriterEnded)
    ));
    assert_eq!(state.synced, Ticket(0));
    let closed = thread.close(DEADLINE).await;
    assert!(matches!(closed, Err(CloseError::Failed(_))), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn while_a_sync_runs_writes_gather_into_one_commit() {
    let disk = ModelledDisk::new();
    disk.set_latency(Duration::ZERO, Duration::from_millis(5));
    let policy = SyncPolicy::EachCommit;
    let (writer, _task) = StorageWriter::spawn_on_runtime(loaded(&disk), policy, Box::new(()));
    // That of the start is over by then.
    tokio::time::sleep(Duration::from_millis(10)).await;
    writer.write(vec![put(0, "first")]).unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    for slot in 1..=100 {
        writer.write(vec![put(slot, "more")]).unwrap();
    }
    let state = until_synced(&writer, writer.last_ticket()).await;
    assert_eq!(state.synced, Ticket(101));
    let figures = writer.figures();
    assert_eq!((figures.commits, figures.syncs), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_crash_costs_the_writes_of_one_interval() {
    let disk = ModelledDisk::new();
    let every = SyncPolicy::Every(Duration::from_secs(1));
    let (writer, task) = StorageWriter::spawn_on_runtime(loaded(&disk), every, Box::new(()));
    let first = writer.write(vec![put(0, "synced")]).unwrap();
    until_synced(&writer, first).await;
    let second = writer.write(vec![put(1, "committed")]).unwrap();
    tokio::time::sleep(2 * COMMIT_GAP).await;
    let state = writer.synced().borrow().clone();
    assert_eq!((state.committed, state.synced), (second, first));
    writer.write(vec![put(2, "queued")]).unwrap();
    task.abort();
    disk.crash(Crash::Process);
    let survived = texts(&disk);
    assert_eq!(
        survived,
        [(0, "synced".to_owned()), (1, "committed".to_owned())]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stalled_disk_delays_nobody_and_gets_the_last_write() {
    let disk = ModelledDisk::new();
    disk.stall();
    let limits = QueueLimits {
        bytes_max: 1_000_000,
        writes_max: 4,
    };
    let policy = SyncPolicy::EachCommit;
    let (writer, _task) =
        StorageWriter::spawn_on_runtime_with_limits(loaded(&disk), policy, limits);
    for round in 0..100 {
        for slot in 0..4 {
            writer.write(vec![put(slot, &round.to_string())]).unwrap();
        }
    }
    assert!(writer.figures().queue_writes <= 4 + 3 * 4);
    assert_eq!(writer.synced().borrow().synced, Ticket(0));
    disk.release();
    until_synced(&writer, writer.last_ticket()).await;
    let last = (0..4).map(|slot| (slot, "99".to_owned()));
    assert_eq!(texts(&disk), last.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_failure_stays() {
    for (full, fault) in [(true, CommitFault::Full), (false, CommitFault::Io)] {
        let disk = ModelledDisk::new();
        let policy = SyncPolicy::EachCommit;
        let (writer, task) = StorageWriter::spawn_on_runtime(loaded(&disk), policy, Box::new(()));
        let good = writer.write(vec![put(0, "good")]).unwrap();
        until_synced(&writer, good).await;
        disk.fail_next_commits(1, fault);
        writer.write(vec![put(0, "bad")]).unwrap();
        let state = until_synced(&writer, writer.last_ticket()).await;
        let failure = state.failure.unwrap();
        assert_eq!(failure.is_full(), full, "{failure}");
        assert_eq!((state.committed, state.synced), (good, good));
        let refused = writer.write(vec![put(0, "later")]).unwrap_err();
        assert!(matches!(refused, WriteRefused::Failed(_)), "{refused}");
        assert!(task.close(DEADLINE).await.is_err());
        assert_eq!(texts(&disk), [(0, "good".to_owned())]);
    }
}

/// The calls of an observer, in order: tickets, and failures as `None`.
#[derive(Clone, Default)]
struct ToldTickets(Arc<Mutex<Vec<Option<Ticket>>>>);

impl StoreObserver for ToldTickets {
    fn synced(&self, through: Ticket) {
        self.0.lock().push(Some(through));
    }

    fn failed(&self, _failure: &Arc<StoreError>) {
        self.0.lock().push(None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_of_each_sync_and_of_one_failure() {
    let disk = ModelledDisk::new();
    let told = ToldTickets::default();
    let observer = Box::new(told.clone());
    let policy = SyncPolicy::EachCommit;
    let (writer, task) = StorageWriter::spawn_on_runtime(loaded(&disk), policy, observer);
    let first = writer.write(vec![put(0, "a")]).unwrap();
    until_synced(&writer, first).await;
    let second = writer.write(vec![put(0, "b")]).unwrap();
    until_synced(&writer, second).await;
    assert_eq!(*told.0.lock(), [Some(first), Some(second)]);
    disk.fail_sync();
    let third = writer.write(vec![put(0, "c")]).unwrap();
    until_synced(&writer, third).await;
    assert!(task.close(DEADLINE).await.is_err());
    assert_eq!(*told.0.lock(), [Some(first), Some(second), None]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_sync_is_never_made_good_by_a_later_one() {
    let disk = ModelledDisk::new();
    let policy = SyncPolicy::EachCommit;
    let (writer, _task) = StorageWriter::spawn_on_runtime(loaded(&disk), policy, Box::new(()));
    let first = writer.write(vec![put(0, "a")]).unwrap();
    until_synced(&writer, first).await;
    disk.fail_sync();
    let ticket = writer.write(vec![put(0, "b")]).unwrap();
    let state = until_synced(&writer, ticket).await;
    assert_eq!((state.committed, state.synced), (ticket, first));
    let failure = state.failure.unwrap();
    assert!(matches!(*failure, StoreError::SyncFailed { .. }));
    let again = disk.open().load(&mut |_| {}).unwrap_err();
    assert!(again.is_damage(), "{again}");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_cannot_sync_old_writes_takes_nothing() {
    let disk = ModelledDisk::new();
    disk.fail_sync();
    let policy = SyncPolicy::EachCommit;
    let (writer, _task) = StorageWriter::spawn_on_runtime(loaded(&disk), policy, Box::new(()));
    let ticket = writer.write(vec![put(0, "a")]).unwrap();
    let state = until_synced(&writer, ticket).await;
    assert_eq!(state.committed, Ticket(0));
    let failure = state.failure.unwrap();
    assert!(matches!(*failure, StoreError::SyncFailed { .. }));
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_ever() {
    let disk = ModelledDisk::new();
    disk.stall();
    let policy = SyncPolicy::EachCommit;
    let (writer, task) = StorageWriter::spawn_on_runtime(loaded(&disk), policy, Box::new(()));
    writer.write(vec![put(0, "a")]).unwrap();
    let error = task.close(Duration::from_millis(1_500)).await.unwrap_err();
    let expected = "the store did not finish within 1500 ms: the disk is slow, and writes 1 to 1 are not synced";
    assert_eq!(error.to_string(), expected);
}
