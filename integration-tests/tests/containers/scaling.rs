//! More servers than before.

use herd_integration_tests::Topology;
use herd_integration_tests::containers::{Herd, skipped};

use crate::{TIME, UCLA};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_servers_become_seven() {
    if skipped().await {
        return;
    }
    let mut herd = Herd::builder()
        .variable("HERD_DRAIN_DELAY", "0")
        .start()
        .await;
    let before = herd.client("Hill").await.report("before", UCLA, TIME).await;
    let five = Topology::five();
    let mut names: Vec<&str> = five.servers().iter().map(|name| &**name).collect();
    let mut links: Vec<(&str, &str)> = Vec::new();
    for &(a, b) in five.links() {
        links.push((names[a], names[b]));
    }
    names.extend(["Bolden", "Alford"]);
    links.extend([
        ("Bolden", "Hill"),
        ("Alford", "Bolden"),
        ("Alford", "Campbell"),
    ]);
    herd.scale(&Topology::new(&names, &links)).await;
    assert_eq!(herd.names(), names);
    for name in &names {
        herd.knows(name, "before", &before).await;
        let id = format!("by-{name}");
        let at = herd.client(name).await.report(&id, UCLA, TIME).await;
        for other in &names {
            herd.knows(other, &id, &at).await;
        }
    }
}
