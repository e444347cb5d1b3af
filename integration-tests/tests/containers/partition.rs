//! Servers that are cut off from each other.

use herd_integration_tests::containers::{Herd, skipped};
use herd_integration_tests::eventually;

use crate::{NAMES, TIME, UCLA};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_serve_and_agree_again_when_they_meet() {
    if skipped().await {
        return;
    }
    let mut herd = Herd::builder().start().await;
    let common = herd.client("Hill").await.report("common", UCLA, TIME).await;
    for name in NAMES {
        herd.knows(name, "common", &common).await;
    }
    // Two servers on each side are enough for `--ack disk,peer`.
    herd.partition(&["Campbell", "Smith"]).await;
    let (campbell, hill) = (herd.client("Campbell").await, herd.client("Hill").await);
    let here = report(campbell, "1520023935").await;
    let there = report(hill, "1520023936").await;
    herd.knows("Smith", "moving", &here).await;
    for name in ["Jaquez", "Singleton"] {
        herd.knows(name, "moving", &there).await;
    }
    herd.knows("Smith", "common", &common).await;
    herd.heal().await;
    for name in NAMES {
        herd.knows(name, "moving", &there).await;
    }

    // A server that is all alone answers from its own map. It was ready, so it stays in the service.
    herd.disconnect("Campbell").await;
    eventually("Campbell notes that its links are lost", async || {
        herd.log("Campbell").await.matches("link lost").count() >= 4
    })
    .await;
    for name in NAMES {
        assert!(herd.is_ready(name).await, "{name}");
        assert!(herd.is_alive(name).await, "{name}");
    }
    let alone = herd.client("Hill").await.report("alone", UCLA, TIME).await;
    let mut campbell = herd.client("Campbell").await;
    assert_eq!(campbell.find("moving").await, Some(there));
    assert_eq!(campbell.find("alone").await, None);
    herd.reconnect("Campbell").await;
    herd.knows("Campbell", "alone", &alone).await;
    // Found by its name again, too: a neighbour that comes back has to resolve it.
    herd.kill("Smith").await;
    herd.restart("Smith").await;
    herd.knows("Smith", "alone", &alone).await;
}

/// Reports once replies are acknowledged: while links are being found dead, none can be. Returns the
/// AT line.
async fn report(mut client: herd_integration_tests::Client, time: &str) -> String {
    eventually("a report is acknowledged", async || {
        let reply = client.try_report("probe", UCLA, time).await.unwrap();
        reply.starts_with("AT ")
    })
    .await;
    client.report("moving", UCLA, time).await
}
