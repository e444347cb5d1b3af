//! Disks that hang when a server starts.

use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_replication::storing::StorageState;
use herd_replication::timing::{
    FIRST_HANDSHAKES_WAIT, HANDOVER_MAX, STORE_QUIET_MAX, STORE_READ_STOPPING_MAX,
};
use herd_storage::Crash;
use tokio::time::{Instant, sleep};

use super::harness::{Herd, eventually};

const CLIENTS: usize = 300;

fn client(number: usize) -> String {
    format!("client{number}")
}

fn is_loading(herd: &Herd, position: usize) -> bool {
    let storage = herd.server(position).store.state();
    matches!(&*storage.borrow(), StorageState::Loading)
}

/// Hill and Smith, both with what Hill heard on their disks, and Hill is killed.
async fn herd_without_hill(ack: AckLevel) -> Herd {
    let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
    herd.keep_on_disk(ack);
    herd.start_all();
    herd.linked().await;
    for number in 0..CLIENTS {
        herd.server(0).report(&client(number), 1);
    }
    herd.all_hold(CLIENTS).await;
    // Where no reply waits for it, it goes to the disk a moment later.
    sleep(Duration::from_secs(5)).await;
    for disk in herd.disks.iter().flatten() {
        eventually("everything is synced", || disk.unsynced_commits() == 0).await;
    }
    herd.crash(0, Crash::Process).await;
    herd
}

#[tokio::test(start_paused = true)]
async fn a_hanging_disk_delays_neither_gossip_nor_the_stop() {
    // It hangs when the store is opened, or in the middle of reading.
    for groups_before in [None, Some(1)] {
        let mut herd = herd_without_hill(AckLevel::Memory).await;
        let disk = herd.disks[0].clone().unwrap();
        if let Some(groups) = groups_before {
            disk.stall_loads_after(groups);
        }
        disk.stall();
        let start = Instant::now();
        herd.restart(0);
        herd.server(0).report("kiwi", 7);
        eventually("Smith has it", || herd.server(1).time_of("kiwi").is_some()).await;
        assert!(start.elapsed() < STORE_QUIET_MAX + Duration::from_secs(2));
        assert!(is_loading(&herd, 0));
        // What comes last is handed over, and nothing waits for the disk.
        herd.server(0).report("emu", 7);
        let start = Instant::now();
        herd.stop(0).await;
        assert!(start.elapsed() <= HANDOVER_MAX, "{:?}", start.elapsed());
        assert!(herd.server(1).time_of("emu").is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_with_a_hanging_disk_hands_over_at_its_stop() {
    let mut herd = herd_without_hill(AckLevel::Memory).await;
    herd.disks[0].as_ref().unwrap().stall();
    let start = Instant::now();
    herd.restart(0);
    herd.server(0).report("kiwi", 7);
    herd.stop(0).await;
    let longest = FIRST_HANDSHAKES_WAIT + STORE_READ_STOPPING_MAX + HANDOVER_MAX;
    assert!(start.elapsed() <= longest, "{:?}", start.elapsed());
    assert!(herd.server(1).time_of("kiwi").is_some());
}

#[tokio::test(start_paused = true)]
async fn when_the_disk_answers_at_last_all_of_it_counts() {
    let mut herd = herd_without_hill(AckLevel::Disk).await;
    let disk = herd.disks[0].clone().unwrap();
    disk.stall();
    herd.restart(0);
    let hill = herd.server(0);
    assert!(
        !hill.report_acknowledged("kiwi", 7).await,
        "refused in time"
    );
    eventually("Smith has it", || herd.server(1).time_of("kiwi").is_some()).await;
    let before = hill.links.incarnation().generation;
    disk.release();
    eventually("the store is read", || !is_loading(&herd, 0)).await;
    assert!(hill.report_acknowledged("emu", 7).await);
    assert!(hill.links.incarnation().generation > before);
    herd.all_hold(CLIENTS + 2).await;
    // What was heard meanwhile is on the disk too.
    herd.crash(0, Crash::Reorder { seed: 1 }).await;
    herd.crash(1, Crash::Wipe).await;
    herd.restart(0);
    herd.all_hold(CLIENTS + 2).await;
    assert_eq!(herd.server(0).time_of("kiwi").as_deref(), Some("7"));
}

#[tokio::test(start_paused = true)]
async fn no_generation_is_taken_without_disk_and_neighbours() {
    let mut herd = herd_without_hill(AckLevel::Memory).await;
    let disk = herd.disks[0].clone().unwrap();
    let known = herd.server(1).links.known_generation("Hill");
    assert!(known > 0);
    herd.stop(1).await;
    // Nothing that the clock says is later than what was used.
    herd.clocks[0].set_ahead(-40 * 365 * 24 * 3_600);
    disk.stall();
    herd.restart(0);
    herd.server(0).report("kiwi", 7);
    sleep(Duration::from_secs(60)).await;
    let slots = herd.server(0).figures.slots();
    assert_eq!(slots.version, 0, "nothing is published");
    // Smith knows from its own disk, or nobody does; Hill's disk does in any case.
    herd.restart(1);
    eventually("Smith has it", || herd.server(1).time_of("kiwi").is_some()).await;
    disk.release();
    eventually("the store is read", || !is_loading(&herd, 0)).await;
    eventually("it takes a later one", || {
        herd.server(0).links.incarnation().generation > known
    })
    .await;
    herd.all_hold(CLIENTS + 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_alone_on_a_disk_that_hangs_serves_and_stops() {
    let mut herd = Herd::stopped(&["Hill"], &[]);
    herd.keep_on_disk(AckLevel::Disk);
    let disk = herd.disks[0].clone().unwrap();
    disk.stall();
    herd.restart(0);
    assert!(!herd.server(0).report_acknowledged("kiwi", 1).await);
    let start = Instant::now();
    herd.stop(0).await;
    assert!(start.elapsed() <= STORE_READ_STOPPING_MAX + HANDOVER_MAX);
    herd.restart(0);
    sleep(Duration::from_secs(100)).await;
    herd.server(0).report("emu", 1);
    disk.release();
    eventually("the store is read", || !is_loading(&herd, 0)).await;
    assert!(herd.server(0).report_acknowledged("kiwi", 1).await);
    herd.crash(0, Crash::Reorder { seed: 1 }).await;
    herd.restart(0);
    herd.all_hold(2).await;
}
