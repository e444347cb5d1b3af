//! Servers that are killed and come back without their memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use herd_integration_tests::{Herd, eventually};

use crate::{NAMES, TIME, UCLA, ids};

/// If more than one of ten records take longer, restarts hold them up. Without them it takes some milliseconds.
const HELD_UP: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_its_memory_learns_the_whole_map() {
    let mut herd = Herd::five().await;
    let clients = ids("client", 10_000);
    for (name, part) in NAMES.into_iter().zip(clients.chunks(2_000)) {
        herd.client(name).await.report_all(part, UCLA, TIME).await;
    }
    let before = herd.agree(&NAMES, &clients).await;
    herd.server_mut("Singleton").kill();
    herd.server_mut("Singleton").restart().await;
    assert_eq!(herd.agree(&NAMES, &clients).await, before);
    // With all of its first neighbours at once.
    for name in ["Jaquez", "Smith"] {
        herd.server_mut(name).kill();
    }
    for name in ["Jaquez", "Smith"] {
        herd.server_mut(name).restart().await;
    }
    assert_eq!(herd.agree(&NAMES, &clients).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_restarts_under_load_hold_up_nobody_elses_records() {
    let mut herd = Herd::five().await;
    let restarting = AtomicBool::new(true);
    let addresses = NAMES.map(|name| herd.server(name).client_address());
    let [hill, jaquez, smith, campbell, _] = addresses;
    let load = async |at, prefix: &str| {
        let mut client = herd_integration_tests::Client::connect(at).await;
        let moving = ids(prefix, 100);
        let mut second = 1_520_023_935;
        while restarting.load(Ordering::Relaxed) {
            second += 1;
            client.report_all(&moving, UCLA, &second.to_string()).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (moving, second)
    };
    // From Hill to Campbell there is a way without Singleton.
    let probe = async || {
        let mut from = herd_integration_tests::Client::connect(hill).await;
        let mut to = herd_integration_tests::Client::connect(campbell).await;
        let mut took = Vec::new();
        for number in 0.. {
            if !restarting.load(Ordering::Relaxed) {
                break;
            }
            let id = format!("probe{number}");
            let line = from.report(&id, UCLA, TIME).await;
            let arrived = async || to.find(&id).await.as_ref() == Some(&line);
            took.push(eventually("a probe arrives", arrived).await);
        }
        took.sort_unstable();
        took
    };
    let restarts = async {
        let mut own = Vec::new();
        for restart in 0..10 {
            let id = format!("own{restart}");
            let line = herd.client("Singleton").await.report(&id, UCLA, TIME).await;
            for name in NAMES {
                herd.knows(name, &id, &line).await;
            }
            own.push(id);
            herd.server_mut("Singleton").kill();
            herd.server_mut("Singleton").restart().await;
        }
        restarting.store(false, Ordering::Relaxed);
        own
    };
    let (own, took, ..) = tokio::join!(
        restarts,
        probe(),
        load(hill, "hill"),
        load(jaquez, "jaquez"),
        load(smith, "smith"),
        load(campbell, "campbell"),
    );
    assert!(took[took.len() * 9 / 10] < HELD_UP, "{took:?}");
    let mut clients = own;
    for prefix in ["hill", "jaquez", "smith", "campbell"] {
        clients.extend(ids(prefix, 100));
    }
    herd.agree(&NAMES, &clients).await;
    // What is left of the ten is their ids.
    for name in ["Hill", "Jaquez", "Smith", "Campbell"] {
        let log = herd.log(name);
        eventually(format!("{name} has buried ten"), async || {
            log.lines_with(0, &["buried: ", "incarnation=Singleton/"])
                .len()
                >= 10
        })
        .await;
    }
    herd.agree(&NAMES, &clients).await;
}
