//! WATCH as clients see it.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::server::{Client, TestPlaces, TestServer, eventually, soon};
use crate::frontend::CommandOutcome;

/// One line of the stream.
async fn line(client: &mut Client) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        soon(client.stream.read_exact(&mut byte)).await.unwrap();
        if byte == *b"\n" {
            return String::from_utf8(line).unwrap();
        }
        line.push(byte[0]);
    }
}

const KIWI: &str = "AT Hill +1520023934.182837383 kiwi +1+1 1";

#[tokio::test]
async fn a_client_is_told_then_its_changes() {
    let server = TestServer::start().await;
    let mut watcher = server.connect().await;
    watcher.send("WATCH CLIENT kiwi\n").await;
    watcher.expect("LIVE 0\n").await;
    server.says("IAMAT kiwi +1+1 1\nIAMAT emu +1+1 1\n").await;
    watcher.expect(&format!("{KIWI}\n")).await;
    // An older one changes nothing.
    server.says("IAMAT kiwi +1+1 0\n").await;
    server.says("IAMAT kiwi +2+2 2\n").await;
    watcher
        .expect("AT Hill +1520023933.182837383 kiwi +2+2 2\n")
        .await;
    server.locations.raise_floor(3_000_000_000).await;
    watcher.expect("GONE kiwi\n").await;
    watcher.send("UNWATCH\nWHATSAT kiwi 1 1\n").await;
    watcher.expect("END unwatched\n? WHATSAT kiwi 1 1\n").await;
    assert!(server.locations.watchers().is_empty());
}

#[tokio::test]
async fn prefixes_and_all_are_told() {
    let server = TestServer::start().await;
    server.says("IAMAT kiwi +1+1 1\nIAMAT emu +1+1 1\n").await;
    for (subject, count) in [("PREFIX ki", 1), ("ALL", 2)] {
        let mut watcher = server.connect().await;
        watcher.send(format!("WATCH {subject}\n")).await;
        for _ in 0..count {
            assert!(line(&mut watcher).await.starts_with("AT Hill "));
        }
        watcher.expect(&format!("LIVE {count}\n")).await;
        drop(watcher);
    }
    let said = server
        .says("WATCH PREFIX kiwi\nUNWATCH\nWATCH PREFIX x\nUNWATCH\n")
        .await;
    assert_eq!(
        said,
        format!("{KIWI}\nLIVE 1\nEND unwatched\nLIVE 0\nEND unwatched\n")
    );
}

#[tokio::test]
async fn areas_are_entered_and_left() {
    let server = TestServer::start().await;
    server.says("IAMAT kiwi +1+1 1\n").await;
    for watch in [
        "POINT +1+1 5",
        "POINT +1+1 5 0.5",
        "WITHIN +0.9+0.9 +1.1+1.1",
    ] {
        let server = TestServer::start().await;
        server.says("IAMAT kiwi +1+1 1\nIAMAT emu +3+3 1\n").await;
        let mut watcher = server.connect().await;
        watcher.send(format!("WATCH {watch}\n")).await;
        watcher.expect(&format!("ENTER {KIWI}\nLIVE 1\n")).await;
        server.says("IAMAT emu +1.01+1 2\n").await;
        watcher
            .expect("ENTER AT Hill +1520023933.182837383 emu +1.01+1 2\n")
            .await;
        server.says("IAMAT emu +1.02+1 3\n").await;
        watcher
            .expect("AT Hill +1520023932.182837383 emu +1.02+1 3\n")
            .await;
        server.says("IAMAT emu -1+1 4\nIAMAT emu -1+2 5\n").await;
        let left = line(&mut watcher).await;
        assert!(
            left.starts_with("LEAVE AT Hill ") && left.contains(" emu -1+"),
            "{left}"
        );
        server.locations.raise_floor(2_000_000_000).await;
        watcher.expect("GONE kiwi\n").await;
    }
}

