//! WATCH with tokens.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::server::{TestPlaces, TestServer};
use crate::access::{Access, Grant, Token, Tokens, grant_line};

/// A tokens file in which a token may ask about these clients.
fn file(token: &Token, pattern: &str) -> Tokens {
    let mut grant = Grant::new("vans").unwrap();
    grant.report.add("*").unwrap();
    grant.ask.add(pattern).unwrap();
    Tokens::parse(grant_line(&grant, &token.hash()).as_bytes()).unwrap()
}

async fn server(access: &Arc<Access>) -> TestServer {
    let access = Arc::clone(access);
    let set = |settings: &mut crate::frontend::FrontendSettings| settings.access = Some(access);
    TestServer::start_with(set, TestPlaces::new(true), None).await
}

#[tokio::test]
async fn clients_beyond_the_token_are_not_told() {
    let token = Token::random();
    let access = Access::new("tokens".into(), file(&token, "van-*"));
    let server = server(&access).await;
    let auth = format!("AUTH {}\n", token.reveal());
    server
        .says(format!("{auth}IAMAT van-1 +1+1 1\nIAMAT bus-1 +1+1 1\n"))
        .await;
    let van = "AT Hill +1520023934.182837383 van-1 +1+1 1\n";
    for (watch, told) in [
        ("ALL", van.to_owned() + "LIVE 1\n"),
        ("POINT +1+1 1", format!("ENTER {van}LIVE 1\n")),
        ("PREFIX b", "LIVE 0\n".to_owned()),
    ] {
        let mut watcher = server.connect().await;
        watcher.send(format!("{auth}WATCH {watch}\n")).await;
        watcher.expect(&format!("OK\n{told}")).await;
        server.says(format!("{auth}IAMAT bus-1 +1+1.001 2\n")).await;
        watcher.send("UNWATCH\n").await;
        watcher.expect("END unwatched\n").await;
    }
    assert_eq!(
        server.says("WATCH ALL\nUNWATCH\n").await,
        "LIVE 0\nEND unwatched\n"
    );
    for watch in ["WATCH CLIENT bus-1", "WATCH NEARBY bus-1 1"] {
        let said = server.says(format!("{auth}{watch}\n")).await;
        assert_eq!(said, format!("OK\n? {watch}\n"));
    }
    let forbidden = &access.statistics().commands_forbidden;
    assert_eq!(forbidden.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_watch_that_is_not_allowed_any_more_is_refused() {
    let token = Token::random();
    let access = Access::new("tokens".into(), file(&token, "van-*"));
    let server = server(&access).await;
    for others in [
        Tokens::default(),
        file(&token, "van-2*"),
        file(&Token::random(), "*"),
    ] {
        access.replace(file(&token, "van-*"));
        let mut watcher = server.connect().await;
        watcher
            .send(format!("AUTH {}\nWATCH CLIENT van-1\n", token.reveal()))
            .await;
        watcher.expect("OK\nLIVE 0\n").await;
        // The same rights in another file.
        access.replace(file(&token, "van-*"));
        access.replace(others);
        watcher.expect("END refused\n").await;
        assert!(watcher.rest().await.is_empty());
    }
    assert!(server.locations.watchers().is_empty());
}

/// The rights change, and those of the watched client do not.
#[tokio::test]
async fn a_watch_of_a_client_outlives_other_rights() {
    let token = Token::random();
    let access = Access::new("tokens".into(), file(&token, "van-*"));
    let server = server(&access).await;
    let auth = format!("AUTH {}\n", token.reveal());
    let mut one = server.connect().await;
    one.send(format!("{auth}WATCH CLIENT van-1\n")).await;
    one.expect("OK\nLIVE 0\n").await;
    let mut all = server.connect().await;
    all.send(format!("{auth}WATCH ALL\n")).await;
    all.expect("OK\nLIVE 0\n").await;
    for (pattern, time) in [("van-1", 1), ("*", 2)] {
        access.replace(file(&token, pattern));
        let report = format!("{auth}IAMAT van-1 +1+1 {time}\n");
        server.says(report).await;
        let difference = 1_520_023_935 - time;
        one.expect(&format!(
            "AT Hill +{difference}.182837383 van-1 +1+1 {time}\n"
        ))
        .await;
    }
    assert_eq!(all.rest().await, b"END refused\n");
    access.replace(file(&token, "van-2"));
    one.expect("END refused\n").await;
}

#[tokio::test]
async fn a_token_that_is_revoked_while_lines_are_written_tells_no_more() {
    const CLIENTS: usize = 20_000;
    let token = Token::random();
    let access = Access::new("tokens".into(), file(&token, "*"));
    let server = server(&access).await;
    for number in 0..CLIENTS {
        let id = format!("van-{number:0100}");
        let record = herd_crdt::Record::new(id.as_bytes(), b"+1+1", b"1", "Hill".into(), 0);
        server.locations.report(record.unwrap());
    }
    let mut watcher = server.connect().await;
    let auth = format!("AUTH {}\nWATCH ALL\n", token.reveal());
    watcher.send(auth).await;
    watcher.expect("OK\nAT Hill ").await;
    // The buffers of the system hold a part of it.
    access.replace(Tokens::default());
    let rest = String::from_utf8(watcher.rest().await).unwrap();
    assert!(rest.ends_with(" +1+1 1\nEND refused\n"), "{}", rest.len());
    assert!(rest.lines().count() < CLIENTS, "all were told");
}
