//! What an acknowledgement promises is so when it is given.

use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_crdt::Outcome;
use herd_storage::{CommitFault, Crash};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep};

use super::harness::{Herd, eventually};
use super::network::Stretch;

/// Hill and Smith, and Jaquez behind Smith.
fn three(ack: AckLevel) -> Herd {
    let mut herd = Herd::stopped(&["Hill", "Smith", "Jaquez"], &[(0, 1), (1, 2)]);
    herd.keep_on_disk(ack);
    herd.start_all();
    herd
}

#[tokio::test(start_paused = true)]
async fn a_lost_neighbour_confirms_no_repeated_report() {
    for ack in [AckLevel::Peer, AckLevel::DiskAndPeer] {
        let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
        herd.keep_on_disk(ack);
        herd.start_all();
        herd.linked().await;
        assert!(herd.server(0).report_acknowledged("hills", 5).await);
        assert!(herd.server(1).report_acknowledged("smiths", 5).await);
        herd.all_hold(2).await;
        // Smith is lost with its disk. Now Hill is the only one that holds either.
        herd.crash(1, Crash::Wipe).await;
        let hill = herd.server(0);
        let link = hill.links.neighbour("Smith").unwrap();
        eventually("the link is down", || !link.is_up()).await;
        for client in ["hills", "smiths"] {
            for time in [5, 4] {
                let told = hill.report_acknowledged(client, time).await;
                assert!(!told, "{ack}: {client} at {time} is nowhere but here");
                assert_eq!(hill.time_of(client).as_deref(), Some("5"));
            }
        }
        herd.restart(1);
        for client in ["hills", "smiths"] {
            assert!(herd.server(0).report_acknowledged(client, 4).await);
            let known = herd.server(1).time_of(client);
            assert_eq!(known.as_deref(), Some("5"), "{ack}: {client}");
        }
        // Of two that publish it for this reason only, one remains.
        for client in ["hills", "smiths"] {
            eventually("one publishes it", || herd.publishers(client).len() == 1).await;
        }
    }
}

/// The link still seems to be up, and the neighbour's last report on it says that it has the record.
#[tokio::test(start_paused = true)]
async fn a_neighbour_that_does_not_answer_confirms_no_repeat() {
    for ack in [AckLevel::Peer, AckLevel::DiskAndPeer] {
        let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
        herd.keep_on_disk(ack);
        herd.start_all();
        herd.linked().await;
        let hill = herd.server(0);
        assert!(hill.report_acknowledged("kiwi", 5).await);
        assert!(hill.report_acknowledged("kiwi", 5).await);
        herd.isolate(1, Stretch::Silent);
        let link = hill.links.neighbour("Smith").unwrap();
        assert!(link.is_up());
        assert!(!hill.report_acknowledged("kiwi", 5).await, "{ack}");
        herd.isolate(1, Stretch::Cut);
        herd.isolate(1, Stretch::Whole);
        eventually("the link is up again", || link.is_up()).await;
        assert!(hill.report_acknowledged("kiwi", 5).await, "{ack}");
    }
}

