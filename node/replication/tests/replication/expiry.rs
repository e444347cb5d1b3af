//! Records that expire, servers that were away meanwhile, and clocks that are wrong.

use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_clock::clock::WallClock as _;
use herd_crdt::Outcome;
use herd_expiry::ExpireAfter;
use herd_storage::Crash;

use super::harness::{Herd, Server, eventually, record};
use super::network::Stretch;

const AFTER: Duration = Duration::from_secs(600);
const SECOND_NS: i64 = 1_000_000_000;
const YEAR_S: i64 = 365 * 24 * 3_600;
/// Clients of each server.
const CLIENTS: usize = 100;

fn herd() -> Herd {
    let mut herd = Herd::five_stopped();
    herd.expire_after = Some(AFTER);
    herd.start_all();
    herd
}

/// The true time, in seconds.
fn now(herd: &Herd) -> u64 {
    herd.clocks[0].true_s()
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Each server hears of clients whose time was so many seconds ago.
fn report_all(herd: &Herd, kind: &str, ago_s: u64) {
    for server in herd.running() {
        for number in 0..CLIENTS {
            server.report(
                &format!("{kind}{number}-{}", server.name),
                now(herd) - ago_s,
            );
        }
    }
}

/// All records of a kind that a server answers with.
fn answered(herd: &Herd, position: usize, kind: &str) -> usize {
    let names = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];
    let clients = names
        .iter()
        .flat_map(|name| (0..CLIENTS).map(move |number| format!("{kind}{number}-{name}")));
    let found = |client: &String| herd.server(position).time_of(client).is_some();
    clients.filter(found).count()
}

