//! `/readyz`: when clients should be sent to a server.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use herd_integration_tests::{Herd, Topology, eventually};
use tokio::time::{sleep, timeout};

use crate::disk_faults::damage;
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
async fn a_server_is_ready_once_it_has_caught_up_and_stays_so() {
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

/// Waits until a server says that it is ready, and sees that it answers for every one of these clients from then on.
async fn is_complete_when_ready(herd: &Herd, server: &str, clients: &[String], lines: &[String]) {
    let http = reqwest::Client::new();
    let at = herd.server(server).addresses().http;
    let mut client = herd.client(server).await;
    eventually(format!("{server} is ready"), async || {
        readyz(&http, at).await.0 == 200
    })
    .await;
    let found = client.find_all(clients).await;
    let missing = clients
        .iter()
        .zip(found)
        .zip(lines)
        .filter(|((_, found), line)| found.as_ref() != Some(line));
    let missing: Vec<&String> = missing.map(|((id, _), _)| id).collect();
    assert!(
        missing.is_empty(),
        "{server} is ready without {} of {} clients: {missing:?}",
        missing.len(),
        clients.len()
    );
}

/// Reports of as many clients at each of these servers, all of them acknowledged. Adds to clients and their lines.
async fn report_at(
    herd: &Herd,
    servers: &[&str],
    prefix: &str,
    (clients, lines): (&mut Vec<String>, &mut Vec<String>),
) {
    for server in servers {
        let new = ids(&format!("{prefix}-{server}-"), 100);
        let mut client = herd.client(server).await;
        lines.extend(client.report_all(&new, UCLA, TIME).await);
        clients.extend(new);
    }
}

const TRIANGLE: [&str; 3] = ["Hill", "Jaquez", "Smith"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diskless_server_is_ready_with_all_acknowledged_reports() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let links = [("Hill", "Jaquez"), ("Jaquez", "Smith"), ("Hill", "Smith")];
    for lost in TRIANGLE {
        let mut herd = Herd::builder(Topology::new(&TRIANGLE, &links))
            .on_disk()
            .argument("--ack=disk,peer")
            .start()
            .await;
        let (mut clients, mut lines) = (Vec::new(), Vec::new());
        let all = (&mut clients, &mut lines);
        report_at(&herd, &TRIANGLE, "kiwi", all).await;
        for name in TRIANGLE {
            herd.server_mut(name).kill();
        }
        herd.server_mut(lost).wipe();
        for name in TRIANGLE {
            herd.server_mut(name).start();
        }
        for name in TRIANGLE {
            assert!(herd.server_mut(name).try_listening().await);
        }
        let looks = TRIANGLE.map(|name| is_complete_when_ready(&herd, name, &clients, &lines));
        join_all(looks).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_ready_after_a_kill_and_a_lost_store() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut herd = Herd::builder(Topology::five())
        .on_disk()
        .argument("--ack=disk,peer")
        .start()
        .await;
    let (mut clients, mut lines) = (Vec::new(), Vec::new());
    report_at(&herd, &NAMES, "early", (&mut clients, &mut lines)).await;
    herd.server_mut("Singleton").kill();
    let left = ["Hill", "Jaquez", "Smith", "Campbell"];
    report_at(&herd, &left, "late", (&mut clients, &mut lines)).await;
    for name in left {
        assert_eq!(herd.server_mut(name).terminate().await.code(), Some(0));
    }
    let folder = herd.server("Jaquez").data_folder().to_owned();
    damage(&folder.join("store"));
    for name in NAMES {
        herd.server_mut(name).start();
    }
    for name in NAMES {
        assert!(herd.server_mut(name).try_listening().await);
    }
    let whole = ["Hill", "Smith", "Campbell", "Singleton"];
    let looks = whole.map(|name| is_complete_when_ready(&herd, name, &clients, &lines));
    join_all(looks).await;
    // Where replies promise a disk, a server without one is not ready, even if it has caught up.
    let http = herd.server("Jaquez").addresses().http;
    let (status, why) = readyz(&reqwest::Client::new(), http).await;
    assert!(status == 503 && why.contains("store"), "{status}: {why}");
    herd.server_mut("Jaquez").terminate().await;
    let output = std::process::Command::new(herd_integration_tests::binary::herd())
        .args(["store", "set-aside", "--data-dir"])
        .arg(&folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    herd.server_mut("Jaquez").restart().await;
    is_complete_when_ready(&herd, "Jaquez", &clients, &lines).await;
}
