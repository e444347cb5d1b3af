//! Deaths and returns of servers that keep what they know on disk, and who publishes afterwards.

use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_gossip::timing::DEAD_GRACE;
use herd_replica::rank::rank;
use herd_replica::timing::{BACKLOG_RECORDS_MAX, GONE_AFTER};
use herd_storage::{CommitFault, Crash};
use tokio::time::sleep;

use super::harness::{Herd, eventually};
use super::network::Stretch;

const CLIENTS: usize = 200;

fn client(number: usize) -> String {
    format!("client{number}")
}

fn report_all(herd: &Herd, position: usize, time: u64) {
    for number in 0..CLIENTS {
        herd.server(position).report(&client(number), time);
    }
}

/// Nothing that any server was given is lost by a failure of power.
async fn all_synced(herd: &Herd) {
    for disk in herd.disks.iter().flatten() {
        eventually("everything is synced", || disk.unsynced_commits() == 0).await;
    }
}

/// The servers of `present`, the one that is to publish the client's record first.
fn by_rank<'a>(herd: &Herd, present: &[&'a str], number: usize) -> Vec<&'a str> {
    let servers = herd.names();
    let found = herd.running().find_map(|server| {
        let name = client(number);
        server.locations.find(name.as_bytes())
    });
    let record = found.unwrap();
    let mut present = present.to_vec();
    present.sort_by_key(|name| rank(name, &record, servers).unwrap());
    present
}

/// Of the servers of `present`, that of the lowest rank publishes each record, and no other.
async fn lowest_rank_publishes(herd: &Herd, present: &[&str]) {
    for number in 0..CLIENTS {
        let lowest = by_rank(herd, present, number)[0];
        let what = format!("of {present:?} {lowest} alone publishes {}", client(number));
        eventually(&what, || {
            let mut publishers = herd.publishers(&client(number));
            publishers.retain(|name| present.contains(name));
            publishers == [lowest]
        })
        .await;
    }
}

/// Whatever becomes of the disk after that: all that it was asked to keep was written long ago.
#[tokio::test(start_paused = true)]
async fn the_next_process_syncs_what_a_killed_one_had_not() {
    let mut herd = Herd::stopped(&["Hill"], &[]);
    herd.keep_on_disk(AckLevel::Memory);
    herd.restart(0);
    let disk = herd.disks[0].clone().unwrap();
    eventually("the store is open", || {
        herd.server(0).store.writer().is_some()
    })
    .await;
    herd.server(0).report("kiwi", 1);
    eventually("it is written", || disk.unsynced_commits() > 0).await;
    herd.crash(0, Crash::Process).await;
    assert!(disk.unsynced_commits() > 0);
    disk.fail_next_commits(1, CommitFault::Io);
    herd.restart(0);
    herd.all_hold(1).await;
    // Longer than any promise reaches back.
    sleep(Duration::from_secs(10)).await;
    assert_eq!(disk.unsynced_commits(), 0);
    herd.crash(0, Crash::Reorder { seed: 1 }).await;
    disk.fail_next_commits(0, CommitFault::Io);
    herd.restart(0);
    herd.all_hold(1).await;
}

