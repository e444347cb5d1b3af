//! Clients that are forgotten: at one server, and so in the whole herd, for good.

use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_clock::clock::WallClock as _;
use herd_crdt::group::GroupFormat;
use herd_crdt::{Outcome, Record, TOMBSTONE_SLACK_NS};
use herd_locations::TombstonesRead;
use herd_storage::{Crash, ModelledDisk};

use super::harness::{Herd, Server, eventually};
use super::network::Stretch;

const SMITH: usize = 2;

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Waits until all running servers hold the tombstone of this client.
async fn all_have_forgotten(herd: &Herd, client: &str) {
    for server in herd.running() {
        let what = format!("{} has forgotten {client}", server.name);
        eventually(&what, || {
            let held = server.locations.held(client.as_bytes());
            held.is_some_and(|held| held.is_tombstone())
        })
        .await;
        assert!(server.locations.find(client.as_bytes()).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_forgotten_on_both_sides_of_a_cut() {
    let herd = Herd::five();
    herd.linked().await;
    herd.server(0).report("kiwi", 1);
    herd.all_hold(1).await;
    herd.isolate(0, Stretch::Cut);
    // It goes on to report there, and is forgotten here, where that is not known.
    herd.server(0).report("kiwi", 2);
    herd.server(1).forget("kiwi", 3_000_000_000);
    herd.server(1).forget("unseen", 3_000_000_000);
    pass(30 * 60).await;
    assert_eq!(herd.server(0).time_of("kiwi").unwrap(), "2");
    assert!(herd.server(4).time_of("kiwi").is_none());
    herd.isolate(0, Stretch::Whole);
    herd.linked().await;
    all_have_forgotten(&herd, "kiwi").await;
    all_have_forgotten(&herd, "unseen").await;
    // An earlier report changes nothing, a later one does.
    herd.server(0).report("kiwi", 2);
    herd.server(0).report("kiwi", 4);
    for server in herd.running() {
        eventually("it is known again", || {
            server.time_of("kiwi") == Some("4".to_owned())
        })
        .await;
        assert_eq!(server.locations.tombstones(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_report_and_a_tombstone_of_one_time_the_tombstone_wins() {
    let herd = Herd::five();
    herd.linked().await;
    // At different servers, at the same nanosecond, in both orders; and the server with the greater name is not asked.
    for (client, first, second) in [("kiwi", 0, 2), ("emu", 2, 0)] {
        let report = |server: &Server| server.report(client, 5);
        let forget = |server: &Server| server.forget(client, 5_000_000_000);
        report(herd.server(first));
        forget(herd.server(second));
        all_have_forgotten(&herd, client).await;
        pass(5).await;
        all_have_forgotten(&herd, client).await;
        let outcome = {
            let server = herd.server(first);
            let record = super::harness::record(&server.name, client, 5);
            server.locations.report(record)
        };
        assert_eq!(outcome, Outcome::TieLost);
    }
    // Two tombstones of one time: the one of the greater server, on all servers.
    herd.server(0).forget("moa", 7);
    herd.server(4).forget("moa", 7);
    for server in herd.running() {
        eventually("all have Singleton's", || {
            let held = server.locations.held(b"moa");
            held.is_some_and(|held| **held.server() == *"Singleton")
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_copy_of_a_disk_revives_nobody() {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::DiskAndPeer);
    herd.start_all();
    herd.linked().await;
    for position in 0..5 {
        let server = herd.server(position);
        assert!(
            server
                .report_acknowledged(&format!("of{position}"), 1)
                .await
        );
    }
    herd.all_hold(5).await;
    pass(5).await;
    let copies: Vec<ModelledDisk> = herd
        .disks
        .iter()
        .flatten()
        .map(ModelledDisk::copied)
        .collect();
    for position in 0..5 {
        assert!(
            herd.server(1)
                .forget_acknowledged(&format!("of{position}"))
                .await
        );
    }
    for client in 0..5 {
        all_have_forgotten(&herd, &format!("of{client}")).await;
    }
    pass(60).await;
    // All but Jaquez go back to their old disks, one after the other.
    for position in [0, 2, 3, 4] {
        herd.crash(position, Crash::Wipe).await;
        herd.disks[position] = Some(copies[position].copied());
        herd.restart(position);
        herd.linked().await;
        for client in 0..5 {
            all_have_forgotten(&herd, &format!("of{client}")).await;
        }
    }
    pass(120).await;
    for server in herd.running() {
        assert_eq!(
            (server.locations.len(), server.locations.tombstones()),
            (0, 5)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_outlives_the_server_that_heard_of_it() {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::Peer);
    herd.start_all();
    herd.linked().await;
    herd.server(3).report("kiwi", 1);
    herd.all_hold(1).await;
    assert!(herd.server(0).forget_acknowledged("kiwi").await);
    herd.crash(0, Crash::Wipe).await;
    pass(120).await;
    // Nobody who starts again has it from anybody but a server that adopted it.
    for position in [1, 2, 3, 4] {
        herd.crash(position, Crash::Wipe).await;
        herd.restart(position);
        herd.linked().await;
        all_have_forgotten(&herd, "kiwi").await;
    }
    pass(120).await;
    assert_eq!(herd.publishers("kiwi").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_forgets_while_a_server_cannot_read_of_it() {
    let mut herd = Herd::five_stopped();
    herd.formats[SMITH] = GroupFormat::before_tombstones();
    herd.start_all();
    // Not even before anything is known of Smith.
    for _ in 0..1_000 {
        for server in herd.running() {
            let read = server.locations.tombstones_read();
            assert_ne!(read, TombstonesRead::ByAll, "at {}", server.name);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    herd.linked().await;
    for server in herd.running() {
        let what = format!("{} knows that Smith is old", server.name);
        eventually(&what, || {
            server.locations.tombstones_read() == TombstonesRead::NotBy("Smith".into())
        })
        .await;
    }
    herd.upgrade(SMITH, GroupFormat::PRESENT).await;
    herd.linked().await;
    for server in herd.running() {
        let what = format!("{} may forget", server.name);
        eventually(&what, || {
            server.locations.tombstones_read() == TombstonesRead::ByAll
        })
        .await;
    }
    // An old server that is down keeps nobody from it; it learns of it with its upgrade.
    herd.server(0).report("kiwi", 1);
    herd.all_hold(1).await;
    herd.stop(SMITH).await;
    pass(30).await;
    herd.server(0).forget("kiwi", 2);
    herd.server(0).report("emu", 1);
    pass(5).await;
    herd.formats[SMITH] = GroupFormat::before_tombstones();
    herd.restart(SMITH);
    herd.linked().await;
    let smith = herd.server(SMITH);
    eventually("Smith reads everything else", || {
        smith.time_of("emu").is_some()
    })
    .await;
    assert_eq!(smith.locations.tombstones(), 0);
    herd.upgrade(SMITH, GroupFormat::PRESENT).await;
    herd.linked().await;
    all_have_forgotten(&herd, "kiwi").await;
}

#[tokio::test(start_paused = true)]
async fn tombstones_go_some_time_after_the_floor_has_passed_them() {
    let mut herd = Herd::stopped(&["Hill", "Jaquez"], &[(0, 1)]);
    herd.expire_after = Some(Duration::from_secs(1_800));
    herd.start_all();
    herd.linked().await;
    let now_s = |herd: &Herd| herd.clocks[0].true_s();
    herd.server(0).report("kiwi", now_s(&herd));
    herd.all_hold(1).await;
    herd.server(1).forget("kiwi", herd.clocks[1].now_ns());
    all_have_forgotten(&herd, "kiwi").await;
    // Somebody reports, so that time is borne out.
    let slack_s = u64::try_from(TOMBSTONE_SLACK_NS).unwrap() / 1_000_000_000;
    for _ in 0..(1_800 + slack_s - 120) / 60 {
        pass(60).await;
        herd.server(0).report("emu", now_s(&herd));
    }
    for server in herd.running() {
        assert_eq!(server.locations.tombstones(), 1, "{}", server.name);
    }
    for _ in 0..6 {
        pass(60).await;
        herd.server(0).report("emu", now_s(&herd));
    }
    for server in herd.running() {
        assert_eq!(server.locations.tombstones(), 0, "{}", server.name);
    }
}

/// How many groups on a disk hold a location of this client, overwritten ones too.
fn stored_locations(disk: &ModelledDisk, client: &str) -> usize {
    stored_until(disk, client, i64::MAX)
}

/// The same of locations up to a time.
fn stored_until(disk: &ModelledDisk, client: &str, time_ns: i64) -> usize {
    let holds_any = |group: &[u8]| {
        let records: Vec<Record> = GroupFormat::PRESENT.decode(group).unwrap();
        let mut records = records.iter();
        records.any(|record| {
            !record.is_tombstone()
                && record.client() == client.as_bytes()
                && record.time().ns() <= time_ns
        })
    };
    let groups = disk.all_groups();
    groups.iter().filter(|group| holds_any(group)).count()
}

#[tokio::test(start_paused = true)]
async fn locations_of_a_forgotten_client_leave_gossip_and_disks() {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::Memory);
    herd.start_all();
    herd.linked().await;
    // Everywhere, beside others that live on.
    for time in 1..4 {
        for position in 0..5 {
            let server = herd.server(position);
            server.report("kiwi", time * 10 + position as u64);
            for number in 0..5 {
                server.report(&format!("{number}-{time}-{position}"), time);
            }
            pass(2).await;
        }
    }
    herd.all_hold(1 + 75).await;
    pass(5).await;
    let disks: Vec<ModelledDisk> = herd.disks.iter().flatten().cloned().collect();
    assert!(disks.iter().all(|disk| stored_locations(disk, "kiwi") > 0));
    herd.server(3).forget("kiwi", 100);
    all_have_forgotten(&herd, "kiwi").await;
    pass(600).await;
    for (disk, name) in disks.iter().zip(herd.names()) {
        assert_eq!(stored_locations(disk, "kiwi"), 0, "on the disk of {name}");
        assert!(stored_locations(disk, "0-1-1") > 0, "on the disk of {name}");
    }
    // A server that cannot read of it sees what is left in gossip.
    herd.crash(0, Crash::Wipe).await;
    herd.formats[0] = GroupFormat::before_tombstones();
    herd.disks[0] = None;
    herd.restart(0);
    herd.linked().await;
    let witness = herd.server(0);
    eventually("it has learnt all others", || witness.locations.len() >= 75).await;
    pass(10).await;
    assert_eq!(witness.time_of("kiwi"), None, "gossip still holds it");
}

#[tokio::test(start_paused = true)]
async fn a_later_report_keeps_no_earlier_location() {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::Memory);
    herd.start_all();
    herd.linked().await;
    // In one group with others that live on.
    for client in ["kiwi", "emu", "moa", "rhea", "weka"] {
        herd.server(4).report(client, 1);
    }
    herd.all_hold(5).await;
    pass(5).await;
    herd.isolate(4, Stretch::Cut);
    herd.server(4).report("kiwi", 9);
    // The tombstone of emu keeps that of kiwi in gossip.
    for client in ["kiwi", "emu"] {
        herd.server(1).forget(client, 5_000_000_000);
    }
    pass(5).await;
    herd.isolate(4, Stretch::Whole);
    herd.linked().await;
    for server in herd.running() {
        eventually("the later report has won", || {
            server.time_of("kiwi") == Some("9".to_owned())
        })
        .await;
    }
    pass(600).await;
    let disks = herd.disks.iter().flatten();
    for (disk, name) in disks.zip(herd.names()) {
        assert_eq!(stored_until(disk, "kiwi", 5_000_000_000), 0, "{name}");
        assert!(stored_locations(disk, "kiwi") > 0, "{name}");
        assert!(stored_locations(disk, "moa") > 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_server_brings_back_leaves_all_disks_again() {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::Memory);
    herd.start_all();
    herd.linked().await;
    for client in ["kiwi", "emu"] {
        herd.server(4).report(client, 1);
    }
    herd.all_hold(2).await;
    pass(5).await;
    herd.crash(4, Crash::Process).await;
    herd.server(0).forget("kiwi", 5_000_000_000);
    // Until Singleton's copy is buried, and all the others have erased everything.
    pass(1_800).await;
    let disks: Vec<ModelledDisk> = herd.disks.iter().flatten().cloned().collect();
    for disk in &disks[..4] {
        assert_eq!(stored_locations(disk, "kiwi"), 0);
    }
    // It has no neighbour at first: what its disk has is published before it hears of the tombstone.
    herd.isolate(4, Stretch::Cut);
    herd.restart(4);
    pass(5).await;
    assert!(herd.server(4).time_of("kiwi").is_some());
    herd.isolate(4, Stretch::Whole);
    herd.linked().await;
    all_have_forgotten(&herd, "kiwi").await;
    pass(600).await;
    for (disk, name) in disks.iter().zip(herd.names()) {
        assert_eq!(stored_locations(disk, "kiwi"), 0, "on the disk of {name}");
        assert!(stored_locations(disk, "emu") > 0, "on the disk of {name}");
    }
}
