//! A client that waits for each reply before it sends the next report: what answers it is what it waits for, and never a
//! tick. Time is virtual, so whatever takes longer than the gaps between messages was waited for.

use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_replica::timing::{PUBLISHER_TICK, RECEIVER_TICK, REPORT_INTERVAL, ROUND_GAP};
use tokio::time::{Instant, sleep};

use super::harness::{Herd, eventually};

/// No reply takes longer, with disks and links that take no time: some gaps between messages, and well under any tick.
const AT_ONCE: Duration = Duration::from_millis(20);

const _: () = {
    assert!(AT_ONCE.as_millis() * 10 < PUBLISHER_TICK.as_millis());
    assert!(AT_ONCE.as_millis() * 10 < RECEIVER_TICK.as_millis());
    assert!(AT_ONCE.as_millis() * 10 < REPORT_INTERVAL.as_millis());
};

/// How long a client thinks before its next report: not at all, within the gaps between messages, and longer than ticks.
const PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(3),
    Duration::from_millis(130),
    Duration::from_millis(777),
];

const REPORTS: u64 = 50;

/// Every level that so many servers in a row can have, with the herd up and the first report acknowledged.
async fn each_herd(mut with: impl AsyncFnMut(Herd, &str)) {
    let all = [AckLevel::Disk, AckLevel::Peer, AckLevel::DiskAndPeer];
    let names = ["Hill", "Smith", "Jaquez"];
    for count in 1..=names.len() {
        let links: Vec<_> = (1..count).map(|to| (to - 1, to)).collect();
        for ack in all.into_iter().filter(|ack| count > 1 || !ack.needs_peer()) {
            let mut herd = Herd::stopped(&names[..count], &links);
            herd.keep_on_disk(ack);
            herd.start_all();
            herd.linked().await;
            for position in 0..count {
                let first = format!("first{position}");
                assert!(herd.server(position).report_acknowledged(&first, 1).await);
            }
            with(herd, &format!("{ack} with {count} servers")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_reply_of_a_lone_client_waits_for_a_tick() {
    each_herd(async |herd, what| {
        for pause in PAUSES {
            for time in 1..=REPORTS {
                for server in herd.running() {
                    let begin = Instant::now();
                    assert!(
                        server.report_acknowledged(&server.name, time).await,
                        "{what}"
                    );
                    let took = begin.elapsed();
                    assert!(
                        took < AT_ONCE,
                        "{what}: {took:?} after {pause:?} at {}",
                        server.name
                    );
                }
                sleep(pause).await;
            }
        }
    })
    .await;
}

/// What it waits for then is a round that begins later and has nothing to publish.
#[tokio::test(start_paused = true)]
async fn a_report_that_a_round_took_along_already_does_not_wait() {
    each_herd(async |herd, what| {
        for time in 1..=REPORTS {
            let server = herd.server(0);
            server.report("kiwi", time);
            eventually("a round takes it along", || {
                server.locations.pending_len() == 0
            })
            .await;
            let begin = Instant::now();
            let ticket = server.acknowledgements.ticket();
            let confirmed = server.acknowledgements.confirmed(ticket).await;
            let took = begin.elapsed();
            assert!(
                confirmed.is_ok() && took < AT_ONCE,
                "{what}: {confirmed:?}, {took:?}"
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_report_that_changes_nothing_does_not_wait_for_a_tick() {
    each_herd(async |herd, what| {
        for (position, server) in herd.running().enumerate() {
            // Heard here, or by a neighbour.
            for client in ["kiwi", "emu"] {
                assert!(
                    herd.server(0).report_acknowledged(client, 5).await,
                    "{what}"
                );
                eventually("it is known", || server.time_of(client).is_some()).await;
                for repeat in 0..REPORTS {
                    let begin = Instant::now();
                    let told = server.report_acknowledged(client, 5 - repeat % 3).await;
                    let took = begin.elapsed();
                    assert!(
                        told && took < AT_ONCE,
                        "{what}: {took:?} at {position}, {repeat}"
                    );
                    sleep(PAUSES[repeat as usize % 3]).await;
                }
            }
        }
    })
    .await;
}

/// Several reports of one client wait for rounds of their own; none is confirmed by a tick either.
#[tokio::test(start_paused = true)]
async fn reports_close_behind_each_other_do_not_wait_for_a_tick() {
    each_herd(async |herd, what| {
        let server = herd.server(0);
        for time in 1..=REPORTS {
            let reports = (0..4_u32).map(|late| async move {
                sleep(ROUND_GAP * late / 7).await;
                let begin = Instant::now();
                let time = 4 * time + u64::from(late);
                assert!(server.report_acknowledged("kiwi", time).await);
                begin.elapsed()
            });
            let took = futures_util::future::join_all(reports).await;
            assert!(took.iter().all(|took| *took < AT_ONCE), "{what}: {took:?}");
        }
    })
    .await;
}
