//! Servers that start again and again, and what that leaves with the others: nothing.

use std::cell::Cell;
use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_replica::timing::{GONE_AFTER, IDS_PER_SERVER_MAX};
use herd_replication::run::ReplicationEnd;
use herd_storage::Crash;
use tokio::time::{Instant, sleep, timeout};

use super::harness::{Herd, eventually};
use super::network::Stretch;

const HOUR: Duration = Duration::from_secs(3_600);

/// A supervisor starts a process again after this.
const RESTART_AFTER: Duration = Duration::from_millis(100);

/// The most that a report takes over a link that is idle, and a little.
const PROMPT: Duration = Duration::from_secs(2);

/// How a server and one of its links are.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    generation: u64,
    connects: u64,
    rounds_timed_out: u64,
    lag_groups: Option<u64>,
}

/// The two servers that are looked at.
type Pair = [usize; 2];

/// Of the link between the two, from both ends.
fn standings(herd: &Herd, pair: Pair) -> [Standing; 2] {
    let [one, other] = pair;
    [(one, other), (other, one)].map(|(position, other)| {
        let links = &herd.server(position).links;
        let neighbour = links.neighbour(&herd.names()[other]).unwrap();
        let load =
            |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
        Standing {
            generation: links.incarnation().generation,
            connects: load(&neighbour.counts.connects),
            rounds_timed_out: load(&neighbour.counts.rounds_timed_out),
            lag_groups: links.lag_of(neighbour),
        }
    })
}

fn known_ids(herd: &Herd, position: usize) -> usize {
    herd.server(position).figures.status().members.len()
}

/// Reports a client at one of the two, which the other has to know soon.
async fn arrives(herd: &Herd, [one, other]: Pair, number: u64) {
    herd.server(one).report("kiwi", number);
    let known = || herd.server(other).time_of("kiwi") == Some(number.to_string());
    let arrived = timeout(PROMPT, eventually("the other knows", known)).await;
    assert!(arrived.is_ok(), "report {number} took more than {PROMPT:?}");
}

/// Once things are quiet, all is as it was: two others, each known by one incarnation.
async fn as_it_was(herd: &Herd, pair: Pair, before: &[Standing; 2]) {
    for position in pair {
        eventually("the dead are forgotten", || known_ids(herd, position) == 2).await;
    }
    assert_eq!(once_nobody_lags(herd, pair).await, *before);
}

async fn once_nobody_lags(herd: &Herd, pair: Pair) -> [Standing; 2] {
    eventually("nobody lags", || {
        let standings = standings(herd, pair);
        standings.iter().all(|now| now.lag_groups == Some(0))
    })
    .await;
    standings(herd, pair)
}

/// Three servers, of which the third does not run.
async fn triangle(pair: Pair, third: usize) -> (Herd, [Standing; 2]) {
    let mut herd = Herd::start(&["Hill", "Smith", "Jaquez"], &[(0, 1), (0, 2), (1, 2)]);
    herd.linked().await;
    arrives(&herd, pair, 1).await;
    herd.stop(third).await;
    let before = once_nobody_lags(&herd, pair).await;
    (herd, before)
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_of_an_hour_leaves_the_others_as_they_were() {
    let (pair, third) = ([0, 1], 2);
    let (mut herd, before) = triangle(pair, third).await;
    let start = Instant::now();
    let mut number = 1;
    let mut most = 0;
    while start.elapsed() < HOUR {
        herd.restart(third);
        // What it hears is not in vain, if it gets that far.
        let client = format!("client{}", number % 100);
        herd.server(third).report(&client, number);
        sleep(Duration::from_secs(3)).await;
        herd.crash(third, Crash::Process).await;
        number += 1;
        arrives(&herd, pair, number).await;
        most = pair
            .map(|one| known_ids(&herd, one))
            .into_iter()
            .fold(most, usize::max);
    }
    println!("{number} starts, at most {most} ids known");
    assert!(most <= IDS_PER_SERVER_MAX + 2, "{most} ids");
    herd.restart(third);
    as_it_was(&herd, pair, &before).await;
    let clients = herd.server(0).locations.len();
    herd.all_hold(clients).await;
}

/// Both connect to the others, so each takes the other's links away.
#[tokio::test(start_paused = true)]
async fn two_rivals_for_an_hour_leave_the_others_as_they_were() {
    let (pair, third) = ([1, 2], 0);
    let (mut herd, before) = triangle(pair, third).await;
    let ends = Cell::new(0_u64);
    let rival = async || {
        loop {
            let end = herd.run(third).end().await;
            assert_eq!(end, ReplicationEnd::Superseded);
            ends.set(ends.get() + 1);
            sleep(RESTART_AFTER).await;
        }
    };
    let mut most = 0;
    let watch = async {
        let mut number = 1;
        let start = Instant::now();
        while start.elapsed() < HOUR {
            sleep(Duration::from_secs(5)).await;
            number += 1;
            arrives(&herd, pair, number).await;
            most = pair
                .map(|one| known_ids(&herd, one))
                .into_iter()
                .fold(most, usize::max);
        }
    };
    tokio::select! {
        () = watch => {}
        () = rival() => {}
        () = rival() => {}
    }
    let ends = ends.get();
    println!("{ends} ends, at most {most} ids known");
    assert!(ends > 50, "they were rivals {ends} times only");
    assert!(most <= IDS_PER_SERVER_MAX + 2, "{most} ids");
    herd.restart(third);
    as_it_was(&herd, pair, &before).await;
}

/// Superseded incarnations are forgotten while one server is away and knows them still.
#[tokio::test(start_paused = true)]
async fn who_was_away_brings_no_forgotten_incarnation_back() {
    let mut herd = Herd::start(&["Hill", "Smith", "Jaquez"], &[(0, 1), (1, 2)]);
    herd.linked().await;
    for number in 0..100 {
        herd.server(0).report(&format!("client{number}"), 1);
    }
    herd.all_hold(100).await;
    let first = herd.server(0).links.incarnation();
    herd.isolate(2, Stretch::Cut);
    herd.stop(0).await;
    herd.restart(0);
    eventually("Smith has forgotten the first Hill", || {
        let status = herd.server(1).figures.status();
        let mut known = status.members.iter().map(|m| &m.sighting.incarnation);
        status.members.len() == 2 && known.all(|known| *known != first)
    })
    .await;
    // Jaquez has everything of it, and has adopted it meanwhile.
    herd.isolate(2, Stretch::Whole);
    herd.all_hold(100).await;
    eventually("Jaquez has forgotten it too", || known_ids(&herd, 2) == 2).await;
    let status = herd.server(1).figures.status();
    assert!(
        status
            .members
            .iter()
            .all(|m| m.sighting.incarnation != first)
    );
}

/// Its earlier incarnations are its own, so nobody else's death is waited for.
#[tokio::test(start_paused = true)]
async fn a_server_forgets_its_own_earlier_lives() {
    let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
    herd.keep_on_disk(AckLevel::Disk);
    herd.start_all();
    herd.linked().await;
    for round in 0..4_u64 {
        assert!(herd.server(0).report_acknowledged("kiwi", round).await);
        herd.crash(0, Crash::Process).await;
        herd.restart(0);
        sleep(2 * GONE_AFTER).await;
    }
    eventually("all of them are forgotten", || {
        known_ids(&herd, 0) == 1 && known_ids(&herd, 1) == 1
    })
    .await;
    herd.all_hold(1).await;
}
