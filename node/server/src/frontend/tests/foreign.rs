//! PROTOCOL: a client that speaks HTTP or TLS, as a web page can make a browser do, gets nothing
//! executed.

use std::sync::atomic::Ordering;

use super::server::{NOW_NS, TestPlaces, TestServer, eventually};
use herd_acknowledgement::AckLevel;

/// The request of a page with `fetch` in the mode `no-cors`, with a body of its choice.
const REQUEST: &str = "POST / HTTP/1.1\r\nHost: 127.0.0.1:12000\r\nConnection: keep-alive\r\n\
     Content-Length: 28\r\nContent-Type: text/plain;charset=UTF-8\r\n\
     Origin: http://evil.example\r\nAccept: */*\r\n\r\n";

const REPORT: &str = "\nIAMAT victim +1+1 1\nIAMAT victim +2+2 2\n";

fn is_known(server: &TestServer, client: &[u8]) -> bool {
    server.locations.find(client).is_some()
}

fn closed(server: &TestServer) -> [u64; 2] {
    let statistics = &server.statistics;
    [&statistics.connections_http, &statistics.connections_tls]
        .map(|count| count.load(Ordering::Relaxed))
}

#[tokio::test]
async fn nothing_that_follows_a_request_of_http_is_executed() {
    let server = TestServer::start().await;
    for (number, first) in [
        "POST / HTTP/1.1",
        "PUT /x?y HTTP/1.0",
        "PRI * HTTP/2.0",
        "WHATSAT victim HTTP/1.1",
        "IAMAT victim +1+1 HTTP/1.1 \t",
    ]
    .into_iter()
    .enumerate()
    {
        // The connection ends by itself: the client has not closed its side.
        let mut client = server.connect().await;
        client.send(format!("{first}\r\n{REPORT}")).await;
        let replies = String::from_utf8(client.rest().await).unwrap();
        assert_eq!(replies, format!("? {first}\n"));
        assert_eq!(closed(&server), [number as u64 + 1, 0]);
    }
    assert!(!is_known(&server, b"victim"));
}

#[tokio::test]
async fn a_request_is_known_in_pieces_and_at_the_half_close() {
    let server = TestServer::start().await;
    let input = format!("{REQUEST}{REPORT}");
    for piece_bytes in [1, 3, 14, 15, 16, 17, 18, 100] {
        let mut client = server.connect().await;
        for piece in input.as_bytes().chunks(piece_bytes) {
            // It may be closed before all is sent.
            if tokio::io::AsyncWriteExt::write_all(&mut client.stream, piece)
                .await
                .is_err()
            {
                break;
            }
            tokio::task::yield_now().await;
        }
        client.expect("? POST / HTTP/1.1\n").await;
    }
    let reply = server.says(format!("{REQUEST}{REPORT}")).await;
    assert_eq!(reply, "? POST / HTTP/1.1\n");
    assert_eq!(server.says("GET / HTTP/1.1").await, "? GET / HTTP/1.1\n");
    assert!(!is_known(&server, b"victim"));
}

#[tokio::test]
async fn a_request_line_beyond_the_limit_is_known_at_its_end() {
    let server = TestServer::start_with(
        |settings| settings.line_bytes_max = 1_024,
        TestPlaces::new(true),
        None,
    )
    .await;
    for path_bytes in [1_020, 5_000, 300_000] {
        let first = format!("POST /{} HTTP/1.1", "x".repeat(path_bytes));
        let mut client = server.connect().await;
        client
            .send(format!("IAMAT honest +1+1 1\n{first}\r\n"))
            .await;
        // Later lines are not executed either.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, REPORT.as_bytes()).await;
        let replies = String::from_utf8(client.rest().await).unwrap();
        let copied = &first[..1_024];
        assert!(
            replies.ends_with(&format!("honest +1+1 1\n? {copied}\n")),
            "{replies}"
        );
    }
    assert!(!is_known(&server, b"victim"));
    assert_eq!(closed(&server), [3, 0]);
    // One that is no request is followed by others.
    let long = format!("{}\nIAMAT later +1+1 1\n", "x".repeat(5_000));
    server.says(long).await;
    assert!(is_known(&server, b"later"));
}

