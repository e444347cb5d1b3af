//! Servers that are killed and come back without their memory.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use herd_integration_tests::{Client, Herd, eventually};
use tokio::time::sleep;

use crate::{NAMES, TIME, UCLA, ids};

/// How often the server is killed and started again.
const RESTARTS: usize = 10;

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
async fn ten_restarts_under_load_delay_no_other_records() {
    let mut herd = Herd::five().await;
    let restarted = AtomicUsize::new(0);
    let addresses = NAMES.map(|name| herd.server(name).client_address());
    let [hill, jaquez, smith, campbell, _] = addresses;
    let restarts = async {
        let mut own = Vec::new();
        for restart in 0..RESTARTS {
            let id = format!("own{restart}");
            let line = herd.client("Singleton").await.report(&id, UCLA, TIME).await;
            for name in NAMES {
                herd.knows(name, &id, &line).await;
            }
            own.push(id);
            herd.server_mut("Singleton").kill();
            herd.server_mut("Singleton").restart().await;
            restarted.fetch_add(1, Ordering::Relaxed);
        }
        own
    };
    let (own, mut took_restarts, ..) = tokio::join!(
        restarts,
        // From Hill to Campbell there is a way without Singleton.
        probes(hill, campbell, &restarted),
        moving_clients(hill, "hill", &restarted),
        moving_clients(jaquez, "jaquez", &restarted),
        moving_clients(smith, "smith", &restarted),
        moving_clients(campbell, "campbell", &restarted),
    );
    took_restarts.sort_unstable();
    let nine_of_ten = took_restarts[took_restarts.len() * 9 / 10];
    assert!(nine_of_ten <= 1, "{took_restarts:?}");
    let mut clients = own;
    for prefix in ["hill", "jaquez", "smith", "campbell"] {
        clients.extend(ids(prefix, 100));
    }
    herd.agree(&NAMES, &clients).await;
    // Only the ids of the ten are left.
    for name in ["Hill", "Jaquez", "Smith", "Campbell"] {
        let log = herd.log(name);
        eventually(format!("{name} has buried ten"), async || {
            let buried = log.lines_with(0, &["buried: ", "incarnation=Singleton/"]);
            buried.len() >= RESTARTS
        })
        .await;
    }
    herd.agree(&NAMES, &clients).await;
}

/// Reports a hundred clients again and again until the restarts are over.
async fn moving_clients(at: SocketAddr, prefix: &str, restarted: &AtomicUsize) {
    let mut client = Client::connect(at).await;
    let moving = ids(prefix, 100);
    let mut second = 1_520_023_935;
    while restarted.load(Ordering::Relaxed) < RESTARTS {
        second += 1;
        client.report_all(&moving, UCLA, &second.to_string()).await;
        sleep(Duration::from_millis(50)).await;
    }
}

/// Reports one new client after the other at one server until the restarts are over. Returns for each the number of
/// restarts that ended before another server knew it.
async fn probes(from: SocketAddr, to: SocketAddr, restarted: &AtomicUsize) -> Vec<usize> {
    let mut from = Client::connect(from).await;
    let mut to = Client::connect(to).await;
    let mut took_restarts = Vec::new();
    for number in 0.. {
        let before = restarted.load(Ordering::Relaxed);
        if before == RESTARTS {
            break;
        }
        let id = format!("probe{number}");
        let line = from.report(&id, UCLA, TIME).await;
        let arrived = async || to.find(&id).await.as_ref() == Some(&line);
        eventually("a probe arrives", arrived).await;
        took_restarts.push(restarted.load(Ordering::Relaxed) - before);
    }
    took_restarts
}
