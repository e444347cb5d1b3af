//! A server that starts is ready when it holds what its neighbours hold, whoever published it.

use std::collections::BTreeMap;
use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_replica::readiness::{Facts, Readiness};
use herd_replica::timing::GONE_AFTER;
use herd_replication::storing::StorageState;
use herd_storage::Crash;
use tokio::time::{Instant, sleep};

use super::harness::{Herd, Server, eventually};

const TRIANGLE: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

fn client(number: usize) -> String {
    format!("client{number}")
}

/// Probes all servers until each of `expected` has been ready, and says when each was, and how many clients it held then.
async fn until_ready(herd: &Herd, expected: &[usize]) -> BTreeMap<usize, (Duration, usize)> {
    let start = Instant::now();
    let mut probes: BTreeMap<usize, Readiness> = BTreeMap::new();
    let mut ready = BTreeMap::new();
    eventually("servers are ready", || {
        for &position in expected {
            let server = herd.server(position);
            let facts = facts(server, start.elapsed());
            let probe = probes.entry(position).or_default();
            if !ready.contains_key(&position) && probe.look(facts).is_ok() {
                ready.insert(position, (start.elapsed(), server.locations.len()));
            }
        }
        ready.len() == expected.len()
    })
    .await;
    ready
}

/// As a server's `/readyz` has them.
fn facts(server: &Server, up_for: Duration) -> Facts {
    let store_fault = match &*server.store.state().borrow() {
        StorageState::Loading => Some("reading its store".to_owned()),
        StorageState::Failed(error) => Some(error.to_string()),
        _ => None,
    };
    Facts {
        up_for,
        store_fault,
        catch_up: server.reach.catch_up(),
        ..Facts::default()
    }
}

async fn all_synced(herd: &Herd) {
    for disk in herd.disks.iter().flatten() {
        eventually("everything is synced", || disk.unsynced_commits() == 0).await;
    }
}

/// Each server hears its share of these clients; all of it is everywhere, and on all disks.
async fn report_everywhere(herd: &Herd, servers: &[usize], clients: std::ops::Range<usize>) {
    for number in clients.clone() {
        herd.server(servers[number % servers.len()])
            .report(&client(number), 1);
    }
    herd.all_hold(clients.end).await;
    all_synced(herd).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_disk_is_filled_before_its_server_is_ready_and_soon() {
    let mut herd = Herd::stopped(&["Hill", "Jaquez", "Smith"], &TRIANGLE);
    herd.keep_on_disk(AckLevel::DiskAndPeer);
    herd.start_all();
    herd.linked().await;
    report_everywhere(&herd, &[0, 1, 2], 0..300).await;
    herd.crash(0, Crash::Wipe).await;
    herd.crash(1, Crash::Process).await;
    herd.crash(2, Crash::Process).await;
    herd.start_all();
    // What Hill heard is published by nobody: it is known at once that Hill's former life is over.
    for (position, (after, held)) in until_ready(&herd, &[0, 1, 2]).await {
        assert_eq!(held, 300, "{position} was ready after {after:?}");
        assert!(after < GONE_AFTER / 2, "{position}: {after:?}");
    }
    // And each record is published once in the end.
    for number in 0..300 {
        eventually("one publisher", || {
            herd.publishers(&client(number)).len() == 1
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_waits_for_records_that_only_the_dead_published() {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::DiskAndPeer);
    herd.start_all();
    herd.linked().await;
    report_everywhere(&herd, &[0, 1, 2, 3, 4], 0..500).await;
    let (jaquez, smith) = (1, 2);
    herd.crash(jaquez, Crash::Process).await;
    // Smith hears most of the rest, and its disk is lost.
    report_everywhere(&herd, &[0, smith, smith, 3], 500..1_000).await;
    for position in [0, 2, 3, 4] {
        herd.stop(position).await;
    }
    herd.disks[smith].as_ref().unwrap().damage();
    herd.start_all();
    for (position, (after, held)) in until_ready(&herd, &[0, jaquez, 3, 4]).await {
        assert_eq!(held, 1_000, "{position} was ready after {after:?}");
        assert!(after < GONE_AFTER / 2, "{position}: {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_waits_until_others_publish_for_the_absent() {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::DiskAndPeer);
    herd.start_all();
    herd.linked().await;
    let (hill, jaquez, campbell) = (0, 1, 3);
    report_everywhere(&herd, &[campbell], 0..300).await;
    for position in 0..5 {
        herd.crash(position, Crash::Process).await;
    }
    herd.disks[jaquez].as_ref().unwrap().crash(Crash::Wipe);
    for position in [hill, jaquez, 2, 4] {
        herd.restart(position);
    }
    for (position, (after, held)) in until_ready(&herd, &[hill, jaquez, 2, 4]).await {
        assert_eq!(held, 300, "{position} was ready after {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_herd_has_nothing_to_tell_of_its_maps() {
    let mut herd = Herd::stopped(&["Hill", "Jaquez", "Smith"], &TRIANGLE);
    herd.keep_on_disk(AckLevel::Memory);
    herd.start_all();
    herd.linked().await;
    report_everywhere(&herd, &[0, 1, 2], 0..30).await;
    let _ = until_ready(&herd, &[0, 1, 2]).await;
    sleep(Duration::from_secs(5)).await;
    let known = |herd: &Herd| -> Vec<u64> {
        let servers = herd.running();
        let others = servers.map(|server| {
            let me = server.links.incarnation();
            let neighbours = server.links.neighbours().iter();
            neighbours
                .filter_map(|n| Some(n.applied(&me)?.merged))
                .sum()
        });
        others.collect()
    };
    let before = known(&herd);
    sleep(Duration::from_secs(100)).await;
    assert_eq!(known(&herd), before);
}
