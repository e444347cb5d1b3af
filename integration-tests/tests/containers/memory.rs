//! Servers whose memory is limited refuse new clients before the kernel kills them.

use herd_integration_tests::containers::{Herd, skipped};
use herd_integration_tests::{Topology, eventually};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::{TIME, UCLA};

/// The memory of each server, in bytes.
const MEMORY_BYTES: i64 = 192 << 20;

/// The clients that it holds then: docs/bounds.md.
const CLIENTS_MAX: usize = (64 << 20) / 423;

/// Reports on the way at a time.
const BATCH: usize = 2_000;

const NAMES: [&str; 3] = ["Hill", "Jaquez", "Smith"];

/// Reports that of these clients, and says how many were taken.
async fn report(herd: &Herd, server: &str, clients: std::ops::Range<usize>) -> usize {
    let stream = TcpStream::connect(herd.client_address(server).await);
    let (reading, mut writing) = stream.await.unwrap().into_split();
    let mut replies = BufReader::new(reading).lines();
    let clients: Vec<usize> = clients.collect();
    let mut taken = 0;
    for batch in clients.chunks(BATCH) {
        let line = |client: &usize| format!("IAMAT client-{client:013} {UCLA} {TIME}\n");
        let lines: String = batch.iter().map(line).collect();
        writing.write_all(lines.as_bytes()).await.unwrap();
        for _ in batch {
            let reply = replies.next_line().await.unwrap().unwrap();
            taken += usize::from(reply.starts_with("AT "));
        }
    }
    taken
}

async fn knows_all(herd: &Herd, server: &str) {
    eventually(format!("{server} knows all clients"), async || {
        let figures = herd.get(server, "/metrics").await;
        let (_, text) = figures.unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("herd_clients{"));
        let count = line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok());
        count.is_some_and(|count: f64| count >= CLIENTS_MAX as f64)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_herd_refuses_new_clients_and_restarts() {
    if skipped().await {
        return;
    }
    let links = [("Hill", "Jaquez"), ("Hill", "Smith"), ("Jaquez", "Smith")];
    let builder = Herd::builder().topology(&Topology::new(&NAMES, &links));
    let mut herd = builder.memory_bytes(MEMORY_BYTES).start().await;
    let said = herd.log("Hill").await;
    let holds = format!("holds {CLIENTS_MAX} clients at the most, in 64 MiB; its control group");
    assert!(said.contains(&holds), "{said}");

    let taken = report(&herd, "Hill", 0..CLIENTS_MAX + 5_000).await;
    assert_eq!(taken, CLIENTS_MAX);
    for name in NAMES {
        knows_all(&herd, name).await;
        assert_eq!(report(&herd, name, 1_000_000..1_000_001).await, 0, "{name}");
        assert_eq!(report(&herd, name, 7..8).await, 1, "{name} knows it");
    }
    // A crash of all, then a rolling update: no process is killed but by this test.
    for name in NAMES {
        assert_eq!(herd.kill(name).await.status, 137);
    }
    for name in NAMES {
        herd.start(name).await;
    }
    for name in NAMES {
        herd.ready(name).await;
        knows_all(&herd, name).await;
    }
    for ended in herd.roll().await {
        assert_eq!(ended.status, 0, "{}", ended.output);
    }
    for name in NAMES {
        knows_all(&herd, name).await;
        let found = herd.client(name).await.find("client-0000000000007").await;
        assert!(found.is_some(), "{name}");
        assert_eq!(report(&herd, name, 1_000_000..1_000_001).await, 0, "{name}");
    }
}
