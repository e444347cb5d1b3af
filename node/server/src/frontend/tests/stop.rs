//! The effect of a stop on connections.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use super::server::{Client, TestPlaces, TestServer, eventually, soon};

#[tokio::test]
async fn replies_in_flight_are_finished_and_nothing_new_is_accepted() {
    let (server, places) = TestServer::start_slow().await;
    let at = server.says("IAMAT k +1+1 1\n").await;
    let mut client = server.connect().await;
    let mut idle = server.connect().await;
    idle.send("hello\nhalf a li").await;
    idle.expect("? hello\n").await;
    client.send("WHATSAT k 1 5\nbehind\n").await;
    places.is_asked().await;
    server.shutdown.cancel();
    // The idle connection is closed while the other one still waits. Half a line is not a command.
    assert_eq!(idle.rest().await, b"");
    assert!(TcpStream::connect(server.address).await.is_err());
    client.send("too late\n").await;
    places.allowed.add_permits(1);
    let says = String::from_utf8(client.rest().await).unwrap();
    assert_eq!(says, format!("{at}{{\"radius\":1000}}\n\n? behind\n"));
    soon(server.serving).await.unwrap();
    assert_eq!(
        server.statistics.connections_open.load(Ordering::Relaxed),
        0
    );
}

#[tokio::test]
async fn the_wait_for_connections_is_bounded() {
    let places = TestPlaces::new(false);
    let server = TestServer::start_with(
        |set| set.drain_timeout = Duration::from_millis(50),
        Arc::clone(&places),
        None,
    )
    .await;
    server.says("IAMAT k +1+1 1\n").await;
    let mut client = server.connect().await;
    client.send("WHATSAT k 1 5\n").await;
    places.is_asked().await;
    server.shutdown.cancel();
    soon(server.serving).await.unwrap();
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn replies_that_were_not_delivered_yet_are_not_thrown_away() {
    let server = TestServer::start().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let stream = socket.connect(server.address).await.unwrap();
    let mut client = Client { stream };
    let line = format!("{}\n", "x".repeat(1_000));
    let expected = format!("? {line}").repeat(200);
    client.send(line.repeat(200)).await;
    let written = &server.statistics.bytes_written;
    eventually("the server's system holds the replies", || {
        written.load(Ordering::Relaxed) == expected.len() as u64
    })
    .await;
    server.shutdown.cancel();
    // After an immediate close, the server's system would answer this with a reset and drop the unsent replies.
    client.send("too late\n").await;
    assert_eq!(client.rest().await, expected.as_bytes());
}
