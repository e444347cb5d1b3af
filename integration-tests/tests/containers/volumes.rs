//! Killed pods, and the content of their volumes.

use herd_integration_tests::containers::{Herd, skipped};

use crate::{NAMES, TIME, UCLA};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_reports_survive_with_and_without_a_volume() {
    if skipped().await {
        return;
    }
    let mut herd = Herd::builder().start().await;
    let ids: Vec<String> = (0..500).map(|number| format!("client{number}")).collect();
    let told = herd.client("Hill").await.report_all(&ids, UCLA, TIME).await;
    // All at once, so no server is left to learn from.
    for name in NAMES {
        assert_eq!(herd.kill(name).await.status, 137);
    }
    for name in NAMES {
        herd.start(name).await;
    }
    for name in NAMES {
        herd.ready(name).await;
    }
    let found = herd.client("Hill").await.find_all(&ids).await;
    assert!(
        found.iter().flatten().eq(told.iter()),
        "Hill said that it has them on disk"
    );

    // Without its volume a server learns from its neighbours.
    herd.kill("Hill").await;
    herd.remove_volumes("Hill").await;
    herd.restart("Hill").await;
    let found = herd.client("Hill").await.find_all(&ids).await;
    assert!(found.iter().flatten().eq(told.iter()), "Hill is ready");
}
