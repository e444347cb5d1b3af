//! What a server publishes anew, or takes over, goes out piece by piece behind what clients report.

use std::time::Duration;

use herd_acknowledgement::{AckLevel, Unconfirmed};
use herd_crdt::Publication;
use herd_replica::timing::BACKLOG_RECORDS_MAX;
use herd_replication::storing::StorageState;
use herd_storage::{CommitFault, Crash};
use tokio::time::{Instant, sleep};

use super::harness::{Herd, Server, eventually};

/// Several rounds of a backlog.
const RECORDS: usize = 4 * BACKLOG_RECORDS_MAX;

/// Hill and Smith, which hold what Hill's clients have reported, on their disks.
async fn filled(ack: AckLevel) -> Herd {
    let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
    herd.keep_on_disk(ack);
    herd.start_all();
    herd.linked().await;
    for number in 0..RECORDS {
        herd.server(0).report(&format!("client{number}"), 1);
    }
    herd.all_hold(RECORDS).await;
    assert!(herd.server(0).report_acknowledged("last", 1).await);
    herd.all_hold(RECORDS + 1).await;
    herd
}

async fn is_behind(server: &Server) {
    eventually("it has a backlog", || server.locations.backlog_len() > 0).await;
}

fn is_in_slot(server: &Server, client: &str) -> bool {
    let publication = server.locations.publication(client.as_bytes());
    matches!(publication, Some((Publication::InSlot(_), _)))
}

