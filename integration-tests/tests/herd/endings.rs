//! A server that is told to stop.

use herd_integration_tests::{Client, Herd};

use crate::{NAMES, TIME, UCLA, ids};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_reports_before_sigterm_reach_the_others() {
    let mut herd = Herd::five().await;
    let mut clients = Vec::new();
    for ending in NAMES {
        let last = ids(&format!("{ending}-"), 500);
        let mut client = herd.client(ending).await;
        let lines = client.report_all(&last, UCLA, TIME).await;
        let status = herd.server_mut(ending).terminate().await;
        assert_eq!(status.code(), Some(0), "{ending}");
        assert_eq!(client.rest().await, b"");
        let gone = Client::try_connect(herd.server(ending).client_address()).await;
        assert!(gone.is_err(), "{ending} is gone and accepts connections");
        // The server ended, so everything that a neighbour knows came in time.
        let mut known = 0;
        for neighbour in herd.topology().neighbours(ending) {
            let found = herd.client(neighbour).await.find_all(&last).await;
            known += usize::from(found.into_iter().flatten().eq(lines.iter().cloned()));
        }
        assert!(known > 0, "no neighbour of {ending} has its last records");
        clients.extend(last);
        herd.server_mut(ending).restart().await;
        herd.agree(&NAMES, &clients).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_herd_can_be_told_to_stop_at_once() {
    let mut herd = Herd::five().await;
    herd.client("Hill").await.report("kiwi", UCLA, TIME).await;
    for name in NAMES {
        let process = herd.server_mut(name).process();
        process.terminate();
    }
    for name in NAMES {
        let status = herd.server_mut(name).ended().await;
        assert_eq!(status.code(), Some(0), "{name}");
        let said = herd.log(name).text();
        assert!(
            !said.contains("ERROR") && !said.contains("panicked"),
            "{said}"
        );
    }
}
