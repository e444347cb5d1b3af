//! `/readyz`: when clients should be sent to a server.

use std::net::SocketAddr;
use std::time::Duration;

use herd_integration_tests::{Herd, eventually};
use tokio::time::{sleep, timeout};

use crate::{NAMES, TIME, UCLA, ids};

/// A server without any link is cut off after a minute.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(120);

/// Status and text of `/readyz`.
async fn readyz(http: &reqwest::Client, at: SocketAddr) -> (u16, String) {
    let reply = http
        .get(format!("http://{at}/readyz"))
        .send()
        .await
        .unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_ready_when_it_knows_what_its_neighbours_know_and_stays_so() {
    // The client wants to be able to encrypt. Fails if another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let mut herd = Herd::five().await;
    let clients = ids("client", 20_000);
    herd.client("Hill")
        .await
        .report_all(&clients, UCLA, TIME)
        .await;
    herd.agree(&NAMES, &clients).await;
    herd.server_mut("Singleton").kill();
    herd.server_mut("Singleton").restart().await;
    let singleton = herd.server("Singleton").addresses().http;
    eventually("Singleton is ready", async || {
        readyz(&http, singleton).await == (200, "ready\n".to_owned())
    })
    .await;
    let found = herd.client("Singleton").await.find_all(&clients).await;
    let known = found.iter().flatten().count();
    assert_eq!(known, clients.len(), "it said that it is ready");

    // Alone, it stays ready for a while.
    for name in ["Hill", "Jaquez", "Smith", "Campbell"] {
        herd.server_mut(name).kill();
    }
    let log = herd.log("Singleton");
    for name in ["Jaquez", "Smith", "Campbell"] {
        log.wait_for(0, &["link lost", &format!("neighbour={name}")])
            .await;
    }
    assert_eq!(readyz(&http, singleton).await.0, 200);

    // One that starts alone waits for its neighbours, but not for ever.
    herd.server_mut("Hill").restart().await;
    let hill = herd.server("Hill").addresses().http;
    let waiting = (503, "not ready: waiting for Jaquez, Smith\n".to_owned());
    assert_eq!(readyz(&http, hill).await, waiting);
    eventually("Hill is ready alone", async || {
        readyz(&http, hill).await.0 == 200
    })
    .await;

    // Without any link it is cut off in the end, and not ready; it answers all the same.
    let cut_off = async {
        while readyz(&http, singleton).await.0 == 200 {
            sleep(Duration::from_millis(500)).await;
        }
    };
    assert!(timeout(CUT_OFF_WITHIN, cut_off).await.is_ok());
    let (_, why) = readyz(&http, singleton).await;
    let cut_off = "not ready: cut off: no link to any neighbour for ";
    assert!(why.starts_with(cut_off), "{why}");
    let line = herd
        .client("Singleton")
        .await
        .report("alone", UCLA, TIME)
        .await;
    assert!(herd.has("Singleton", "alone", &line).await);
    herd.server_mut("Smith").restart().await;
    eventually("one link is enough", async || {
        readyz(&http, singleton).await == (200, "ready\n".to_owned())
    })
    .await;
}
