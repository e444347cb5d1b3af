//! A rolling update under a client that never stops.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use herd_integration_tests::Client;
use herd_integration_tests::containers::{Herd, skipped};
use tokio::time::sleep;

use crate::{NAMES, TIME, UCLA};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_update_loses_no_acknowledged_report() {
    if skipped().await {
        return;
    }
    let mut herd = Herd::builder()
        .variable("HERD_DRAIN_DELAY", "2s")
        .start()
        .await;
    let service = Service {
        endpoints: Mutex::new(herd.endpoints().await),
        rolled: AtomicBool::new(false),
    };
    let rolling = async {
        let mut ended = Vec::new();
        for name in NAMES.into_iter().rev() {
            // The behaviour of a Service when a pod is deleted.
            service.leave_out(herd.client_address(name).await);
            ended.push(herd.delete(name).await);
            herd.restart(name).await;
            *service.endpoints.lock().unwrap() = herd.endpoints().await;
        }
        service.rolled.store(true, Ordering::Relaxed);
        ended
    };
    let (told, ended) = tokio::join!(service.reports(), rolling);
    for ended in ended {
        assert_eq!(ended.status, 0, "{}", ended.output);
        assert!(
            ended.output.contains("SIGTERM: not ready"),
            "{}",
            ended.output
        );
    }
    assert!(told.len() >= 50, "only {} reports", told.len());
    for name in NAMES {
        let ids: Vec<String> = told.iter().map(|(id, _)| id.clone()).collect();
        let found = herd.client(name).await.find_all(&ids).await;
        for ((id, at), found) in told.iter().zip(found) {
            assert_eq!(found.as_ref(), Some(at), "{name} about {id}");
        }
    }
}

/// A rolling update, as clients of a Service see it.
struct Service {
    endpoints: Mutex<Vec<SocketAddr>>,
    rolled: AtomicBool,
}

impl Service {
    fn leave_out(&self, leaving: SocketAddr) {
        let mut endpoints = self.endpoints.lock().unwrap();
        endpoints.retain(|address| *address != leaving);
    }

    /// Reports through the Service until the update is over: to some endpoint, and to the next when the connection ends.
    /// Returns each client's ID with the reply.
    async fn reports(&self) -> Vec<(String, String)> {
        let mut told = Vec::new();
        let mut number = 0_usize;
        while !self.rolled.load(Ordering::Relaxed) {
            let address = {
                let endpoints = self.endpoints.lock().unwrap();
                assert!(!endpoints.is_empty(), "no server is ready");
                endpoints[number % endpoints.len()]
            };
            let Ok(mut client) = Client::try_connect(address).await else {
                number += 1;
                continue;
            };
            for _ in 0..50 {
                number += 1;
                let id = format!("client{number}");
                match client.try_report(&id, UCLA, TIME).await {
                    Ok(at) if at.starts_with("AT ") => told.push((id, at)),
                    _ => break,
                }
                sleep(Duration::from_millis(2)).await;
            }
        }
        told
    }
}
