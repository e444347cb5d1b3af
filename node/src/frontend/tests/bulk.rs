//! Connections that send many commands at a time, and the threads that they are moved to.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{self, Runtime};

use super::server::{Client, TestPlaces, TestServer, eventually, soon};
use crate::clock::{SystemClock, WallClock as _};
use crate::frontend::FrontendSettings;
use crate::tls::authority::Authority;
use crate::tls::client_port::{ClientPortCredentials, ClientPortMaterial};
use crate::tls::connect::ClientTls;
use crate::tls::name::LinkName;
use crate::topology::Host;

/// Threads for bulk.
fn threads() -> Runtime {
    runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

async fn start(bulk: &Runtime) -> TestServer {
    let bulk = bulk.handle().clone();
    TestServer::start_with(|set| set.bulk = Some(bulk), TestPlaces::new(true), None).await
}

/// So many lines, and their replies.
fn lines(count: usize, round: usize) -> (String, String) {
    let (mut sent, mut expected) = (String::new(), String::new());
    for line in 0..count {
        let _ = writeln!(sent, "{round}/{line}");
        let _ = writeln!(expected, "? {round}/{line}");
    }
    (sent, expected)
}

/// Sends so many lines in one piece, and reads their replies.
async fn exchange(client: &mut Client, count: usize, round: usize) {
    let (sent, expected) = lines(count, round);
    client.send(sent).await;
    client.expect(&expected).await;
}

fn in_bulk(server: &TestServer) -> u64 {
    server.statistics.connections_bulk.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_connection_moves_when_it_sends_much_at_a_time_and_back_when_it_does_not_any_more() {
    let bulk = threads();
    let server = start(&bulk).await;
    let mut client = server.connect().await;
    let mut other = server.connect().await;
    for moves in 0..3 {
        for round in 0..50 {
            exchange(&mut client, 200, round).await;
        }
        eventually("it has moved", || in_bulk(&server) == 1).await;
        exchange(&mut other, 1, moves).await;
        for round in 0..100 {
            exchange(&mut client, 1, round).await;
        }
        eventually("it is back", || in_bulk(&server) == 0).await;
    }
    // Over again in either place.
    for _ in 0..50 {
        exchange(&mut other, 200, 0).await;
    }
    eventually("the other has moved", || in_bulk(&server) == 1).await;
    assert_eq!(client.end().await, b"");
    assert_eq!(other.end().await, b"");
    eventually("both are over", || in_bulk(&server) == 0).await;
    bulk.shutdown_background();
}

#[tokio::test]
async fn what_it_sends_without_reading_is_answered_in_order_when_it_moves() {
    const LINES: usize = 20_000;
    let bulk = threads();
    let server = start(&bulk).await;
    let Client { stream } = server.connect().await;
    let (mut read_half, mut write_half) = stream.into_split();
    let (sent, expected) = lines(LINES, 0);
    let sending = tokio::spawn(async move {
        write_half.write_all(sent.as_bytes()).await.unwrap();
        write_half
    });
    let mut replies = vec![0; expected.len()];
    soon(read_half.read_exact(&mut replies)).await.unwrap();
    assert_eq!(String::from_utf8(replies).unwrap(), expected);
    drop(sending.await.unwrap());
    bulk.shutdown_background();
}

#[tokio::test]
async fn a_server_that_stops_lets_those_in_bulk_finish_too() {
    let bulk = threads();
    let server = start(&bulk).await;
    let mut client = server.connect().await;
    for round in 0..50 {
        exchange(&mut client, 200, round).await;
    }
    eventually("it has moved", || in_bulk(&server) == 1).await;
    server.shutdown.cancel();
    assert_eq!(client.rest().await, b"");
    soon(server.serving).await.unwrap();
    let left = server.statistics.connections_bulk.load(Ordering::Relaxed);
    assert_eq!(left, 0);
    bulk.shutdown_background();
}

#[tokio::test]
async fn an_encrypted_connection_moves_too() {
    let folder = tempfile::tempdir().unwrap();
    let now_s = SystemClock.now_ns() / 1_000_000_000;
    let authority = Authority::make("farm", now_s, 30).unwrap();
    let here = Host::Ip(Ipv4Addr::LOCALHOST.into());
    let name = LinkName::new("farm", "Hill");
    let issued = authority.issue(&name, &[&here], now_s, 30).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let trusted = file("trusted.pem", authority.certificate_pem());
    let material = ClientPortMaterial {
        certificate: file("cert.pem", &issued.certificate_pem),
        key: file("key.pem", &issued.key_pem),
        client_authorities: None,
    };
    let credentials = ClientPortCredentials::load(material, Arc::new(SystemClock)).unwrap();
    let bulk = threads();
    let handle = bulk.handle().clone();
    let set = |set: &mut FrontendSettings| {
        set.bulk = Some(handle);
        set.tls = Some(credentials);
    };
    let server = TestServer::start_with(set, TestPlaces::new(true), None).await;
    let Client { stream } = server.connect().await;
    let tls = ClientTls::new(Some(&trusted), None).unwrap();
    let mut stream = soon(tls.connect(stream, "127.0.0.1")).await.unwrap();
    for _ in 0..2 {
        for (count, rounds, expected_in_bulk) in [(200, 50, 1), (1, 100, 0)] {
            for round in 0..rounds {
                let (sent, expected) = lines(count, round);
                stream.write_all(sent.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                let mut replies = vec![0; expected.len()];
                soon(stream.read_exact(&mut replies)).await.unwrap();
                assert_eq!(String::from_utf8(replies).unwrap(), expected);
            }
            eventually("it is where it belongs", || {
                in_bulk(&server) == expected_in_bulk
            })
            .await;
        }
    }
    stream.shutdown().await.unwrap();
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0);
    bulk.shutdown_background();
}

#[tokio::test]
async fn without_threads_for_bulk_it_stays_where_it_is() {
    let server = TestServer::start_with(|set| set.bulk = None, TestPlaces::new(true), None).await;
    let mut client = server.connect().await;
    for round in 0..50 {
        exchange(&mut client, 200, round).await;
        assert_eq!(in_bulk(&server), 0);
    }
}
