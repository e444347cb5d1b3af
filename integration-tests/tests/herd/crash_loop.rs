//! A server that is killed and started again and again does not disturb the others.

use herd_integration_tests::Herd;

use crate::metrics::Scrape;
use crate::{NAMES, TIME, UCLA};

const STARTS: usize = 60;

/// The most incarnations that gossip knows of one server, and those of the other four.
const IDS_MAX: f64 = 64.0 + 4.0;

async fn known(herd: &Herd, server: &str) -> f64 {
    let scrape = Scrape::of(herd.server(server).addresses().http).await;
    scrape.get("herd_known_incarnations")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_fast_restarts_leave_links_and_ids_of_the_others() {
    let mut herd = Herd::five().await;
    let others = ["Hill", "Jaquez", "Smith", "Singleton"];
    herd.linked().await;
    let marks = others.map(|name| herd.log(name).end());
    let mut most: f64 = 0.0;
    for number in 0..STARTS {
        let campbell = herd.server_mut("Campbell");
        campbell.kill();
        campbell.restart().await;
        let line = herd
            .client("Hill")
            .await
            .report("kiwi", UCLA, &format!("{}", number + 1))
            .await;
        herd.knows("Singleton", "kiwi", &line).await;
        for name in ["Smith", "Singleton"] {
            most = most.max(known(&herd, name).await);
        }
    }
    println!("{STARTS} starts, at most {most} incarnations known");
    assert!(most <= IDS_MAX, "{most}");
    for (name, mark) in others.into_iter().zip(marks) {
        let lost = herd.server(name).links_lost(mark);
        let of_others = |line: &&String| !line.contains("neighbour=Campbell");
        let lost: Vec<&String> = lost.iter().filter(of_others).collect();
        assert!(lost.is_empty(), "{name} lost {lost:?}");
    }
    // The last start gets its link in the end, and is a member like any other.
    let line = herd
        .client("Campbell")
        .await
        .report("emu", UCLA, TIME)
        .await;
    for name in NAMES {
        herd.knows(name, "emu", &line).await;
    }
}
