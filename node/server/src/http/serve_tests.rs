use std::net::SocketAddr;
use std::time::Duration;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::super::routes::LOCATIONS_NOT_SHOWN;
use super::super::{Endpoints, Health, routes};
use super::*;
use herd_admission::one_address_share;
use herd_replica::readiness::Facts;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// More than the system holds for a client that reads nothing.
const LARGE_BYTES: usize = 32 << 20;

struct TestServing {
    address: SocketAddr,
    statistics: Arc<HttpStatistics>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

/// The answer of `/stuck` comes long after the server got other requests.
async fn start(limits: Limits) -> TestServing {
    let statistics = Arc::<HttpStatistics>::default();
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
    let routes = routes(endpoints)
        .route("/stuck", get(std::future::pending::<()>))
        .route("/large", get(|| async { "x".repeat(LARGE_BYTES) }));
    let task = tokio::spawn(serve(
        listener,
        routes,
        (limits, None),
        statistics.clone(),
        shutdown.clone(),
    ));
    TestServing {
        address,
        statistics,
        shutdown,
        task,
    }
}

impl TestServing {
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

/// The bytes until the server closes the connection.
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
            "not found; try /, /v1/, /healthz, /readyz, /metrics or /status\n",
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
    // A busy machine may be too late with the request: then it is dropped without a reply.
    let answered_and_dropped = timeout(PATIENCE, async {
        loop {
            let mut idle = serving.connect().await;
            let request = b"GET /healthz HTTP/1.1\r\nhost: herd\r\n\r\n";
            idle.write_all(request).await.unwrap();
            let reply = read_all(&mut idle).await;
            if !reply.is_empty() {
                return reply;
            }
        }
    });
    let reply = answered_and_dropped.await.expect("it should be answered");
    assert!(reply.ends_with("\r\n\r\nok\n"), "{reply}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let serving = start(Limits::default()).await;
    let mut stream = serving.connect().await;
    let head = format!("GET /healthz HTTP/1.1\r\nx: {}\r\n", "y".repeat(40 * 1024));
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
    // Replies fill every buffer on the way, then the server stops reading too, and drops the connection in the end.
    let filled = timeout(PATIENCE, async {
        while greedy.write_all(&request).await.is_ok() {}
    });
    filled.await.expect("the server should drop the connection");
    let reply = timeout(PATIENCE, serving.ask("GET /healthz")).await;
    assert!(
        reply
            .expect("the slot should be free again")
            .starts_with("HTTP/1.1 200 OK")
    );
}

#[tokio::test]
async fn a_newcomer_takes_the_place_of_one_that_waits() {
    let limits = Limits {
        connections_max: 1,
        header_read_timeout: PATIENCE * 2,
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
    let reply = serving.ask("GET /metrics").await;
    assert!(reply.ends_with("herd_ready 1\n"), "{reply}");
    assert!(read_all(&mut first).await.ends_with("ok\n"));
    let displaced = &serving.statistics.connections_displaced;
    assert_eq!(displaced.load(Ordering::Relaxed), 1);
}

/// A connection whose reply has begun to come; hyper holds the rest of the reply.
async fn take_the_start_of_a_large_reply(serving: &TestServing) -> TcpStream {
    let mut stream = serving.connect().await;
    let request = b"GET /large HTTP/1.1\r\nhost: herd\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut start = [0; 1_024];
    stream.read_exact(&mut start).await.unwrap();
    assert!(start.starts_with(b"HTTP/1.1 200 "));
    stream
}

/// Only one connection has a place.
fn one_place() -> Limits {
    Limits {
        connections_max: 1,
        header_read_timeout: PATIENCE * 2,
        ..Limits::default()
    }
}

#[tokio::test]
async fn no_newcomer_cuts_a_reply_that_is_being_written() {
    let serving = start(one_place()).await;
    let mut slow = take_the_start_of_a_large_reply(&serving).await;
    let reply = serving.ask("GET /metrics").await;
    assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
    let reply = serving.ask("GET /healthz").await;
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    let mut rest = vec![0; LARGE_BYTES - 1_024];
    let read = timeout(PATIENCE, slow.read_exact(&mut rest)).await;
    read.expect("the reply goes on")
        .expect("the reply is whole");
    // Now it waits for a request, and makes room.
    let asked = timeout(PATIENCE, async {
        while !serving
            .ask("GET /metrics")
            .await
            .starts_with("HTTP/1.1 200 ")
        {}
    });
    asked.await.expect("its place should be free");
}

#[tokio::test]
async fn a_client_that_takes_no_end_of_its_reply_makes_room() {
    let limits = Limits {
        write_timeout: Duration::from_millis(300),
        ..one_place()
    };
    let serving = start(limits).await;
    let _slow = take_the_start_of_a_large_reply(&serving).await;
    let asked = timeout(PATIENCE, async {
        while !serving
            .ask("GET /metrics")
            .await
            .starts_with("HTTP/1.1 200 ")
        {}
    });
    asked.await.expect("its place should be free");
}

#[tokio::test]
async fn small_limits_leave_room_for_others_and_for_probes() {
    for connections_max in [1, 2, 3, 4] {
        let per_address = one_address_share(connections_max);
        let limits = Limits {
            connections_max,
            connections_per_address_max: Some(per_address),
            ..Limits::default()
        };
        let serving = start(limits).await;
        let mut stuck = Vec::new();
        for _ in 0..per_address {
            let mut stream = serving.connect().await;
            let request = b"GET /stuck HTTP/1.1\r\nhost: herd\r\n\r\n";
            stream.write_all(request).await.unwrap();
            stuck.push(stream);
        }
        let asked = timeout(PATIENCE, async {
            while serving
                .ask("GET /metrics")
                .await
                .starts_with("HTTP/1.1 200 ")
            {}
        });
        asked.await.expect("the places should be taken");
        let reply = serving.ask("GET /healthz").await;
        assert!(
            reply.starts_with("HTTP/1.1 200 "),
            "{connections_max}: {reply}"
        );
        // Elsewhere than on Linux only 127.0.0.1 is this machine's.
        if connections_max > 1 && cfg!(target_os = "linux") {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
            let mut other = socket.connect(serving.address).await.unwrap();
            let request = b"GET /metrics HTTP/1.1\r\nhost: herd\r\nconnection: close\r\n\r\n";
            other.write_all(request).await.unwrap();
            let reply = read_all(&mut other).await;
            assert!(
                reply.starts_with("HTTP/1.1 200 "),
                "{connections_max}: {reply}"
            );
        }
    }
}

#[tokio::test]
async fn half_sent_heads_do_not_block_others() {
    let limits = Limits {
        header_read_timeout: PATIENCE * 2,
        ..Limits::default()
    };
    let serving = start(limits).await;
    let mut held = Vec::new();
    for number in 0..3 * limits.connections_max {
        let mut stream = serving.connect().await;
        // It may have been displaced by others before.
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\n").await;
        held.push(stream);
        if number % 16 == 0 {
            for path in ["/healthz", "/metrics"] {
                let reply = serving.ask(&format!("GET {path}")).await;
                assert!(reply.starts_with("HTTP/1.1 200 "), "{path}: {reply}");
            }
        }
    }
    let full = &serving.statistics.connections_full_address;
    assert!(full.load(Ordering::Relaxed) > 0);
    assert_eq!(
        serving
            .statistics
            .connections_refused
            .load(Ordering::Relaxed),
        0
    );
}

#[tokio::test]
async fn a_full_server_answers_health_only() {
    let limits = Limits {
        connections_max: 3,
        connections_per_address_max: Some(2),
        probe_read_timeout: PATIENCE * 2,
        ..Limits::default()
    };
    let serving = start(limits).await;
    let mut stuck = Vec::new();
    for _ in 0..2 {
        let mut stream = serving.connect().await;
        let request = b"GET /stuck HTTP/1.1\r\nhost: herd\r\n\r\n";
        stream.write_all(request).await.unwrap();
        stuck.push(stream);
    }
    // When both requests are taken up, none of the two makes room.
    let asked = timeout(PATIENCE, async {
        while serving
            .ask("GET /metrics")
            .await
            .starts_with("HTTP/1.1 200 ")
        {}
    });
    asked.await.expect("the places should be taken");
    let mut half_sent = Vec::new();
    for _ in 0..2 * limits.probes_max {
        let mut stream = serving.connect().await;
        let _ = stream.write_all(b"GET /").await;
        half_sent.push(stream);
        let reply = serving.ask("GET /healthz").await;
        assert!(
            reply.starts_with("HTTP/1.1 200 ") && reply.ends_with("ok\n"),
            "{reply}"
        );
        let reply = serving.ask("GET /metrics").await;
        assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
    }
    // A probe has its place for one request.
    let mut probe = serving.connect().await;
    let request = b"GET /readyz HTTP/1.1\r\nhost: herd\r\n\r\n";
    probe.write_all(request).await.unwrap();
    assert!(read_all(&mut probe).await.ends_with("ready\n"));
    drop(stuck);
    let asked = timeout(PATIENCE, async {
        while !serving
            .ask("GET /metrics")
            .await
            .starts_with("HTTP/1.1 200 ")
        {}
    });
    asked.await.expect("the places should be free");
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

#[tokio::test]
async fn no_piece_of_an_answer_waits_for_an_acknowledgement() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (_client, accepted) = tokio::join!(client, listener.accept());
    let (stream, _) = accepted.unwrap();
    let limits = Limits::default();
    prepare(&stream, &limits).unwrap();
    assert!(stream.nodelay().unwrap());
    let longest = SockRef::from(&stream).tcp_user_timeout().unwrap();
    assert_eq!(longest, Some(limits.write_timeout));
}
