//! Clients that must show a token.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::server::{TestPlaces, TestServer};
use crate::access::{Access, Grant, Token, Tokens, grant_line};
use crate::wire_log::WireLog;
use herd_clock::clock::SystemClock;

/// May report `van-*` and ask about `depot`.
fn access(token: &Token) -> Arc<Access> {
    let mut grant = Grant::new("van").unwrap();
    grant.report.add("van-*").unwrap();
    grant.ask.add("depot").unwrap();
    let text = grant_line(&grant, &token.hash());
    Access::new("tokens".into(), Tokens::parse(text.as_bytes()).unwrap())
}

async fn server(access: &Arc<Access>, wire_log: Option<WireLog>) -> TestServer {
    TestServer::start_with(
        |settings| settings.access = Some(access.clone()),
        TestPlaces::new(true),
        wire_log,
    )
    .await
}

fn report(server: &TestServer, client: &str) {
    let record = herd_crdt::Record::new(client.as_bytes(), b"+1+1", b"1", "Smith".into(), 0);
    server.locations.report(record.unwrap());
}

#[tokio::test]
async fn without_a_scope_the_answer_is_that_for_an_unknown_client() {
    let token = Token::random();
    let access = access(&token);
    let server = server(&access, None).await;
    report(&server, "known");
    report(&server, "depot");
    let nobody = "WHATSAT known 0 0\nWHATSAT unknown 0 0\nIAMAT known +1+1 1\nIAMAT van-1 +1+1 1\n";
    let refused: String = nobody.lines().map(|line| format!("? {line}\n")).collect();
    assert_eq!(server.says(nobody).await, refused);
    let said = server
        .says(format!(
            "AUTH {}\nWHATSAT known 0 0\nWHATSAT unknown 0 0\nWHATSAT depot 0 0\nIAMAT van-1 +1+1 1\nhello\n",
            token.reveal()
        ))
        .await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..3],
        ["OK", "? WHATSAT known 0 0", "? WHATSAT unknown 0 0"]
    );
    assert!(lines[3].starts_with("AT Smith "), "{said}");
    let end = &lines[lines.len() - 2..];
    assert!(end[0].starts_with("AT Hill ") && end[0].ends_with(" van-1 +1+1 1"));
    assert_eq!(end[1], "? hello");
    let count = access
        .statistics()
        .commands_forbidden
        .load(Ordering::Relaxed);
    assert_eq!(count, 6);
}

#[tokio::test]
async fn a_wrong_token_is_not_sent_back() {
    let server = server(&access(&Token::random()), None).await;
    let other = Token::random();
    let said = server
        .says(format!("AUTH {}\nAUTH\n AUTH x y\n", other.reveal()))
        .await;
    assert_eq!(said, "? AUTH\n? AUTH\n? AUTH\n");
}

#[tokio::test]
async fn without_tokens_auth_is_no_command() {
    let server = TestServer::start().await;
    assert_eq!(server.says("AUTH x\n").await, "? AUTH x\n");
}

#[tokio::test]
async fn no_token_is_in_the_wire_log() {
    let folder = tempfile::tempdir().unwrap();
    let token = Token::random();
    for with_tokens in [true, false] {
        let path = folder.path().join(format!("wire-{with_tokens}.log"));
        let (log, writer) = WireLog::open(&path, Arc::new(SystemClock), None).unwrap();
        let access = access(&token);
        let server = TestServer::start_with(
            |settings| settings.access = with_tokens.then(|| access.clone()),
            TestPlaces::new(true),
            Some(log),
        )
        .await;
        let (good, bad) = (token.reveal(), Token::random());
        let bad = bad.reveal();
        let long = "y".repeat(70_000);
        server
            .says(format!(
                "AUTH {good}\n  auth\t{bad}\nAUTH {bad} {good}\nAUTH {good}{long}\nIAMAT van-1 +1+1 1\n"
            ))
            .await;
        writer.close(Duration::from_secs(20)).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(good) && !text.contains(bad), "{text}");
        assert!(text.contains("< AUTH (token)\n"), "{text}");
        assert!(text.contains("< AUTH (token)\\...\n"), "{text}");
        let accepted = if with_tokens {
            "> OK\n"
        } else {
            "> ? AUTH (token)\n"
        };
        assert!(text.contains(accepted), "{text}");
    }
}
