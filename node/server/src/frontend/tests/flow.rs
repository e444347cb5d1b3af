//! PROTOCOL: many commands on a connection, and clients that misbehave.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::server::{TestPlaces, TestServer, eventually, soon};
use super::whatsat::ZERO;
use crate::frontend::CommandOutcome;
use crate::wire_log::WireLog;

#[tokio::test]
async fn pipelined_commands_are_answered_in_order_and_see_each_other() {
    let server = TestServer::start().await;
    let commands = 20_000;
    let mut input = String::new();
    let mut expected = String::new();
    for i in 0..commands {
        // Each round reports and asks; the answer must show the report just before it.
        input.push_str(&format!(
            "IAMAT k{} +1+1 {i}\nWHATSAT k{} 0 0\n",
            i % 7,
            i % 7
        ));
        let at = format!(
            "AT Hill +{}.182837383 k{} +1+1 {i}\n",
            1_520_023_935 - i,
            i % 7
        );
        expected.push_str(&at);
        expected.push_str(&at);
        expected.push_str(ZERO);
    }
    let client = server.connect().await;
    let (read_half, mut write_half) = client.stream.into_split();
    let writing = tokio::spawn(async move {
        write_half.write_all(input.as_bytes()).await.unwrap();
        write_half
    });
    let mut all = Vec::new();
    let mut read_half = read_half;
    let reading = async {
        // Dropping the write half is the half-close.
        drop(writing.await.unwrap());
    };
    let read = tokio::io::AsyncReadExt::read_to_end(&mut read_half, &mut all);
    let ((), read) = soon(async { tokio::join!(reading, read) }).await;
    read.unwrap();
    assert!(all == expected.as_bytes());
    assert_eq!(
        server.statistics.commands(CommandOutcome::IamatTaken),
        commands
    );
    assert_eq!(
        server.statistics.commands(CommandOutcome::WhatsatKnown),
        commands
    );
}

#[tokio::test]
async fn a_connection_carries_a_thousand_commands() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    for i in 0..1_000 {
        client.send(format!("ping {i}\n")).await;
        client.expect(&format!("? ping {i}\n")).await;
    }
    let bytes = server.statistics.bytes_read.load(Ordering::Relaxed);
    assert_eq!(
        bytes,
        (0..1_000)
            .map(|i| format!("ping {i}\n").len() as u64)
            .sum::<u64>()
    );
    eventually("all bytes are counted", || {
        server.statistics.bytes_written.load(Ordering::Relaxed) == bytes + 2_000
    })
    .await;
}

#[tokio::test]
async fn unanswered_commands_are_bounded_and_none_is_lost() {
    let places = TestPlaces::new(false);
    let server =
        TestServer::start_with(|set| set.unanswered_max = 4, Arc::clone(&places), None).await;
    let at = server.says("IAMAT k +1+1 1\n").await;
    let mut client = server.connect().await;
    let mut expected = String::new();
    for i in 1..=50 {
        client.send(format!("WHATSAT k {i} 5\n")).await;
        expected.push_str(&format!("{at}{{\"radius\":{i}000}}\n\n"));
    }
    eventually("four wait", || places.waiting.load(Ordering::SeqCst) == 4).await;
    // Other connections go on meanwhile.
    assert_eq!(server.says("hello\n").await, "? hello\n");
    places.allowed.add_permits(50);
    client.expect(&expected).await;
    assert_eq!(places.waiting_max.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_client_that_reads_nothing_while_replies_wait_is_dropped() {
    let server = TestServer::start_with(
        |set| set.reply_write_timeout = Duration::from_millis(300),
        TestPlaces::new(true),
        None,
    )
    .await;
    let mut client = server.connect().await;
    let line = [&[b'x'; 1_000][..], b"\n"].concat().repeat(100);
    // It ends with an error once the server has dropped the connection.
    let sending = async { while client.stream.write_all(&line).await.is_ok() {} };
    soon(sending).await;
    eventually("the drop is counted", || {
        server.statistics.connections_unread.load(Ordering::Relaxed) == 1
    })
    .await;
    assert_eq!(server.says("hello\n").await, "? hello\n");
}

#[tokio::test]
async fn a_client_that_waits_with_nothing_unread_is_not_dropped() {
    let server = TestServer::start_with(
        |set| set.reply_write_timeout = Duration::from_millis(1),
        TestPlaces::new(true),
        None,
    )
    .await;
    let mut client = server.connect().await;
    for _ in 0..5 {
        client.send("hello\nhal").await;
        client.expect("? hello\n").await;
        // Far longer than the time for unread replies, which must not run here.
        tokio::time::sleep(Duration::from_millis(20)).await;
        client.send("lo\n").await;
        client.expect("? hallo\n").await;
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_counted() {
    let server =
        TestServer::start_with(|set| set.connections_max = 2, TestPlaces::new(true), None).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for client in [&mut first, &mut second] {
        client.send("hello\n").await;
        client.expect("? hello\n").await;
    }
    assert_eq!(server.connect().await.rest().await, b"");
    let statistics = &server.statistics;
    assert_eq!(statistics.connections_refused.load(Ordering::Relaxed), 1);
    assert_eq!(statistics.connections_open.load(Ordering::Relaxed), 2);
    drop(first);
    eventually("one is closed", || {
        statistics.connections_open.load(Ordering::Relaxed) == 1
    })
    .await;
    assert_eq!(server.says("hello\n").await, "? hello\n");
    assert_eq!(statistics.connections_accepted.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn the_wire_log_holds_every_line_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hill.log");
    let clock = Arc::new(herd_clock::clock::SystemClock);
    let (log, writer) = WireLog::open(&path, clock, None).unwrap();
    let places = TestPlaces::new(false);
    places.allowed.add_permits(1);
    let server = TestServer::start_with(|set| set.line_bytes_max = 60, places, Some(log)).await;
    let mut client = server.connect().await;
    let peer = client.stream.local_addr().unwrap();
    let long = "z".repeat(61);
    client
        .send(format!(
            "IAMAT k +1+1 1520023935\r\n\nWHATSAT k 1 5\n\t\u{e9}\n{long}\n"
        ))
        .await;
    client.end().await;
    writer.close(Duration::from_secs(20)).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let start = format!("2018-03-02T20:52:15.182837Z {peer} ");
    let cut = "z".repeat(60);
    let expected = [
        "< IAMAT k +1+1 1520023935",
        "< ",
        "< WHATSAT k 1 5",
        r"< \x09\xc3\xa9",
        &format!(r"< {cut}\..."),
        "> AT Hill +0.182837383 k +1+1 1520023935",
        "> AT Hill +0.182837383 k +1+1 1520023935",
        "> {\"radius\":1000}",
        "> ",
        r"> ? \x09\xc3\xa9",
        &format!("> ? {cut}"),
    ];
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.strip_prefix(&start).expect(line))
        .collect();
    assert_eq!(lines, expected);
}