/// Two servers publish what another heard, or what this one did: in either case it is there to be asked for.
#[tokio::test(start_paused = true)]
async fn a_hundred_repeats_are_confirmed_and_published_once_at_most() {
    for ack in [AckLevel::Disk, AckLevel::Peer, AckLevel::DiskAndPeer] {
        let herd = three(ack);
        herd.linked().await;
        assert!(herd.server(0).report_acknowledged("hills", 5).await);
        assert!(herd.server(1).report_acknowledged("smiths", 5).await);
        herd.all_hold(2).await;
        for (client, publications_max) in [("hills", 0), ("smiths", 1)] {
            let hill = herd.server(0);
            let others = || herd.running().skip(1);
            let seen = || others().map(|server| server.locations.outcomes().get(Outcome::Same));
            let before: Vec<u64> = seen().collect();
            for repeat in 0..100 {
                let begin = Instant::now();
                assert!(hill.report_acknowledged(client, 5 - repeat % 2).await);
                let took = begin.elapsed();
                assert!(took < Duration::from_millis(20), "{ack}: {client} {took:?}");
            }
            sleep(Duration::from_secs(5)).await;
            for (before, now) in before.into_iter().zip(seen()) {
                let publications = now - before;
                assert!(
                    publications <= publications_max,
                    "{ack}: {client} {publications}"
                );
            }
            assert_eq!(hill.time_of(client).as_deref(), Some("5"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_whose_store_fails_confirms_nothing_more() {
    for failing in ["commit", "sync"] {
        let herd = three(AckLevel::DiskAndPeer);
        herd.linked().await;
        assert!(herd.server(0).report_acknowledged("kiwi", 1).await);
        let disk = herd.disks[1].as_ref().unwrap();
        match failing {
            "commit" => disk.fail_next_commits(1, CommitFault::Io),
            _ => disk.fail_sync(),
        }
        for time in 2..5 {
            let told = herd.server(0).report_acknowledged("kiwi", time).await;
            assert!(!told, "{failing}: Smith has it in memory only");
        }
        eventually("Smith has it in memory", || {
            herd.server(1).time_of("kiwi").as_deref() == Some("4")
        })
        .await;
        // Smith itself promises nothing more, and says so at once; through it all goes on.
        assert!(!herd.server(1).report_acknowledged("emu", 1).await);
        let figures = herd.server(1).acknowledgements.figures();
        assert_eq!(figures.disk_failed, 1, "{figures:?}");
        herd.all_hold(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stalled_disk_holds_up_is_refused_in_time_and_not_lost() {
    let herd = three(AckLevel::Disk);
    herd.linked().await;
    let hill = herd.server(0);
    assert!(hill.report_acknowledged("kiwi", 1).await);
    let disk = herd.disks[0].as_ref().unwrap();
    disk.stall();
    let start = Instant::now();
    assert!(!hill.report_acknowledged("kiwi", 2).await);
    assert!(start.elapsed() < Duration::from_secs(3));
    // Nobody else waits for it.
    eventually("the others know it", || {
        herd.server(2).time_of("kiwi").as_deref() == Some("2")
    })
    .await;
    disk.release();
    assert!(hill.report_acknowledged("kiwi", 2).await);
}

/// Links come and go, for once for so long that this server is buried; whatever it says is so.
#[tokio::test(start_paused = true)]
async fn whoever_is_told_that_a_neighbour_has_it_can_find_it_there() {
    let mut rng = StdRng::seed_from_u64(20);
    let herd = three(AckLevel::Peer);
    herd.linked().await;
    let before = herd.server(0).links.incarnation();
    let (mut told, mut refused) = (0, 0);
    for step in 1..=200_u64 {
        match rng.random_range(0..10) {
            0 => herd.isolate(0, Stretch::Cut),
            1 => herd.isolate(0, Stretch::Silent),
            2..5 => herd.isolate(0, Stretch::Whole),
            _ => {}
        }
        if step == 100 {
            herd.isolate(0, Stretch::Cut);
            let smith = herd.server(1);
            eventually("Hill is buried", || {
                smith.figures.status().buried.contains(&before)
            })
            .await;
            herd.isolate(0, Stretch::Whole);
        }
        let client = format!("client{}", rng.random_range(0..10));
        // Now and then Smith hears of it too, and it is Smith's report that counts.
        if rng.random_bool(0.2) {
            herd.server(1).report(&client, step);
        }
        let time = step - rng.random_range(0..3_u64).min(step - 1);
        if herd.server(0).report_acknowledged(&client, time).await {
            told += 1;
            let there = herd.server(1).time_of(&client);
            let there = there.and_then(|time| time.parse::<u64>().ok());
            assert!(
                there.is_some_and(|there| there >= time),
                "step {step}: {client} was acknowledged at {time}, and Smith has {there:?}"
            );
        } else {
            refused += 1;
        }
        sleep(Duration::from_millis(rng.random_range(0..300))).await;
    }
    assert!(told > 20 && refused > 20, "{told} told, {refused} refused");
    assert!(herd.server(0).links.incarnation().generation > before.generation);
}