#[tokio::test]
async fn an_area_follows_its_client() {
    let server = TestServer::start().await;
    server.says("IAMAT kiwi +1+1 1\n").await;
    let mut watcher = server.connect().await;
    watcher.send("WATCH NEARBY van 5\n").await;
    watcher.expect("LIVE 0\n").await;
    server.says("IAMAT van +1.01+1 1\n").await;
    watcher
        .expect(&format!(
            "CENTRE AT Hill +1520023934.182837383 van +1.01+1 1\nENTER {KIWI}\n"
        ))
        .await;
    server.says("IAMAT van +2+2 2\n").await;
    watcher
        .expect(&format!(
            "CENTRE AT Hill +1520023933.182837383 van +2+2 2\nLEAVE {KIWI}\n"
        ))
        .await;
    server.says("IAMAT emu +2+2 9\n").await;
    watcher
        .expect("ENTER AT Hill +1520023926.182837383 emu +2+2 9\n")
        .await;
    server.locations.raise_floor(3_000_000_000).await;
    watcher
        .expect("GONE van\nLEAVE AT Hill +1520023926.182837383 emu +2+2 9\n")
        .await;
    drop(watcher);
    let mut again = server.connect().await;
    server.says("IAMAT van +2+2 4\n").await;
    again.send("WATCH NEARBY van 5 1\n").await;
    again
        .expect(
            "CENTRE AT Hill +1520023931.182837383 van +2+2 4\n\
         ENTER AT Hill +1520023926.182837383 emu +2+2 9\nLIVE 1\n",
        )
        .await;
}

#[tokio::test]
async fn everything_else_is_invalid_meanwhile() {
    let server = TestServer::start().await;
    let mut watcher = server.connect().await;
    watcher
        .send("hello\nWATCH CLIENT kiwi\nIAMAT kiwi +1+1 1\n\nWATCH ALL\nAUTH secret\n")
        .await;
    let mut lines = Vec::new();
    for _ in 0..5 {
        lines.push(line(&mut watcher).await);
    }
    assert_eq!(
        lines,
        [
            "? hello",
            "LIVE 0",
            "? IAMAT kiwi +1+1 1",
            "? WATCH ALL",
            "? AUTH",
        ]
    );
    assert!(server.locations.is_empty());
    let count = |outcome| server.statistics.commands(outcome);
    assert_eq!(count(CommandOutcome::DuringWatch), 3);
    assert_eq!(count(CommandOutcome::WatchBegun), 1);
    assert_eq!(
        server.says("UNWATCH\nWATCH\nUNWATCH now\n").await,
        "? UNWATCH\n? WATCH\n? UNWATCH now\n"
    );
    assert_eq!(count(CommandOutcome::WatchInvalid), 3);
}

#[tokio::test]
async fn a_watch_waits_for_replies_before_it() {
    let (server, places) = TestServer::start_slow().await;
    server.says("IAMAT kiwi +1+1 1\n").await;
    let mut client = server.connect().await;
    client.send("WHATSAT kiwi 1 1\nWATCH CLIENT kiwi\n").await;
    places.is_asked().await;
    server.says("IAMAT kiwi +2+2 2\n").await;
    places.allowed.add_permits(1);
    client
        .expect(&format!("{KIWI}\n{{\"radius\":1000}}\n\n"))
        .await;
    client
        .expect("AT Hill +1520023933.182837383 kiwi +2+2 2\nLIVE 1\n")
        .await;
}

#[tokio::test]
async fn a_stop_is_told_and_half_closed_watchers_go_on() {
    let server = TestServer::start().await;
    let mut open = server.connect().await;
    open.send("WATCH ALL\n").await;
    open.expect("LIVE 0\n").await;
    let mut half_closed = server.connect().await;
    half_closed.send("WATCH ALL").await;
    tokio::io::AsyncWriteExt::shutdown(&mut half_closed.stream)
        .await
        .unwrap();
    half_closed.expect("LIVE 0\n").await;
    server.says("IAMAT kiwi +1+1 1\n").await;
    for watcher in [&mut open, &mut half_closed] {
        watcher.expect(&format!("{KIWI}\n")).await;
    }
    server.shutdown.cancel();
    assert_eq!(open.rest().await, b"END stopping\n");
    assert_eq!(half_closed.rest().await, b"END stopping\n");
    soon(server.serving).await.unwrap();
}

#[tokio::test]
async fn silence_is_broken_and_no_idle_timeout_applies() {
    let server = TestServer::start_with(
        |settings| {
            settings.watch_alive = Duration::from_millis(50);
            settings.limits.idle_timeout = Some(Duration::from_millis(20));
        },
        TestPlaces::new(true),
        None,
    )
    .await;
    let mut watcher = server.connect().await;
    watcher.send("WATCH CLIENT kiwi\n").await;
    watcher.expect("LIVE 0\n").await;
    for _ in 0..3 {
        watcher.expect("ALIVE Hill 1520023935.182837383\n").await;
    }
}

