//! What holds for every connection holds for one that watches: limits of time, threads for bulk, stops, over TLS too.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use super::certified::Certified;
use super::server::{TestPlaces, TestServer, eventually, soon};
use crate::frontend::FrontendSettings;
use crate::location_service::ServiceSettings;
use herd_crdt::Record;

/// A client, over TLS or not.
struct Watcher {
    stream: BufReader<Box<dyn Duplex>>,
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

impl Watcher {
    async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next line; empty at the end, even where TLS is not told of it.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = soon(self.stream.read_line(&mut line)).await;
        assert!(read.is_ok_and(|read| read > 0) || line.is_empty(), "{line}");
        line.trim_end().to_owned()
    }

    /// The next line that the server does not say by itself.
    async fn news(&mut self) -> String {
        loop {
            let line = self.line().await;
            if !line.starts_with("ALIVE ") {
                return line;
            }
        }
    }
}

/// A server with these settings, and a client of it, over TLS or not.
async fn watched(
    is_encrypted: bool,
    set: impl FnOnce(&mut FrontendSettings),
) -> (TestServer, Watcher) {
    let certified = is_encrypted.then(Certified::new);
    let tls = certified
        .as_ref()
        .map(|certified| certified.credentials.clone());
    let set = |settings: &mut FrontendSettings| {
        settings.tls = tls;
        set(settings);
    };
    let server = TestServer::start_with(set, TestPlaces::new(true), None).await;
    let stream = server.connect().await.stream;
    let stream: Box<dyn Duplex> = match &certified {
        None => Box::new(stream),
        Some(certified) => {
            let connecting = certified.client.connect(stream, "127.0.0.1");
            Box::new(soon(connecting).await.unwrap())
        }
    };
    let stream = BufReader::new(stream);
    (server, Watcher { stream })
}

/// As a report at another server that has come here.
fn report(server: &TestServer, client: &str, time: usize) {
    let time = time.to_string();
    let record = Record::new(
        client.as_bytes(),
        b"+1+1",
        time.as_bytes(),
        "Jaquez".into(),
        0,
    );
    server.locations.report(record.unwrap());
}