#[tokio::test(start_paused = true)]
async fn all_restart_without_the_origin_and_an_empty_server_joins() {
    let names = [
        "Hill",
        "Jaquez",
        "Smith",
        "Campbell",
        "Singleton",
        "Guest",
        "Newcomer",
    ];
    let (guest, newcomer) = (5, 6);
    let five = [(0, 1), (0, 2), (1, 4), (2, 4), (3, 4), (2, 3)];
    let links = [&five[..], &[(0, guest), (3, newcomer)]].concat();
    let mut herd = Herd::stopped(&names, &links);
    herd.keep_on_disk(AckLevel::DiskAndPeer);
    for position in 0..=guest {
        herd.restart(position);
    }
    report_all(&herd, guest, 1);
    herd.all_hold(CLIENTS).await;
    all_synced(&herd).await;
    // The only server that publishes them goes with its disk, and so does all gossip about it.
    herd.crash(guest, Crash::Wipe).await;
    for position in 0..5 {
        let seed = position as u64;
        herd.crash(position, Crash::Reorder { seed }).await;
    }
    for position in 0..5 {
        herd.restart(position);
    }
    herd.all_hold(CLIENTS).await;
    lowest_rank_publishes(&herd, &names[..5]).await;
    herd.restart(newcomer);
    herd.all_hold(CLIENTS).await;
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_dies_while_compacting_loses_nothing() {
    for seed in 0..6 {
        let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
        herd.keep_on_disk(AckLevel::Disk);
        herd.start_all();
        herd.linked().await;
        let hill = herd.server(0);
        // Some 70 groups, and as many times more as fill all the room there is: of each a part lives on.
        let clients = 20_000;
        let last_report = |number: usize| {
            let left_out = [3, 5, 7].iter().position(|&nth| number.is_multiple_of(nth));
            left_out.map_or(4, |reports| reports as u64 + 1)
        };
        let disk = herd.disks[0].clone().unwrap();
        for report in 1..=4 {
            if report == 4 {
                // What is left of the groups is moved, as soon as its successors are synced.
                disk.set_latency(Duration::ZERO, Duration::from_millis(40));
            }
            for number in (0..clients).filter(|&number| last_report(number) >= report) {
                hill.report(&client(number), report);
            }
            assert!(hill.report_acknowledged("last", report).await);
        }
        // No client reports any more: what is written now are groups that compaction has made.
        eventually("a compaction is written, and not synced", || {
            disk.unsynced_commits() > 0
        })
        .await;
        let crash = match seed % 3 {
            0 => Crash::Process,
            1 => Crash::Tear { seed },
            _ => Crash::Reorder { seed },
        };
        herd.crash(0, crash).await;
        // Nobody is there whom it could learn from.
        herd.isolate(0, Stretch::Cut);
        herd.restart(0);
        let hill = herd.server(0);
        eventually("the store is read", || {
            !hill.locations.loading().is_running()
        })
        .await;
        for number in 0..clients {
            let expected = last_report(number).to_string();
            let found = hill.time_of(&client(number));
            assert_eq!(found, Some(expected), "{crash:?} {}", client(number));
        }
        herd.isolate(0, Stretch::Whole);
        herd.all_hold(clients + 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_rank_adopts_where_the_first_is_unreachable() {
    let mut herd = Herd::five();
    report_all(&herd, 0, 1);
    herd.all_hold(CLIENTS).await;
    let mut others = vec!["Jaquez", "Smith", "Campbell", "Singleton"];
    let first = |herd: &Herd, name| {
        let clients = 0..CLIENTS;
        clients
            .filter(|&number| by_rank(herd, &others, number)[0] == name)
            .count()
    };
    assert!(first(&herd, "Smith") > 0, "Smith is to adopt something");
    herd.isolate(2, Stretch::Silent);
    herd.stop(0).await;
    let reachable = ["Jaquez", "Campbell", "Singleton"];
    lowest_rank_publishes(&herd, &reachable).await;
    // It is back, having adopted everything by itself: of the two who publish, one gives up.
    herd.isolate(2, Stretch::Whole);
    others.sort_unstable();
    lowest_rank_publishes(&herd, &others).await;
    herd.all_hold(CLIENTS).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_adopters_after_a_partition_the_lower_rank_stays() {
    let mut herd = Herd::five();
    report_all(&herd, 2, 1);
    herd.all_hold(CLIENTS).await;
    // Without Smith one link joins {Hill, Jaquez} and {Singleton, Campbell}.
    herd.network.set("Jaquez", "Singleton", Stretch::Cut);
    herd.stop(2).await;
    lowest_rank_publishes(&herd, &["Hill", "Jaquez"]).await;
    lowest_rank_publishes(&herd, &["Campbell", "Singleton"]).await;
    for number in 0..CLIENTS {
        assert_eq!(herd.publishers(&client(number)).len(), 2);
    }
    herd.network.set("Jaquez", "Singleton", Stretch::Whole);
    lowest_rank_publishes(&herd, &["Hill", "Jaquez", "Campbell", "Singleton"]).await;
    herd.all_hold(CLIENTS).await;
}

#[tokio::test(start_paused = true)]
async fn an_origin_with_an_empty_disk_gets_its_records_back() {
    // Before anyone calls it gone, and long after others have adopted everything.
    for away in [Duration::from_secs(1), 4 * GONE_AFTER] {
        let mut herd = Herd::five_stopped();
        herd.keep_on_disk(AckLevel::Disk);
        herd.start_all();
        report_all(&herd, 0, 1);
        herd.all_hold(CLIENTS).await;
        herd.crash(0, Crash::Wipe).await;
        sleep(away).await;
        herd.restart(0);
        herd.all_hold(CLIENTS).await;
        for number in 0..CLIENTS {
            // Whoever has adopted a record keeps it: that its origin is back says nothing.
            let is_settled = |publishers: &[&str]| match away < GONE_AFTER {
                true => *publishers == ["Hill"],
                false => publishers.len() == 1 && *publishers != ["Hill"],
            };
            let what = format!("after {away:?} one server publishes {}", client(number));
            eventually(&what, || is_settled(&herd.publishers(&client(number)))).await;
        }
        // What the herd gave back is on its new disk, and nothing else is needed.
        all_synced(&herd).await;
        herd.isolate(0, Stretch::Cut);
        herd.crash(0, Crash::Tear { seed: 1 }).await;
        herd.restart(0);
        let hill = herd.server(0);
        eventually("Hill holds everything", || hill.locations.len() == CLIENTS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_buried_incarnation_that_returns_takes_nothing_back() {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::Disk);
    herd.start_all();
    report_all(&herd, 0, 1);
    herd.all_hold(CLIENTS).await;
    all_synced(&herd).await;
    let before = herd.server(0).links.incarnation();
    herd.crash(0, Crash::Process).await;
    for position in 1..5 {
        let server = herd.server(position);
        eventually("Hill is buried", || {
            server.figures.status().buried.contains(&before)
        })
        .await;
    }
    // Half of the clients have moved on meanwhile.
    for number in 0..CLIENTS / 2 {
        herd.server(4).report(&client(number), 2);
    }
    herd.restart(0);
    for server in herd.running() {
        for number in 0..CLIENTS {
            let expected = if number < CLIENTS / 2 { "2" } else { "1" };
            let what = format!("{} knows {} at {expected}", server.name, client(number));
            eventually(&what, || {
                server.time_of(&client(number)).as_deref() == Some(expected)
            })
            .await;
        }
    }
    // And each is published once, by the server that heard it.
    for number in 0..CLIENTS {
        let origin = if number < CLIENTS / 2 {
            "Singleton"
        } else {
            "Hill"
        };
        let what = format!("{origin} alone publishes {}", client(number));
        eventually(&what, || herd.publishers(&client(number)) == [origin]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_joins_after_the_dead_grace_gets_everything() {
    let mut herd = Herd::start(&["Hill", "Smith", "Jaquez"], &[(0, 1), (1, 2)]);
    herd.stop(2).await;
    report_all(&herd, 0, 1);
    for position in [0, 1] {
        let server = herd.server(position);
        eventually("it holds all", || server.locations.len() == CLIENTS).await;
    }
    herd.stop(0).await;
    sleep(DEAD_GRACE + DEAD_GRACE / 4).await;
    let status = herd.server(1).figures.status();
    assert!(
        status.members.is_empty(),
        "gossip has forgotten the dead: {status:?}"
    );
    herd.restart(2);
    herd.all_hold(CLIENTS).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_takes_up_all_of_its_earlier_life_part_by_part() {
    let clients = 8 * BACKLOG_RECORDS_MAX;
    let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
    herd.keep_on_disk(AckLevel::Disk);
    herd.start_all();
    for number in 0..clients {
        herd.server(0).report(&client(number), 1);
    }
    herd.all_hold(clients).await;
    all_synced(&herd).await;
    herd.crash(0, Crash::Process).await;
    herd.restart(0);
    let hill = herd.server(0);
    eventually("the first part is published", || {
        hill.figures.slots().live_records > 0
    })
    .await;
    assert!(hill.figures.slots().live_records <= BACKLOG_RECORDS_MAX);
    assert!(hill.report_acknowledged("new", 1).await);
    eventually("all is published", || {
        hill.figures.slots().live_records == clients + 1
    })
    .await;
    // And nothing hangs on the earlier life any more: what it stored is forgotten, and its copies buried.
    let smith = herd.server(1);
    eventually("the earlier life is buried", || {
        !smith.figures.status().buried.is_empty()
    })
    .await;
    all_synced(&herd).await;
    herd.isolate(0, Stretch::Cut);
    herd.crash(0, Crash::Tear { seed: 1 }).await;
    herd.restart(0);
    let hill = herd.server(0);
    eventually("all is on its disk", || hill.locations.len() == clients + 1).await;
}