#[tokio::test]
async fn a_watcher_that_reads_nothing_is_told_so_and_ended() {
    let server = TestServer::start_with(
        |settings| settings.reply_write_timeout = Duration::from_millis(300),
        TestPlaces::new(true),
        None,
    )
    .await;
    let mut watcher = server.connect().await;
    watcher.send("WATCH ALL\n").await;
    watcher.expect("LIVE 0\n").await;
    let long = "x".repeat(4_000);
    let slow = &server.of_operations.watches.ended[1];
    let is_ended = || slow.load(std::sync::atomic::Ordering::Relaxed) == 1;
    let mut number = 0;
    while !is_ended() {
        let mut reports = String::new();
        for _ in 0..50 {
            number += 1;
            reports.push_str(&format!("IAMAT {long}{number} +1+1 1\n"));
        }
        server.says(reports).await;
    }
    eventually("it watches no more", || {
        server.locations.watchers().is_empty()
    })
    .await;
    let rest = watcher.rest().await;
    // Whole lines, and perhaps the last one: all that was in the buffers of the system.
    let lines = String::from_utf8_lossy(&rest);
    let lines: Vec<&str> = lines.lines().collect();
    let (last, others) = lines.split_last().unwrap();
    assert!(
        others
            .iter()
            .all(|line| line.starts_with("AT Hill ") && line.ends_with(" +1+1 1"))
    );
    assert!(
        *last == "END slow" || last.starts_with("AT Hill "),
        "{last}"
    );
}

#[tokio::test]
async fn more_watchers_than_may_be_get_a_copy() {
    let server = TestServer::start_with_service(
        |settings| settings.watch.watchers_max = 1,
        TestPlaces::new(true),
    )
    .await;
    let mut watcher = server.connect().await;
    watcher.send("WATCH ALL\n").await;
    watcher.expect("LIVE 0\n").await;
    assert_eq!(server.says("WATCH ALL\n").await, "? WATCH ALL\n");
    assert_eq!(server.statistics.commands(CommandOutcome::WatchTooMany), 1);
    drop(watcher);
    // The server notices when it sends: a client that sends no more may still read.
    let mut time = 0;
    while !server.locations.watchers().is_empty() {
        time += 1;
        server.says(format!("IAMAT kiwi +1+1 {time}\n")).await;
    }
    let said = server.says("WATCH PREFIX x\nUNWATCH\n").await;
    assert_eq!(said, "LIVE 0\nEND unwatched\n");
}

#[tokio::test]
async fn a_watch_waits_for_the_store() {
    let server = TestServer::start().await;
    server.locations.loading().begin();
    let mut all = server.connect().await;
    all.send("WATCH ALL\n").await;
    let mut one = server.connect().await;
    one.send("WATCH CLIENT kiwi\n").await;
    let locations = Arc::clone(&server.locations);
    eventually("the client is asked for", || {
        let Some(search) = locations.loading().begin_search() else {
            return false;
        };
        assert!(search.is_for(b"kiwi"));
        locations.loading().end_search(search);
        true
    })
    .await;
    one.expect("LIVE 0\n").await;
    server.says("IAMAT kiwi +1+1 1\n").await;
    one.expect(&format!("{KIWI}\n")).await;
    server.locations.loading().end();
    all.expect(&format!("{KIWI}\nLIVE 1\n")).await;
}

/// A client that sends much at a time is served by other threads; its watch goes there with it, and back.
#[tokio::test]
async fn a_watch_moves_with_its_connection() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let mut input = String::new();
    for second in 1..=2_000 {
        input.push_str(&format!("IAMAT emu +1+1 {second}\n"));
    }
    input.push_str("WATCH CLIENT kiwi\n");
    client.send(&input).await;
    for _ in 0..2_000 {
        assert!(line(&mut client).await.contains(" emu "));
    }
    client.expect("LIVE 0\n").await;
    let bulk = &server.statistics.connections_bulk;
    let now_in_bulk = || bulk.load(std::sync::atomic::Ordering::Relaxed);
    assert!(now_in_bulk() <= 1);
    server.says("IAMAT kiwi +1+1 1\n").await;
    client.expect(&format!("{KIWI}\n")).await;
    // It sends nothing for a while.
    eventually("it is back", || now_in_bulk() == 0).await;
    server.says("IAMAT kiwi +1+1 2\n").await;
    client
        .expect("AT Hill +1520023933.182837383 kiwi +1+1 2\n")
        .await;
}
