//! Stores that fail for want of room, and come back when there is some.

use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_replication::storing::StorageState;
use herd_storage::{CommitFault, Crash};
use tokio::time::sleep;

use super::harness::{Herd, Server, eventually};

/// Clients of each server and kind.
const CLIENTS: usize = 100;

fn two(ack: AckLevel) -> Herd {
    let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
    herd.keep_on_disk(ack);
    herd.start_all();
    herd
}

fn report_all(herd: &Herd, kind: &str, time: u64) {
    for server in herd.running() {
        for number in 0..CLIENTS {
            server.report(&format!("{kind}{number}-{}", server.name), time);
        }
    }
}

fn has_failed(server: &Server) -> bool {
    matches!(&*server.store.state().borrow(), StorageState::Failed(_))
}

fn is_open(server: &Server) -> bool {
    matches!(&*server.store.state().borrow(), StorageState::Open)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_had_no_room_has_everything_when_it_is_back() {
    for ack in [AckLevel::Disk, AckLevel::Memory] {
        let mut herd = two(ack);
        herd.linked().await;
        report_all(&herd, "before", 1);
        herd.all_hold(2 * CLIENTS).await;
        let disk = herd.disks[0].clone().unwrap();
        disk.fail_next_commits(20, CommitFault::Full);
        herd.server(0).report("full", 1);
        eventually("the store fails", || has_failed(herd.server(0))).await;
        // Heard here and there while the disk is full, in place of what was before, too.
        report_all(&herd, "during", 1);
        report_all(&herd, "before", 2);
        herd.all_hold(4 * CLIENTS + 1).await;
        if ack == AckLevel::Disk {
            assert!(!herd.server(0).report_acknowledged("full", 2).await);
        }
        assert!(
            has_failed(herd.server(0)),
            "it is tried again, and fails again"
        );
        disk.fail_next_commits(0, CommitFault::Full);
        eventually("the store is back", || is_open(herd.server(0))).await;
        // The first promise of the disk holds for everything.
        if ack == AckLevel::Disk {
            eventually_acknowledged(herd.server(0), "after").await;
        } else {
            herd.server(0).report("after", 1);
            sleep(Duration::from_secs(3)).await;
        }
        herd.crash(1, Crash::Wipe).await;
        herd.crash(0, Crash::Tear { seed: 1 }).await;
        herd.restart(0);
        herd.all_hold(4 * CLIENTS + 2).await;
        for number in 0..CLIENTS {
            for name in ["Hill", "Smith"] {
                let time = herd.server(0).time_of(&format!("before{number}-{name}"));
                assert_eq!(time.as_deref(), Some("2"), "{ack} {number} {name}");
            }
        }
    }
}

async fn eventually_acknowledged(server: &Server, client: &str) {
    for time in 1..100 {
        if server.report_acknowledged(client, time).await {
            return;
        }
    }
    panic!("nothing is promised any more");
}

#[tokio::test(start_paused = true)]
async fn one_publisher_remains_after_a_store_came_back() {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::Memory);
    herd.start_all();
    herd.linked().await;
    report_all(&herd, "c", 1);
    herd.all_hold(5 * CLIENTS).await;
    let disk = herd.disks[2].clone().unwrap();
    disk.fail_next_commits(1, CommitFault::Full);
    herd.server(2).report("full", 1);
    eventually("the store fails", || has_failed(herd.server(2))).await;
    eventually("the store is back", || is_open(herd.server(2))).await;
    for server in herd.running() {
        for number in 0..CLIENTS {
            let client = format!("c{number}-{}", server.name);
            eventually("one publishes it", || herd.publishers(&client).len() == 1).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_with_another_fault_stays_failed() {
    for sync in [false, true] {
        let herd = two(AckLevel::Disk);
        herd.linked().await;
        assert!(herd.server(0).report_acknowledged("kiwi", 1).await);
        let disk = herd.disks[0].clone().unwrap();
        if sync {
            disk.fail_sync();
        } else {
            disk.fail_next_commits(1, CommitFault::Io);
        }
        assert!(!herd.server(0).report_acknowledged("kiwi", 2).await);
        sleep(Duration::from_secs(600)).await;
        assert!(has_failed(herd.server(0)));
        assert!(!herd.server(0).report_acknowledged("kiwi", 3).await);
    }
}
