//! Connections that send many commands at a time, and the threads that they are moved to.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::Instant;

use super::certified::Certified;
use super::server::{Client, TestPlaces, TestServer, eventually, soon};
use crate::frontend::FrontendSettings;

/// So many lines, and their replies.
fn lines(count: usize, round: usize) -> (String, String) {
    let (mut sent, mut expected) = (String::new(), String::new());
    for line in 0..count {
        let _ = writeln!(sent, "{round:030}/{line:030}");
        let _ = writeln!(expected, "? {round:030}/{line:030}");
    }
    (sent, expected)
}

/// Sends `count` lines in one piece, and reads their replies.
async fn exchange(client: &mut Client, count: usize, round: usize) {
    let (sent, expected) = lines(count, round);
    client.send(sent).await;
    client.expect(&expected).await;
}

fn in_bulk(server: &TestServer) -> u64 {
    server.statistics.connections_bulk.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_bulk_connection_moves_and_comes_back() {
    let server = TestServer::start().await;
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
}

#[tokio::test]
async fn a_move_keeps_the_order_of_replies() {
    const LINES: usize = 20_000;
    let server = TestServer::start().await;
    let Client { stream } = server.connect().await;
    let (mut read_half, mut write_half) = stream.into_split();
    let (sent, expected) = lines(LINES, 0);
    let sending = tokio::spawn(async move {
        write_half.write_all(sent.as_bytes()).await.unwrap();
        write_half
    });
    eventually("the connection has moved with its unread replies", || {
        in_bulk(&server) == 1
    })
    .await;
    let mut replies = vec![0; expected.len()];
    soon(read_half.read_exact(&mut replies)).await.unwrap();
    assert_eq!(String::from_utf8(replies).unwrap(), expected);
    drop(sending.await.unwrap());
}

#[tokio::test]
async fn replies_that_wait_move_with_it() {
    let (server, places) = TestServer::start_slow().await;
    let at = server.says("IAMAT k +1+1 1\n").await;
    let mut client = server.connect().await;
    client.send("WHATSAT k 1 5\n").await;
    places.is_asked().await;
    let (sent, expected) = lines(900, 0);
    client.send(sent).await;
    eventually("it has moved", || in_bulk(&server) == 1).await;
    places.allowed.add_permits(1);
    client
        .expect(&format!("{at}{{\"radius\":1000}}\n\n{expected}"))
        .await;
}

#[tokio::test]
async fn a_silent_bulk_connection_moves_back() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    exchange(&mut client, 2_000, 0).await;
    eventually("it has moved", || in_bulk(&server) == 1).await;
    eventually("it is back", || in_bulk(&server) == 0).await;
    exchange(&mut client, 1, 1).await;
}

#[tokio::test]
async fn a_slow_bulk_connection_is_cut_off_at_the_end() {
    let places = TestPlaces::new(false);
    let set = |set: &mut FrontendSettings| set.drain_timeout = Duration::from_millis(50);
    let server = TestServer::start_with(set, places.clone(), None).await;
    server.says("IAMAT k +1+1 1\n").await;
    let mut client = server.connect().await;
    let read_before = server.statistics.bytes_read.load(Ordering::Relaxed);
    let sent = format!("WHATSAT k 1 5\n{}", lines(900, 0).0);
    client.send(&sent).await;
    eventually("it waits in bulk, with all that was sent", || {
        let read = server.statistics.bytes_read.load(Ordering::Relaxed);
        places.waiting.load(Ordering::SeqCst) == 1
            && in_bulk(&server) == 1
            && read - read_before == sent.len() as u64
    })
    .await;
    server.shutdown.cancel();
    soon(server.serving).await.unwrap();
    let left = server.statistics.connections_bulk.load(Ordering::Relaxed);
    assert_eq!((left, places.waiting.load(Ordering::SeqCst)), (0, 1));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn bulk_connections_finish_when_a_server_stops() {
    let (server, places) = TestServer::start_slow().await;
    let at = server.says("IAMAT k +1+1 1\n").await;
    let mut client = server.connect().await;
    for round in 0..50 {
        exchange(&mut client, 200, round).await;
    }
    eventually("it has moved", || in_bulk(&server) == 1).await;
    client.send("WHATSAT k 1 5\n").await;
    places.is_asked().await;
    server.shutdown.cancel();
    places.allowed.add_permits(1);
    let says = String::from_utf8(client.rest().await).unwrap();
    assert_eq!(says, format!("{at}{{\"radius\":1000}}\n\n"));
    soon(server.serving).await.unwrap();
    let left = server.statistics.connections_bulk.load(Ordering::Relaxed);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_dropped_despite_a_move() {
    let set = |set: &mut FrontendSettings| set.reply_write_timeout = Duration::from_secs(7);
    let server = TestServer::start_with(set, TestPlaces::new(true), None).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    // More replies than the system's buffers hold, and fewer than would end the reading.
    let figures = &server.statistics;
    let dropped = || figures.connections_unread.load(Ordering::Relaxed) == 1;
    let mut sent = 0;
    let mut moved_back = None;
    while !dropped() {
        let (more, _) = lines(400, 0);
        stream.write_all(more.as_bytes()).await.unwrap();
        sent += more.len() as u64;
        let all_read = || figures.bytes_read.load(Ordering::Relaxed) == sent;
        eventually("it is read", all_read).await;
        // As long as all replies fit, more is sent. Then it is silent, so it is moved back after 5 s.
        let replies = sent + 2 * sent / 62;
        let all_written = || figures.bytes_written.load(Ordering::Relaxed) == replies;
        eventually("it is written, or moved back", || {
            all_written() || in_bulk(&server) == 0
        })
        .await;
        if !all_written() {
            moved_back = Some(Instant::now());
            eventually("it is dropped", dropped).await;
        }
    }
    // A wait that began anew when it was moved would have taken all of the 7 s after that.
    let moved_back = moved_back.unwrap();
    assert!(moved_back.elapsed() < Duration::from_secs(7));
}

#[tokio::test]
async fn an_encrypted_connection_moves_too() {
    let certified = Certified::new();
    let credentials = certified.credentials.clone();
    let set = |set: &mut FrontendSettings| set.tls = Some(credentials);
    let server = TestServer::start_with(set, TestPlaces::new(true), None).await;
    let Client { stream } = server.connect().await;
    let tls = &certified.client;
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
}

#[tokio::test]
async fn without_bulk_threads_a_connection_does_not_move() {
    let server = TestServer::start_with(|set| set.bulk = None, TestPlaces::new(true), None).await;
    let mut client = server.connect().await;
    for round in 0..50 {
        exchange(&mut client, 200, round).await;
        assert_eq!(in_bulk(&server), 0);
    }
}
