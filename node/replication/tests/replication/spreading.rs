//! Records reach every server, and all servers agree on them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use herd_replica::timing::{BUSY_TURN_GAP, IDLE_ROUND, ROUND_GAP};
use tokio::time::{Instant, sleep};

use super::harness::{Herd, eventually, record};
use super::network::Stretch;

#[tokio::test(start_paused = true)]
async fn a_record_reaches_every_server() {
    let herd = Herd::five();
    for (position, client) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        herd.server(position).report(client, 1);
    }
    herd.all_hold(5).await;
}

#[tokio::test(start_paused = true)]
async fn one_server_alone_is_a_herd_and_publishes_for_nobody() {
    let herd = Herd::start(&["Hill"], &[]);
    let hill = herd.server(0);
    hill.report("kiwi", 1);
    eventually("nothing waits for a publisher", || {
        hill.locations.pending_len() == 0
    })
    .await;
    for second in 2..1_000 {
        hill.report("kiwi", second);
        hill.report(&format!("client{second}"), 1);
    }
    assert_eq!(hill.locations.pending_len(), 0);
    assert_eq!(herd.publishers("kiwi"), Vec::<&str>::new());
    herd.all_hold(999).await;
}

#[tokio::test(start_paused = true)]
async fn many_clients_reach_every_server_and_a_newcomer() {
    let mut herd = Herd::five();
    herd.stop(3).await;
    for client in 0..20_000 {
        herd.server(client % 3)
            .report(&format!("client{client}"), 1);
    }
    herd.all_hold(20_000).await;
    herd.restart(3);
    herd.all_hold(20_000).await;
}

