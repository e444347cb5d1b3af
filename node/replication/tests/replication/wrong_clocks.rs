//! Wall clocks that jump, or are wrong all the time. Nothing of replication follows them.

use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_storage::Crash;

use super::harness::{Herd, eventually};

const HOUR_S: i64 = 3_600;
const CLIENTS: usize = 50;

/// Each server hears of clients of its own, and of one that all know.
fn report_all(herd: &Herd, kind: &str, time: u64) {
    for (position, server) in herd.running().enumerate() {
        for number in 0..CLIENTS {
            server.report(&format!("{kind}{number}-{}", server.name), time);
        }
        server.report("everyones", time + position as u64);
    }
}

fn five() -> Herd {
    let mut herd = Herd::five_stopped();
    herd.keep_on_disk(AckLevel::Disk);
    herd.allowed_skew = Some(Duration::from_secs(2 * 3_600));
    herd
}

/// All hold the same after so many calls of [`report_all`].
async fn agree(herd: &Herd, reports: usize, everyones: u64) {
    herd.all_hold(reports * 5 * CLIENTS + 1).await;
    for server in herd.running() {
        let what = format!("{} knows the last report of all", server.name);
        eventually(&what, || {
            server.time_of("everyones") == Some(everyones.to_string())
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_changes_nothing_but_what_is_said_of_it() {
    let mut herd = five();
    herd.start_all();
    herd.linked().await;
    let mut reports = 0;
    for ahead_s in [30 * HOUR_S, -30 * HOUR_S, 0, 24 * 365 * HOUR_S, 0] {
        herd.clocks[2].set_ahead(ahead_s);
        let wrong = ahead_s != 0;
        let smith = herd.server(2);
        eventually("Smith sees that all others disagree", || {
            let view = smith.figures.clocks();
            view.heard == 3 && view.most_disagree() == wrong
        })
        .await;
        let campbell = herd.server(3);
        eventually("Campbell sees that one of two disagrees", || {
            let view = campbell.figures.clocks();
            (view.heard, view.apart) == (2, usize::from(wrong)) && !view.most_disagree()
        })
        .await;
        reports += 1;
        let time = reports as u64 * 1_000;
        report_all(&herd, &format!("r{reports}-"), time);
        agree(&herd, reports, time + 4).await;
        assert!(herd.server(2).report_acknowledged("everyones", time).await);
    }
    // Nobody was taken for dead because of it.
    for server in herd.running() {
        assert_eq!(server.figures.status().adopted, 0, "{}", server.name);
    }
}

#[tokio::test(start_paused = true)]
async fn servers_whose_clocks_are_wrong_by_hours_agree_and_restart() {
    let mut herd = five();
    for (clock, hours) in herd.clocks.iter().zip([-20, -5, 0, 7, 30]) {
        clock.set_ahead(hours * HOUR_S);
    }
    herd.start_all();
    herd.linked().await;
    report_all(&herd, "first", 1_000);
    agree(&herd, 1, 1_004).await;
    // Each is set to another wrong time while it is down, the foremost far back.
    for (position, hours) in [(0, 5), (4, -300), (1, -6), (3, 0)] {
        let before = herd.server(position).links.incarnation().generation;
        assert!(herd.server(position).report_acknowledged("own", 1).await);
        herd.crash(position, Crash::Tear { seed: 3 }).await;
        herd.clocks[position].set_ahead(hours * HOUR_S);
        herd.restart(position);
        let links = herd.server(position).links.clone();
        eventually("it has a later generation", || {
            links.incarnation().generation > before
        })
        .await;
    }
    report_all(&herd, "second", 2_000);
    herd.all_hold(2 * 5 * CLIENTS + 2).await;
    for server in herd.running() {
        let what = format!("{} knows the last report of all", server.name);
        eventually(&what, || {
            server.time_of("everyones").as_deref() == Some("2004")
        })
        .await;
    }
}