#[tokio::test(start_paused = true)]
async fn what_is_old_leaves_every_map_and_all_gossip() {
    let mut herd = herd();
    herd.linked().await;
    // Together, so that they share groups of which more than half lives on.
    report_all(&herd, "young", 0);
    report_all(&herd, "old", 400);
    herd.all_hold(10 * CLIENTS).await;
    pass(190).await;
    assert_eq!(answered(&herd, 3, "old"), 5 * CLIENTS, "not yet");
    pass(20).await;
    for position in 0..5 {
        assert_eq!(answered(&herd, position, "old"), 0);
        assert_eq!(answered(&herd, position, "young"), 5 * CLIENTS);
    }
    for server in herd.running() {
        let what = format!("{} counts what lives", server.name);
        eventually(&what, || server.figures.slots().live_records == CLIENTS).await;
    }
    // A server without expiry sees what is left in gossip.
    pass(80).await;
    herd.stop(3).await;
    herd.expire_after = None;
    herd.restart(3);
    eventually("the witness knows the young", || {
        answered(&herd, 3, "young") == 5 * CLIENTS
    })
    .await;
    pass(30).await;
    assert_eq!(answered(&herd, 3, "old"), 0);
    // In the end nothing is left, and every slot is free.
    herd.stop(3).await;
    pass(310).await;
    for server in herd.running() {
        assert!(server.locations.is_empty());
        let what = format!("{}'s slots are free", server.name);
        eventually(&what, || {
            let slots = server.figures.slots();
            slots.live_records == 0 && slots.free == slots.slots
        })
        .await;
    }
    // The groups of the witness, which is gone, leave with its burial.
    pass(16 * 60).await;
    herd.restart(3);
    pass(30).await;
    assert!(
        herd.server(3).locations.is_empty(),
        "gossip holds something"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_away_for_longer_brings_nothing_back() {
    let herd = herd();
    herd.linked().await;
    report_all(&herd, "old", 0);
    herd.all_hold(5 * CLIENTS).await;
    herd.isolate(0, Stretch::Cut);
    pass(60).await;
    // Its clock is behind: all that it held, it holds still.
    herd.clocks[0].set_ahead(-3_600);
    herd.server(0).report("away", now(&herd) - 60);
    pass(700).await;
    assert_eq!(herd.server(0).locations.len(), 5 * CLIENTS + 1);
    assert!(herd.server(1).locations.is_empty());
    herd.isolate(0, Stretch::Whole);
    herd.linked().await;
    herd.server(0).report("new", now(&herd));
    for position in 1..5 {
        let server = herd.server(position);
        eventually("all know the new record", || {
            server.time_of("new").is_some()
        })
        .await;
    }
    pass(60).await;
    for position in 1..5 {
        assert_eq!(herd.server(position).locations.len(), 1);
    }
    // Set right, it forgets like the others.
    herd.clocks[0].set_ahead(0);
    eventually("it has only the new record", || {
        herd.server(0).locations.len() == 1
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_floor_is_there_after_a_restart_whatever_the_clock_says() {
    let mut herd = herd();
    herd.linked().await;
    pass(60).await;
    let is_low = |server: &Server| server.locations.floor_ns() == i64::MIN;
    assert!(
        herd.running().all(is_low),
        "no client has said what time it is"
    );
    herd.server(0).report("kiwi", now(&herd));
    pass(60).await;
    let floor_ns = herd.server(0).locations.floor_ns();
    assert!(floor_ns > i64::MIN);
    herd.stop(0).await;
    herd.clocks[0].set_ahead(-YEAR_S);
    herd.restart(0);
    eventually("its floor is what it was", || {
        herd.server(0).locations.floor_ns() >= floor_ns
    })
    .await;
    let server = herd.server(0);
    let old = record(&server.name, "old", now(&herd) - 700);
    assert_eq!(server.locations.report(old), Outcome::Expired);
    server.report("new", now(&herd));
    herd.all_hold(2).await;
}

#[tokio::test(start_paused = true)]
async fn all_clocks_ahead_for_a_while_lose_nothing() {
    for while_s in [40, 1_000] {
        let herd = herd();
        herd.linked().await;
        report_all(&herd, "before", 0);
        herd.all_hold(5 * CLIENTS).await;
        pass(30).await;
        for clock in &herd.clocks {
            clock.set_ahead(YEAR_S);
        }
        for second in 0..while_s {
            herd.server(second % 5).report("during", now(&herd));
            pass(1).await;
        }
        for clock in &herd.clocks {
            clock.set_ahead(0);
        }
        pass(30).await;
        for server in herd.running() {
            let lead_ns =
                server.locations.floor_ns() - i64::try_from(now(&herd)).unwrap() * SECOND_NS;
            assert!(lead_ns <= -600 * SECOND_NS, "{}: {lead_ns} ns", server.name);
        }
        if while_s < 500 {
            assert_eq!(answered(&herd, 3, "before"), 5 * CLIENTS);
        }
        // What was reported meanwhile is there, and so is all that comes.
        report_all(&herd, "after", 0);
        let last = (now(&herd) - 31).to_string();
        for server in herd.running() {
            let what = format!("{} has all that is new", server.name);
            eventually(&what, || server.time_of("during").as_ref() == Some(&last)).await;
        }
        for position in 0..5 {
            eventually("what came after is everywhere", || {
                answered(&herd, position, "after") == 5 * CLIENTS
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_client_that_is_ahead_does_not_carry_the_floor() {
    let herd = herd();
    herd.linked().await;
    report_all(&herd, "kept", 0);
    let ahead_s = now(&herd) + YEAR_S.unsigned_abs();
    herd.server(2).report("liar", ahead_s);
    herd.all_hold(5 * CLIENTS + 1).await;
    for clock in &herd.clocks {
        clock.set_ahead(YEAR_S);
    }
    pass(300).await;
    herd.all_hold(5 * CLIENTS + 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_that_was_off_forgets_what_is_old_once_clients_say_so() {
    let mut herd = Herd::five_stopped();
    herd.expire_after = Some(AFTER);
    herd.keep_on_disk(AckLevel::Disk);
    herd.start_all();
    herd.linked().await;
    report_all(&herd, "old", 0);
    herd.all_hold(5 * CLIENTS).await;
    pass(60).await;
    for position in 0..5 {
        herd.stop(position).await;
    }
    // Nobody's clock ran meanwhile but the machines' own.
    for clock in &herd.clocks {
        clock.set_ahead(YEAR_S);
    }
    herd.start_all();
    herd.all_hold(5 * CLIENTS).await;
    pass(120).await;
    assert_eq!(answered(&herd, 0, "old"), 5 * CLIENTS, "who knows");
    let true_s = now(&herd) + YEAR_S.unsigned_abs();
    for server in herd.running() {
        for number in 0..CLIENTS {
            server.report(&format!("new{number}-{}", server.name), true_s);
        }
    }
    herd.all_hold(5 * CLIENTS).await;
    assert_eq!(answered(&herd, 0, "old"), 0);
    // Where nobody says so, they leave when they would have if time had stood still.
    for position in 0..5 {
        herd.stop(position).await;
    }
    for clock in &herd.clocks {
        clock.set_ahead(2 * YEAR_S);
    }
    herd.start_all();
    herd.all_hold(5 * CLIENTS).await;
    pass(700).await;
    assert!(herd.running().all(|server| server.locations.is_empty()));
}

/// One server's floor is a year ahead, and what it lost is on the others.
#[tokio::test(start_paused = true)]
async fn a_server_whose_floor_was_lowered_has_all_again() {
    let mut herd = herd();
    let year_ns = YEAR_S * SECOND_NS;
    let floor_ns = herd.clocks[1].now_ns() + year_ns;
    herd.stop(1).await;
    herd.floors[1].set(Some(floor_ns));
    herd.restart(1);
    herd.linked().await;
    report_all(&herd, "kept", 0);
    for position in [0, 2, 3, 4] {
        let server = herd.server(position);
        eventually("the others have theirs", || {
            server.locations.len() == 4 * CLIENTS
        })
        .await;
    }
    assert!(herd.server(1).locations.is_empty());
    let expire_after = ExpireAfter::new(AFTER);
    let fault = |herd: &Herd| {
        let floor_ns = herd.server(1).locations.floor_ns();
        expire_after.floor_fault(floor_ns, herd.clocks[1].now_ns())
    };
    assert!(fault(&herd).is_some());
    herd.stop(1).await;
    let lowered_ns = herd.clocks[1].now_ns() - 600 * SECOND_NS;
    herd.floors[1].set(Some(lowered_ns));
    herd.restart(1);
    herd.all_hold(4 * CLIENTS).await;
    assert_eq!(fault(&herd), None);
    pass(700).await;
    assert!(herd.server(1).locations.is_empty(), "and it expires them");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_loses_nothing_anywhere() {
    for (ahead_s, alone) in [
        (YEAR_S, false),
        (YEAR_S, true),
        (-YEAR_S, false),
        (-YEAR_S, true),
    ] {
        let herd = herd();
        herd.linked().await;
        report_all(&herd, "kept", 0);
        herd.all_hold(5 * CLIENTS).await;
        // Each server knows by them what time it is.
        pass(20).await;
        if alone {
            herd.isolate(1, Stretch::Cut);
            pass(20).await;
        }
        herd.clocks[1].set_ahead(ahead_s);
        herd.server(1).report("during", now(&herd));
        pass(300).await;
        assert_eq!(answered(&herd, 1, "kept"), 5 * CLIENTS, "{ahead_s} {alone}");
        herd.isolate(1, Stretch::Whole);
        herd.all_hold(5 * CLIENTS + 1).await;
        herd.clocks[1].set_ahead(0);
        pass(200).await;
        herd.server(1).report("after", now(&herd));
        herd.all_hold(5 * CLIENTS + 2).await;
        // And all that is old still leaves, everywhere.
        pass(650).await;
        for server in herd.running() {
            assert!(
                server.locations.is_empty(),
                "{}: {ahead_s} {alone}",
                server.name
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_whose_clock_is_wrong_loses_nothing() {
    let mut herd = herd();
    herd.linked().await;
    report_all(&herd, "kept", 0);
    herd.all_hold(5 * CLIENTS).await;
    herd.stop(3).await;
    herd.clocks[3].set_ahead(YEAR_S);
    herd.restart(3);
    herd.all_hold(5 * CLIENTS).await;
    pass(100).await;
    herd.all_hold(5 * CLIENTS).await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_steps_back_has_everything_merged_again() {
    let herd = herd();
    herd.linked().await;
    report_all(&herd, "kept", 0);
    herd.all_hold(5 * CLIENTS).await;
    pass(60).await;
    let outcomes = herd.server(1).locations.outcomes();
    let before = outcomes.get(Outcome::Same);
    pass(60).await;
    assert_eq!(outcomes.get(Outcome::Same), before, "idle");
    herd.clocks[1].set_ahead(-10);
    eventually("all is merged again", || {
        outcomes.get(Outcome::Same) >= before + 4 * CLIENTS as u64
    })
    .await;
    herd.all_hold(5 * CLIENTS).await;
}

#[tokio::test(start_paused = true)]
async fn the_floor_is_on_disk_before_anything_expires_by_it() {
    let mut herd = Herd::five_stopped();
    herd.expire_after = Some(AFTER);
    herd.keep_on_disk(AckLevel::Disk);
    herd.start_all();
    herd.linked().await;
    report_all(&herd, "old", 0);
    herd.all_hold(5 * CLIENTS).await;
    pass(700).await;
    assert!(herd.server(0).locations.is_empty());
    // At any moment.
    let disk = herd.disks[0].clone().unwrap();
    disk.set_latency(Duration::from_millis(300), Duration::from_millis(700));
    for seed in 0..20 {
        pass(5).await;
        tokio::time::sleep(Duration::from_millis(150 * seed)).await;
        let floor_ns = herd.server(0).locations.floor_ns();
        herd.crash(0, Crash::Reorder { seed }).await;
        herd.clocks[0].set_ahead(-YEAR_S);
        herd.restart(0);
        eventually("its floor is what it was", || {
            herd.server(0).locations.floor_ns() > i64::MIN
        })
        .await;
        let server = herd.server(0);
        assert!(server.locations.floor_ns() >= floor_ns, "it fell, {seed}");
        // What it brings along from its disk is as dead as what a client says.
        let below_s = u64::try_from(floor_ns / 1_000_000_000 - 1).unwrap();
        let old = record(&server.name, "old", below_s);
        assert_eq!(server.locations.report(old), Outcome::Expired);
        assert_eq!(answered(&herd, 0, "old"), 0);
        herd.clocks[0].set_ahead(0);
        herd.linked().await;
    }
}
