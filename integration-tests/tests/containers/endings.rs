//! How containers end, and how they refuse to begin.

use std::time::Duration;

use herd_integration_tests::containers::{Herd, run, skipped};
use herd_integration_tests::{Topology, eventually};
use tokio::time::Instant;

use crate::{TIME, UCLA};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_drains_hands_over_and_ends_well() {
    if skipped().await {
        return;
    }
    let pair = Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]);
    let mut herd = Herd::builder().topology(&pair).start().await;
    let smith = herd.http_address("Smith").await;
    let clients = herd.client_address("Smith").await;
    let mut client = herd.client("Smith").await;
    let url = format!("http://{smith}/readyz");
    // The view from outside while the pod is deleted.
    let watching = async {
        let mut seen = (String::new(), String::new());
        eventually("it says that it is not ready", async || {
            let Ok(reply) = reqwest::get(&url).await else {
                return false;
            };
            let not_ready = reply.status().as_u16() == 503;
            seen.0 = reply.text().await.unwrap_or_default();
            not_ready
        })
        .await;
        // It is in no list of endpoints from now on, and connections that still come are served.
        let mut late = herd_integration_tests::Client::connect(clients).await;
        seen.1 = late.report("late", UCLA, TIME).await;
        let early = client.report("early", UCLA, TIME).await;
        (seen, early)
    };
    let deleting = async {
        let started = Instant::now();
        let ended = herd.delete("Smith").await;
        (ended, started.elapsed())
    };
    let (((said, late), early), (ended, took)) = tokio::join!(watching, deleting);
    assert_eq!(said, "not ready: told to stop\n");
    assert_eq!(ended.status, 0, "{}", ended.output);
    assert!(ended.output.contains("\"stopped\""), "{}", ended.output);
    let grace_s = u64::try_from(herd.manifests().grace_s()).unwrap();
    assert!(took < Duration::from_secs(grace_s), "{took:?}");
    // The pod ended, so everything that Hill knows came in time.
    let mut hill = herd.client("Hill").await;
    assert_eq!(hill.find("late").await, Some(late));
    assert_eq!(hill.find("early").await, Some(early));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_arguments_end_with_the_documented_status() {
    if skipped().await {
        return;
    }
    let ended = run(&["serve", "--nmae=Hill"], &[]).await;
    assert_eq!(ended.status, 64, "{}", ended.output);
    let ended = run(&["serve"], &[]).await;
    assert_eq!(ended.status, 64, "{}", ended.output);
    assert!(
        ended.output.contains("no name is given"),
        "{}",
        ended.output
    );
    let ended = run(&["serve"], &[("HERD_POD_NAME", "herd-5")]).await;
    assert_eq!(ended.status, 64, "{}", ended.output);
    assert!(
        ended
            .output
            .contains("pod `herd-5` would be server number 6"),
        "{}",
        ended.output
    );
    let ended = run(&["--version"], &[]).await;
    assert_eq!(ended.status, 0, "{}", ended.output);
}