/// Hill's disk is full for a moment, and Hill goes on with a new incarnation.
async fn new_incarnation(herd: &Herd) {
    let (hill, disk) = (herd.server(0), herd.disks[0].clone().unwrap());
    let before = hill.links.incarnation().generation;
    disk.fail_next_commits(1, CommitFault::Full);
    hill.report("full", 1);
    eventually("the store fails", || {
        matches!(&*hill.store.state().borrow(), StorageState::Failed(_))
    })
    .await;
    eventually("it has a new incarnation", || {
        hill.links.incarnation().generation > before
    })
    .await;
    is_behind(hill).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_report_does_not_wait_for_an_earlier_lifes_backlog() {
    for ack in [AckLevel::Disk, AckLevel::DiskAndPeer] {
        let mut herd = filled(ack).await;
        herd.crash(0, Crash::Process).await;
        herd.restart(0);
        let hill = herd.server(0);
        eventually("the first round is out", || {
            hill.figures.slots().live_records > 0
        })
        .await;
        let first = hill.figures.slots().live_records;
        assert!(first <= BACKLOG_RECORDS_MAX, "{ack}: {first}");
        // What is known is published at once too, since somebody waits for it.
        let known: Vec<String> = (0..8).map(|number| format!("client{number}")).collect();
        for client in &known {
            hill.report(client, 1);
        }
        assert!(hill.report_acknowledged_alone("new", 1).await, "{ack}");
        assert!(known.iter().all(|client| is_in_slot(hill, client)), "{ack}");
        assert!(hill.locations.backlog_len() > 0, "{ack}: they did not wait");
        assert!(!hill.locations.admission().is_overloaded(), "{ack}");
        eventually("all is published", || {
            hill.figures.slots().live_records == RECORDS + 2
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn earlier_reports_are_promised_when_the_backlog_is_out() {
    let mut herd = filled(AckLevel::Disk).await;
    new_incarnation(&herd).await;
    let hill = herd.server(0);
    let all = hill.acknowledgements.ticket();
    assert!(hill.report_acknowledged_alone("new", 1).await);
    assert!(hill.locations.backlog_len() > 0, "it did not wait");
    let soon = Duration::from_millis(1);
    let told = hill.acknowledgements.reach(AckLevel::Disk, all, soon).await;
    assert_eq!(told, Err(Unconfirmed::DiskLate));
    assert!(hill.acknowledgements.confirmed(all).await.is_ok());
    assert_eq!(hill.locations.backlog_len(), 0);
    herd.crash(1, Crash::Wipe).await;
    herd.crash(0, Crash::Tear { seed: 1 }).await;
    herd.restart(0);
    herd.all_hold(RECORDS + 3).await;
}

#[tokio::test(start_paused = true)]
async fn the_disk_keeps_an_earlier_life_until_it_is_stored_again() {
    let mut herd = filled(AckLevel::Disk).await;
    new_incarnation(&herd).await;
    let hill = herd.server(0);
    for time in 1..4 {
        assert!(hill.report_acknowledged_alone("new", time).await);
    }
    assert!(hill.locations.backlog_len() > 0);
    herd.crash(1, Crash::Wipe).await;
    herd.crash(0, Crash::Tear { seed: 1 }).await;
    herd.restart(0);
    let hill = herd.server(0);
    eventually("all that was promised is there", || {
        let clients = (0..RECORDS).map(|number| format!("client{number}"));
        clients
            .chain(["last".to_owned(), "new".to_owned()])
            .all(|client| hill.time_of(&client).is_some())
    })
    .await;
}

/// However many rounds the publisher of the one before had done.
#[tokio::test(start_paused = true)]
async fn a_later_incarnation_is_settled_as_soon_as_its_backlog_is_out() {
    let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
    herd.keep_on_disk(AckLevel::Disk);
    herd.start_all();
    herd.linked().await;
    for number in 0..2 * BACKLOG_RECORDS_MAX {
        herd.server(0).report(&format!("client{number}"), 1);
    }
    herd.all_hold(2 * BACKLOG_RECORDS_MAX).await;
    sleep(Duration::from_secs(600)).await;
    let rounds = herd.server(0).figures.slots().rounds;
    assert!(rounds > 1_000, "{rounds}");
    new_incarnation(&herd).await;
    herd.crash(1, Crash::Wipe).await;
    herd.restart(1);
    let (smith, start) = (herd.server(1), Instant::now());
    eventually("Hill is settled and Smith holds all", || {
        let catch_up = smith.reach.catch_up();
        catch_up.absent.is_empty() && catch_up.ahead.is_empty() && catch_up.unsettled.is_empty()
    })
    .await;
    assert!(smith.locations.len() > 2 * BACKLOG_RECORDS_MAX);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// `cargo test --release --test replication -- --ignored --nocapture a_million`
#[tokio::test(start_paused = true)]
#[ignore = "a measurement"]
#[expect(
    clippy::disallowed_methods,
    reason = "what it takes in this machine's time"
)]
async fn a_million_records_of_an_incarnation_before() {
    const MILLION: usize = 1_000_000;
    let mut herd = Herd::stopped(&["Hill"], &[]);
    herd.keep_on_disk(AckLevel::Disk);
    herd.start_all();
    let hill = herd.server(0);
    for part in 0..100 {
        for number in 0..MILLION / 100 {
            hill.report(&format!("client{part}-{number}"), 1);
        }
        assert!(hill.report_acknowledged("part", part).await);
    }
    let before = hill.links.incarnation().generation;
    let disk = herd.disks[0].clone().unwrap();
    disk.fail_next_commits(1, CommitFault::Full);
    hill.report("full", 1);
    eventually("the store fails", || {
        matches!(&*hill.store.state().borrow(), StorageState::Failed(_))
    })
    .await;
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let peak_before = peak_mib();
    let (mut last_turn, mut longest) = (std::time::Instant::now(), Duration::ZERO);
    let mut reloaded = (Duration::ZERO, 0);
    while hill.figures.slots().live_records <= MILLION
        || hill.links.incarnation().generation == before
    {
        sleep(Duration::from_millis(1)).await;
        longest = longest.max(last_turn.elapsed());
        last_turn = std::time::Instant::now();
        if matches!(&*hill.store.state().borrow(), StorageState::Loading) {
            reloaded = (longest, peak_mib() - peak_before);
        }
    }
    println!(
        "until the store was read others waited for {:?} at most, and there was {} MiB more; until all was out, for \
         {longest:?} and {} MiB",
        reloaded.0,
        reloaded.1,
        peak_mib() - peak_before
    );
}

/// The most memory that this process has had.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kib: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib / 1_024
}
