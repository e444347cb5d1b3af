//! Herds in which some servers speak the next version of the group format.

use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_crdt::group::GroupFormat;
use herd_storage::Crash;

use super::harness::{Herd, Server, eventually};

const NAMES: [&str; 5] = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];
const SMITH: usize = 2;
const CLIENTS: usize = 60;

fn report(server: &Server, kind: &str) {
    for number in 0..CLIENTS {
        server.report(&format!("{kind}{number}-{}", server.name), 1);
    }
}

/// How many of the records that `from` heard a server answers with.
fn answered(server: &Server, kind: &str, from: usize) -> usize {
    let client = |number: usize| format!("{kind}{number}-{}", NAMES[from]);
    (0..CLIENTS)
        .filter(|&number| server.time_of(&client(number)).is_some())
        .count()
}

async fn knows(server: &Server, kind: &str, from: usize) {
    let what = format!("{} knows {kind} of {}", server.name, NAMES[from]);
    eventually(&what, || answered(server, kind, from) == CLIENTS).await;
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_upgraded_one_by_one_lose_nothing() {
    let mut herd = Herd::five_stopped();
    herd.formats[SMITH] = GroupFormat::next();
    herd.start_all();
    herd.linked().await;
    for position in 0..5 {
        report(herd.server(position), "first");
    }
    // Smith reads the others, and they read each other.
    for position in 0..5 {
        for from in (0..5).filter(|&from| from != SMITH) {
            knows(herd.server(position), "first", from).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    for position in [0, 1, 3, 4] {
        let known = answered(herd.server(position), "first", SMITH);
        assert_eq!(known, 0, "{} cannot read it", NAMES[position]);
    }
    let mut upgraded = vec![SMITH];
    // Jaquez is no neighbour of Smith: what it learns went through servers that cannot read it.
    for position in [1, 0, 3, 4] {
        herd.upgrade(position, GroupFormat::next()).await;
        upgraded.push(position);
        let kind = format!("with{}-", upgraded.len());
        for &position in &upgraded {
            report(herd.server(position), &kind);
        }
        for &position in &upgraded {
            for from in 0..5 {
                knows(herd.server(position), "first", from).await;
            }
            for &from in &upgraded {
                knows(herd.server(position), &kind, from).await;
            }
        }
    }
    // 2, 3, 4 and 5 servers have reported on the way.
    herd.all_hold(CLIENTS * (5 + 2 + 3 + 4 + 5)).await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_could_read_outlives_the_server_that_heard_it() {
    let mut herd = Herd::five_stopped();
    herd.formats[SMITH] = GroupFormat::next();
    herd.start_all();
    herd.linked().await;
    for position in 0..5 {
        report(herd.server(position), "first");
    }
    for position in [0, 1, 3, 4] {
        for from in [0, 1, 3, 4] {
            knows(herd.server(position), "first", from).await;
        }
    }
    herd.stop(SMITH).await;
    // Longer than it takes to bury the dead.
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    for position in [0, 1, 3, 4] {
        assert_eq!(answered(herd.server(position), "first", SMITH), 0);
    }
    for position in [0, 1, 3, 4] {
        herd.upgrade(position, GroupFormat::next()).await;
        for from in 0..5 {
            knows(herd.server(position), "first", from).await;
        }
    }
    // Somebody publishes them again by now: a newcomer learns them from gossip.
    herd.restart(SMITH);
    herd.all_hold(5 * CLIENTS).await;
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_in_two_steps_blinds_nobody() {
    let mut herd = Herd::five();
    herd.linked().await;
    let mut clients = 0;
    for format in [GroupFormat::ready_for_next(), GroupFormat::next()] {
        for position in 0..5 {
            herd.upgrade(position, format).await;
            for from in 0..5 {
                let kind = format!("{}-{position}-", format.writes());
                report(herd.server(from), &kind);
            }
            clients += 5 * CLIENTS;
            herd.all_hold(clients).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unreadable_groups_stay_on_disk_until_they_can_be_read() {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::DiskAndPeer);
    herd.formats[SMITH] = GroupFormat::next();
    herd.start_all();
    herd.linked().await;
    report(herd.server(SMITH), "first");
    // A neighbour that cannot read it has it on its disk all the same, and says so.
    assert!(herd.server(SMITH).report_acknowledged("last", 1).await);
    // Campbell is a neighbour; it learns the rest in the rounds that follow.
    let campbell = 3;
    tokio::time::sleep(Duration::from_secs(5)).await;
    herd.crash(SMITH, Crash::Wipe).await;
    // Twice, so that what is kept is what was loaded, and for so long that the dead are buried.
    for seed in 0..2 {
        for position in [0, 1, 3, 4] {
            herd.crash(position, Crash::Tear { seed }).await;
        }
        for position in [0, 1, 3, 4] {
            herd.restart(position);
        }
        herd.linked().await;
        tokio::time::sleep(Duration::from_secs(20 * 60)).await;
        assert_eq!(answered(herd.server(campbell), "first", SMITH), 0);
    }
    // The first that can read it publishes it again, in its own format; so all must be upgraded.
    for position in [campbell, 0, 1, 4] {
        herd.upgrade(position, GroupFormat::next()).await;
        knows(herd.server(position), "first", SMITH).await;
    }
    herd.restart(SMITH);
    herd.all_hold(CLIENTS + 1).await;
}
