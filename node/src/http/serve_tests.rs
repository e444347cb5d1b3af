use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::super::routes::LOCATIONS_NOT_SHOWN;
use super::super::{Endpoints, Health, routes};
use super::*;
use crate::readiness::Facts;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Serving {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

async fn start(limits: Limits) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let endpoints = Endpoints {
        health: Health::new(Vec::new(), Box::new(Facts::default)),
        status: Box::new(|| panic!("locations are not shown")),
        metrics: Box::new(|| Ok("herd_ready 1\n".to_owned())),
        shows_locations: false,
        page: None,
    };
    let routes = routes(endpoints);
    let task = tokio::spawn(serve(
        listener,
        routes,
        limits,
        Arc::default(),
        shutdown.clone(),
    ));
    Serving {
        address,
        shutdown,
        task,
    }
}

impl Serving {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// The reply to one request on a connection of its own, as text.
    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        let head = format!("{request} HTTP/1.1\r\nhost: herd\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    }
}

/// What comes until the server closes the connection.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut reply)).await;
    // A reset counts as closed too.
    let _ = read.expect("the server should close the connection");
    String::from_utf8(reply).unwrap()
}

#[tokio::test]
async fn known_and_unknown_paths() {
    let serving = start(Limits::default()).await;
    for (request, status, body) in [
        ("GET /healthz", "200 OK", "ok\n"),
        ("GET /readyz", "200 OK", "ready\n"),
        ("HEAD /healthz", "200 OK", ""),
        (
            "POST /healthz",
            "405 Method Not Allowed",
            "method not allowed; use GET\n",
        ),
        (
            "GET /elsewhere",
            "404 Not Found",
            "not found; try /, /healthz, /readyz, /metrics or /status\n",
        ),
        ("GET /", "403 Forbidden", LOCATIONS_NOT_SHOWN),
        ("GET /status", "403 Forbidden", LOCATIONS_NOT_SHOWN),
    ] {
        let reply = serving.ask(request).await;
        let start = format!("HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n");
        assert!(reply.starts_with(&start), "{request}: {reply}");
        assert!(
            reply.ends_with(&format!("\r\n\r\n{body}")),
            "{request}: {reply}"
        );
    }
}

#[tokio::test]
async fn a_client_that_sends_no_request_is_dropped() {
    let limits = Limits {
        header_read_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let serving = start(limits).await;
    let mut silent = serving.connect().await;
    assert_eq!(read_all(&mut silent).await, "");
    let mut slow = serving.connect().await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    assert_eq!(read_all(&mut slow).await, "");
    let mut idle = serving.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: herd\r\n\r\n")
        .await
        .unwrap();
    assert!(read_all(&mut idle).await.ends_with("\r\n\r\nok\n"));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let serving = start(Limits::default()).await;
    let mut stream = serving.connect().await;
    let head = format!("GET /healthz HTTP/1.1\r\nx: {}\r\n", "y".repeat(20 * 1024));
    stream.write_all(head.as_bytes()).await.unwrap();
    let reply = read_all(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
}

#[tokio::test]
async fn a_client_that_reads_nothing_loses_its_slot() {
    let limits = Limits {
        connections_max: 1,
        write_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let serving = start(limits).await;
    let mut greedy = serving.connect().await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: herd\r\n\r\n".repeat(1_000);
    // Replies fill every buffer on the way, then the server stops reading too.
    let filled = timeout(PATIENCE, async {
        while let Ok(sent) = timeout(Duration::from_millis(200), greedy.write_all(&request)).await {
            sent.unwrap();
        }
    });
    filled.await.expect("the server should stop reading");
    let reply = timeout(PATIENCE, serving.ask("GET /healthz")).await;
    assert!(
        reply
            .expect("the slot should be free again")
            .starts_with("HTTP/1.1 200 OK")
    );
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let limits = Limits {
        connections_max: 1,
        ..Limits::default()
    };
    let serving = start(limits).await;
    let mut first = serving.connect().await;
    first
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: herd\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();
    let mut second = serving.connect().await;
    second
        .write_all(b"GET /healthz HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let early = timeout(Duration::from_millis(100), second.read_exact(&mut byte)).await;
    assert!(
        early.is_err(),
        "the second connection was served beside the first"
    );
    drop(first);
    assert!(read_all(&mut second).await.ends_with("ok\n"));
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_the_port() {
    let serving = start(Limits::default()).await;
    let mut idle = serving.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: herd\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).await.unwrap();
    serving.shutdown.cancel();
    assert!(read_all(&mut idle).await.ends_with("ok\n"));
    timeout(PATIENCE, serving.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(serving.address).await.is_err());
}