#[tokio::test]
async fn replies_to_earlier_lines_are_still_sent_in_order() {
    let (server, places) = TestServer::start_slow().await;
    let mut client = server.connect().await;
    let before = "IAMAT kiwi +1+1 1\nWHATSAT kiwi 1 1\nIAMAT kiwi +1+1 2\n";
    client.send(format!("{before}{REQUEST}{REPORT}")).await;
    places.is_asked().await;
    places.allowed.add_permits(1);
    let replies = String::from_utf8(client.rest().await).unwrap();
    let ends: Vec<&str> = replies.lines().filter(|line| !line.is_empty()).collect();
    assert!(ends[0].ends_with("kiwi +1+1 1"), "{replies}");
    assert!(ends[1].ends_with("kiwi +1+1 1"), "{replies}");
    assert_eq!(ends[2], "{\"radius\":1000}");
    assert!(ends[3].ends_with("kiwi +1+1 2"), "{replies}");
    assert_eq!(ends[4..], ["? POST / HTTP/1.1"]);
    assert!(!is_known(&server, b"victim"));
}

#[tokio::test]
async fn held_replies_go_out_before_the_connection_ends() {
    let (settings, places) = (|_: &mut _| {}, TestPlaces::new(true));
    let server = TestServer::start_with_ack(settings, places, None, AckLevel::Peer).await;
    let mut client = server.connect().await;
    client
        .send(format!("IAMAT kiwi +1+1 1\n{REQUEST}{REPORT}"))
        .await;
    // No neighbour confirms the report.
    client
        .expect("? IAMAT kiwi +1+1 1\n? POST / HTTP/1.1\n")
        .await;
    assert_eq!(client.rest().await, b"");
    assert!(!is_known(&server, b"victim"));
}

#[tokio::test]
async fn a_connection_that_sends_in_bulk_is_closed_too() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let line = "x".repeat(60);
    let lines = format!("{line}\n").repeat(200);
    let replies = format!("? {line}\n").repeat(200);
    let bulk = &server.statistics.connections_bulk;
    while bulk.load(Ordering::Relaxed) == 0 {
        client.send(&lines).await;
        client.expect(&replies).await;
    }
    client.send(format!("{lines}{REQUEST}{REPORT}")).await;
    client.expect(&replies).await;
    assert_eq!(client.rest().await, b"? POST / HTTP/1.1\n");
    assert!(!is_known(&server, b"victim"));
    eventually("its place is free", || bulk.load(Ordering::Relaxed) == 0).await;
}

#[tokio::test]
async fn valid_commands_may_name_a_client_like_a_version_of_http() {
    let server = TestServer::start().await;
    server.clock.set(NOW_NS);
    let replies = server
        .says("IAMAT HTTP/1.1 +1+1 1\nHTTP/1.1 x\nIAMAT kiwi +1+1 1\n")
        .await;
    assert_eq!(replies.lines().count(), 3, "{replies}");
    assert!(is_known(&server, b"HTTP/1.1") && is_known(&server, b"kiwi"));
}

#[tokio::test]
async fn nothing_that_follows_tls_on_a_plain_port_is_executed() {
    let server = TestServer::start().await;
    // A hello may hold a session ticket that a stranger chose.
    let hello = [
        b"\x16\x03\x01\x02\x00\x01\x00".as_slice(),
        REPORT.as_bytes(),
    ]
    .concat();
    let mut client = server.connect().await;
    client.send(&hello).await;
    assert_eq!(client.rest().await, b"? \x16\x03\x01\x02\x00\x01\x00\n");
    assert!(!is_known(&server, b"victim"));
    assert_eq!(closed(&server), [0, 1]);
    // Anywhere else these bytes are a line like any other.
    server.answers([b"x\n", &hello[..]].concat()).await;
    assert!(is_known(&server, b"victim"));
}
