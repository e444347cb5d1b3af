//! A report to one server reaches all, even if one of them fails.

use herd_integration_tests::containers::{Herd, skipped};

use crate::{NAMES, TIME, UCLA};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_to_one_server_reaches_all() {
    if skipped().await {
        return;
    }
    let herd = Herd::builder().start().await;
    assert_eq!(herd.names(), NAMES);
    for heard_by in NAMES {
        let id = format!("by-{heard_by}");
        let at = herd.client(heard_by).await.report(&id, UCLA, TIME).await;
        assert!(at.starts_with(&format!("AT {heard_by} ")), "{at}");
        for name in NAMES {
            herd.knows(name, &id, &at).await;
        }
    }
    for name in NAMES {
        assert!(herd.is_alive(name).await, "{name}");
        let (status, text) = herd.get(name, "/readyz").await.unwrap();
        assert_eq!((status, &*text), (200, "ready\n"), "{name}");
        assert!(herd.client_address(name).await.ip().is_loopback());
        let log = herd.log(name).await;
        assert!(
            !log.contains("\"ERROR\"") && !log.contains("panicked"),
            "{log}"
        );
    }
    assert_eq!(herd.endpoints().await.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_or_frozen_server_delays_no_other() {
    if skipped().await {
        return;
    }
    let mut herd = Herd::builder().start().await;
    let before = herd
        .client("Smith")
        .await
        .report("before", UCLA, TIME)
        .await;
    for name in NAMES {
        herd.knows(name, "before", &before).await;
    }
    // Frozen: it keeps its connections, and its probes fail.
    herd.pause("Smith").await;
    assert!(!herd.is_ready("Smith").await);
    let meanwhile = herd
        .client("Hill")
        .await
        .report("meanwhile", UCLA, TIME)
        .await;
    for name in ["Jaquez", "Singleton", "Campbell"] {
        herd.knows(name, "meanwhile", &meanwhile).await;
    }
    herd.resume("Smith").await;
    herd.knows("Smith", "meanwhile", &meanwhile).await;
    assert!(herd.is_alive("Smith").await);

    // Killed, and back in another container that mostly has another address.
    let ended = herd.kill("Smith").await;
    assert_eq!(ended.status, 137);
    let after = herd
        .client("Campbell")
        .await
        .report("after", UCLA, TIME)
        .await;
    for name in ["Hill", "Jaquez", "Singleton"] {
        herd.knows(name, "after", &after).await;
    }
    herd.restart("Smith").await;
    // Ready means that it knows by now.
    let mut smith = herd.client("Smith").await;
    for (id, at) in [
        ("before", &before),
        ("meanwhile", &meanwhile),
        ("after", &after),
    ] {
        assert_eq!(smith.find(id).await.as_ref(), Some(at), "{id}");
    }
}