#[tokio::test(start_paused = true)]
async fn near_and_equal_times_end_as_one_record_everywhere() {
    let herd = Herd::five();
    herd.linked().await;
    let location = b"+1+1";
    for round in 0..50 {
        for position in 0..5 {
            let server = herd.server(position);
            let time = format!("{round}.{:09}", 7 + position % 2);
            let name = server.name.clone();
            for client in ["tie", "near"] {
                let time = if client == "tie" { "9" } else { &*time };
                let heard_ns = position as i64;
                let record = herd_crdt::Record::new(
                    client.as_bytes(),
                    location,
                    time.as_bytes(),
                    name.clone(),
                    heard_ns,
                );
                server.locations.report(record.unwrap());
            }
        }
    }
    // Of equal times the greatest name wins: Smith before Singleton. Campbell and Jaquez (the odd
    // positions) have the later nanosecond.
    for (client, winner) in [("tie", "Smith"), ("near", "Jaquez")] {
        for server in herd.running() {
            let what = format!("{} holds {winner}'s record of {client}", server.name);
            eventually(&what, || {
                let record = server.locations.find(client.as_bytes());
                record.is_some_and(|record| {
                    **record.server() == *winner
                        && (client == "tie" || record.time_text() == b"49.000000008")
                })
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn both_sides_of_a_partition_serve_and_agree_after_it() {
    let herd = Herd::five();
    herd.linked().await;
    herd.server(0).report("both", 1);
    herd.all_hold(1).await;
    herd.isolate(0, Stretch::Cut);
    eventually("the cut is noticed", || {
        herd.server(0)
            .links
            .neighbours()
            .iter()
            .all(|neighbour| !neighbour.is_up())
    })
    .await;
    herd.server(0).report("left", 1);
    herd.server(0).report("both", 5);
    herd.server(3).report("right", 1);
    herd.server(4).report("both", 4);
    eventually("the right side agrees", || {
        herd.server(1).time_of("both").as_deref() == Some("4")
            && herd.server(1).time_of("right").is_some()
    })
    .await;
    assert_eq!(herd.server(1).time_of("left"), None);
    assert_eq!(herd.server(0).time_of("right"), None);
    herd.isolate(0, Stretch::Whole);
    herd.all_hold(3).await;
    for server in herd.running() {
        let what = format!("{} has the latest", server.name);
        eventually(&what, || server.time_of("both").as_deref() == Some("5")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn endless_updates_of_the_same_clients_do_not_grow_the_slots() {
    let herd = Herd::start(&["Hill", "Smith"], &[(0, 1)]);
    let (hill, smith) = (herd.server(0), herd.server(1));
    let mut slots_after = Vec::new();
    for time in 1..=40 {
        for client in 0..2_000 {
            // In an order of its own each time, so that slots do not simply die whole.
            let client = (client * 7 + time * 13) % 2_000;
            hill.locations
                .report(record(&hill.name, &format!("client{client}"), time));
            if client % 50 == 0 {
                tokio::task::yield_now().await;
            }
        }
        eventually("Smith is up to date", || {
            (0..2_000)
                .all(|client| smith.time_of(&format!("client{client}")) == Some(time.to_string()))
        })
        .await;
        slots_after.push(hill.figures.slots().slots);
    }
    let (early, late) = (slots_after[9], slots_after[39]);
    assert!(late <= early + 8, "slots grew: {slots_after:?}");
}

/// It is the other side that begins the rounds of a busy link, and has no news of its own to begin one for.
#[tokio::test(start_paused = true)]
async fn a_burst_at_the_side_that_did_not_connect_crosses_at_once() {
    let herd = Herd::start(&["Hill", "Smith"], &[(0, 1)]);
    herd.linked().await;
    let (hill, smith) = (herd.server(0), herd.server(1));
    assert!(hill.links.neighbours()[0].config.dials);
    let clients = 40_000;
    for burst in 1..=3 {
        // Nothing is under way any more, and the last round was a while ago.
        sleep(IDLE_ROUND / 4).await;
        for client in 0..clients {
            smith.report(&format!("client{client}"), burst);
        }
        let started = Instant::now();
        eventually("the other side has it", || {
            (0..clients)
                .all(|client| hill.time_of(&format!("client{client}")) == Some(burst.to_string()))
        })
        .await;
        let took = started.elapsed();
        assert!(took < BUSY_TURN_GAP, "burst {burst} took {took:?}");
    }
}

/// Heartbeats come with rounds alone, and so does all that a push was wrong about.
#[tokio::test(start_paused = true)]
async fn news_without_end_go_out_by_pushes_and_leave_room_for_rounds() {
    let herd = Herd::start(&["Hill", "Smith"], &[(0, 1)]);
    herd.linked().await;
    let (hill, smith) = (herd.server(0), herd.server(1));
    let counts = || {
        let counts = &hill.links.neighbours()[0].counts;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&counts.pushes), of(&counts.rounds))
    };
    hill.report("kiwi", 1);
    herd.all_hold(1).await;
    let (pushes, rounds) = counts();
    let seconds = 10;
    for time in 2..seconds * 100 {
        hill.report("kiwi", time);
        sleep(Duration::from_millis(10)).await;
    }
    let (pushes, rounds) = (counts().0 - pushes, counts().1 - rounds);
    assert!(pushes > seconds * 25, "{pushes} pushes");
    let expected = seconds * 1_000 / IDLE_ROUND.as_millis() as u64;
    assert!(rounds >= expected - 2, "{rounds} rounds");
    assert!(rounds <= expected + 2, "{rounds} rounds");
    let last = Some((seconds * 100 - 1).to_string());
    eventually("Smith has the last", || smith.time_of("kiwi") == last).await;
}

/// Whatever looks around in between, of the publisher or of gossip, it keeps no record waiting.
#[tokio::test(start_paused = true)]
async fn a_report_crosses_an_idle_herd_at_once() {
    let herd = Herd::start(&["Hill", "Smith", "Jaquez"], &[(0, 1), (1, 2)]);
    herd.linked().await;
    herd.server(0).report("first", 1);
    herd.all_hold(1).await;
    for time in 2..200 {
        // In step with nothing: a look comes every 250 ms, a round every 500 ms.
        sleep(Duration::from_millis(503)).await;
        let started = Instant::now();
        herd.server(0).report("kiwi", time);
        while herd.server(2).time_of("kiwi") != Some(time.to_string()) {
            sleep(Duration::from_millis(1)).await;
            let took = started.elapsed();
            assert!(took < ROUND_GAP, "report {time} takes {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_goes_silent_is_given_up_and_made_again() {
    let herd = Herd::five();
    herd.linked().await;
    herd.isolate(3, Stretch::Silent);
    eventually("Campbell's links are given up", || {
        [2, 4].iter().all(|&position| {
            !herd
                .server(position)
                .links
                .neighbour("Campbell")
                .unwrap()
                .is_up()
        }) && herd
            .server(3)
            .links
            .neighbours()
            .iter()
            .all(|neighbour| !neighbour.is_up())
    })
    .await;
    herd.server(0).report("kiwi", 1);
    eventually("all others know", || {
        [0, 1, 2, 4]
            .iter()
            .all(|&position| herd.server(position).time_of("kiwi").is_some())
    })
    .await;
    assert_eq!(herd.server(3).time_of("kiwi"), None);
    herd.isolate(3, Stretch::Whole);
    herd.linked().await;
    herd.all_hold(1).await;
}

#[tokio::test(start_paused = true)]
async fn no_round_is_lost_on_a_neighbour_whose_gossip_has_not_started() {
    // Smith waits a second for Jaquez, which is not there, before its gossip starts; Hill's starts as
    // soon as the two are linked.
    let mut herd = Herd::stopped(&["Hill", "Smith", "Jaquez"], &[(0, 1), (1, 2)]);
    herd.restart(0);
    herd.restart(1);
    herd.server(0).report("kiwi", 1);
    eventually("Smith knows", || herd.server(1).time_of("kiwi").is_some()).await;
    sleep(Duration::from_secs(10)).await;
    let counts = &herd.server(0).links.neighbour("Smith").unwrap().counts;
    assert!(counts.rounds.load(Ordering::Relaxed) > 10);
    assert_eq!(counts.rounds_timed_out.load(Ordering::Relaxed), 0);
}
