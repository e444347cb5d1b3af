//! Work that ends is not death.

use std::time::Duration;

use herd_integration_tests::Herd;
use tokio::time::{Instant, sleep};

use crate::{NAMES, UCLA, ids};

const BUSY: Duration = Duration::from_secs(10);

/// Longer than a silent server takes to count as gone, which is 10 s. That nothing happens can only be
/// seen by waiting.
const IDLE: Duration = Duration::from_secs(13);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_server_is_gone_when_a_busy_herd_goes_idle() {
    let herd = Herd::five().await;
    let mut loads = tokio::task::JoinSet::new();
    let started = Instant::now();
    let mut clients = Vec::new();
    for name in NAMES {
        let own = ids(name, 200);
        clients.extend(own.clone());
        let mut client = herd.client(name).await;
        loads.spawn(async move {
            let mut second = 1_520_023_934;
            while started.elapsed() < BUSY {
                second += 1;
                client.report_all(&own, UCLA, &second.to_string()).await;
                sleep(Duration::from_millis(10)).await;
            }
        });
    }
    while let Some(load) = loads.join_next().await {
        load.unwrap();
    }
    herd.agree(&NAMES, &clients).await;
    sleep(IDLE).await;
    for name in NAMES {
        for text in ["gone:", "ERROR "] {
            let said = herd.log(name).lines_with(0, &[text]);
            assert!(said.is_empty(), "{name}: {said:?}");
        }
        let lost = herd.server(name).links_lost(0);
        assert!(lost.is_empty(), "{name}: {lost:?}");
    }
    herd.agree(&NAMES, &clients).await;
}