async fn watches_no_more(server: &TestServer) {
    eventually("it watches no more", || {
        server.locations.watchers().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_watcher_that_ends_no_line_is_cut_off_in_time() {
    for is_encrypted in [false, true] {
        let (server, mut watcher) = watched(is_encrypted, |settings| {
            settings.limits.half_line_timeout = Some(Duration::from_millis(300));
        })
        .await;
        watcher.send("WATCH CLIENT kiwi\nUNW").await;
        assert_eq!(watcher.line().await, "LIVE 0");
        let half_line = &server.statistics.limits.connections_half_line;
        let mut time = 0;
        // It is told meanwhile, and sends more of its line.
        while half_line.load(Ordering::Relaxed) == 0 {
            time += 1;
            assert!(time < 1_000, "it is not cut off");
            report(&server, "kiwi", time);
            let told = watcher.line().await;
            assert!(
                told.is_empty() || told.ends_with(&format!(" kiwi +1+1 {time}")),
                "{told}"
            );
            let _ = watcher.stream.write_all(b"x").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(time > 3, "it was cut off after {time} lines");
        watches_no_more(&server).await;
    }
}

#[tokio::test]
async fn who_watches_is_not_idle_and_who_ended_it_is() {
    for is_encrypted in [false, true] {
        let (server, mut watcher) = watched(is_encrypted, |settings| {
            settings.watch_alive = Duration::from_millis(400);
            settings.limits.idle_timeout = Some(Duration::from_millis(200));
        })
        .await;
        watcher.send("WATCH CLIENT kiwi\n").await;
        assert_eq!(watcher.line().await, "LIVE 0");
        for _ in 0..3 {
            assert!(watcher.line().await.starts_with("ALIVE Hill "));
        }
        watcher.send("UNWATCH\n").await;
        assert_eq!(watcher.news().await, "END unwatched");
        assert_eq!(watcher.line().await, "", "it is closed");
        let idle = &server.statistics.limits.connections_idle;
        assert_eq!(idle.load(Ordering::Relaxed), 1);
    }
}

/// Other threads take over a connection that sends much, in the middle of its watch, and give it back.
#[tokio::test]
async fn a_watch_under_way_moves_to_other_threads_and_back() {
    for is_encrypted in [false, true] {
        let (server, mut watcher) = watched(is_encrypted, |_| {}).await;
        watcher.send("WATCH CLIENT kiwi\n").await;
        assert_eq!(watcher.line().await, "LIVE 0");
        let in_bulk = || server.statistics.connections_bulk.load(Ordering::Relaxed);
        let mut time = 0;
        for round in 0.. {
            if in_bulk() > 0 {
                break;
            }
            assert!(round < 100, "it does not move");
            watcher
                .send("nothing that is a command\n".repeat(200))
                .await;
            for _ in 0..200 {
                assert_eq!(watcher.news().await, "? nothing that is a command");
            }
        }
        for place in [1, 0] {
            eventually("it has moved", || in_bulk() == place).await;
            time += 1;
            report(&server, "kiwi", time);
            assert!(
                watcher
                    .news()
                    .await
                    .ends_with(&format!(" kiwi +1+1 {time}"))
            );
        }
        watcher.send("UNWATCH\n").await;
        assert_eq!(watcher.news().await, "END unwatched");
    }
}

/// The server stops while all that is so is being told, and while lines wait.
#[tokio::test]
async fn a_stop_in_the_middle_of_a_first_state_is_told() {
    const CLIENTS: usize = 20_000;
    for is_encrypted in [false, true] {
        let (server, mut watcher) = watched(is_encrypted, |_| {}).await;
        for number in 0..CLIENTS {
            report(&server, &format!("client-{number:0100}"), 1);
        }
        watcher.send("WATCH ALL\n").await;
        assert!(watcher.line().await.starts_with("AT Jaquez "));
        server.shutdown.cancel();
        let mut lines = 1;
        let last = loop {
            let line = watcher.line().await;
            if !line.starts_with("AT Jaquez ") {
                break line;
            }
            assert!(line.ends_with(" +1+1 1"), "{line}");
            lines += 1;
        };
        assert_eq!(last, "END stopping");
        assert!(lines < CLIENTS, "all were told");
        assert_eq!(watcher.line().await, "");
        soon(server.serving).await.unwrap();
    }
}

/// IDs that watchers name take memory too.
#[tokio::test]
async fn an_id_without_room_is_not_watched() {
    let set = |settings: &mut ServiceSettings| settings.watch.inside_max = 3;
    let server = TestServer::start_with_service(set, TestPlaces::new(true)).await;
    let long = "x".repeat(200);
    let mut first = server.connect().await;
    first.send(format!("WATCH CLIENT {long}\n")).await;
    first.expect("LIVE 0\n").await;
    for subject in [
        format!("PREFIX {long}"),
        format!("CLIENT {long}"),
        format!("NEARBY {long} 5"),
    ] {
        let said = server.says(format!("WATCH {subject}\n")).await;
        assert_eq!(said, format!("? WATCH {subject}\n"));
    }
    let refused = &server.of_operations.watches.too_large;
    assert_eq!(refused.load(Ordering::Relaxed), 3);
    let short = server.says("WATCH CLIENT kiwi\nUNWATCH\n").await;
    assert_eq!(short, "LIVE 0\nEND unwatched\n");
    first.send("UNWATCH\n").await;
    first.expect("END unwatched\n").await;
    let long = server.says(format!("WATCH PREFIX {long}\nUNWATCH\n")).await;
    assert_eq!(long, "LIVE 0\nEND unwatched\n");
}
