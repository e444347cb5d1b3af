//! WATCH over TLS.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::certified::Certified;
use super::server::{Client, TestPlaces, TestServer, eventually, soon};
use crate::frontend::FrontendSettings;
use herd_crdt::Record;

/// Lines that are encrypted already and wait to be written are not lost, nor is the last line behind them.
#[tokio::test]
async fn a_watcher_that_reads_nothing_is_told_so_over_tls() {
    let certified = Certified::new();
    let credentials = certified.credentials.clone();
    let set = |set: &mut FrontendSettings| {
        set.tls = Some(credentials);
        set.reply_write_timeout = Duration::from_millis(300);
    };
    let server = TestServer::start_with(set, TestPlaces::new(true), None).await;
    let Client { stream } = server.connect().await;
    let mut stream = soon(certified.client.connect(stream, "127.0.0.1"))
        .await
        .unwrap();
    stream.write_all(b"WATCH ALL\n").await.unwrap();
    stream.flush().await.unwrap();
    let mut live = [0; 7];
    soon(stream.read_exact(&mut live)).await.unwrap();
    assert_eq!(&live, b"LIVE 0\n");
    let long = "x".repeat(4_000);
    let slow = &server.of_operations.watches.ended[1];
    let mut number = 0;
    while slow.load(Ordering::Relaxed) == 0 {
        for _ in 0..20 {
            number += 1;
            let id = format!("{long}{number}");
            let record = Record::new(id.as_bytes(), b"+1+1", b"1", "Hill".into(), 0);
            server.locations.report(record.unwrap());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // It reads on at once.
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    let lines = String::from_utf8(rest).unwrap();
    let (others, last) = lines.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(last, "END slow");
    for line in others.lines() {
        assert!(line.starts_with("AT Hill ") && line.ends_with(" +1+1 1"));
    }
    eventually("it watches no more", || {
        server.locations.watchers().is_empty()
    })
    .await;
}
