//! Redis clients that must show a token.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::certified::Certified;
use super::resp::requests;
use super::server::{Client, TestServer, soon};
use crate::access::{Access, Grant, Token, Tokens, grant_line};
use herd_acknowledgement::AckLevel;

/// May report and ask about `fleet/*`, and forget `fleet/old-*`.
fn access(token: &Token) -> Arc<Access> {
    let mut grant = Grant::new("fleet").unwrap();
    grant.report.add("fleet/*").unwrap();
    grant.ask.add("fleet/*").unwrap();
    grant.forget.add("fleet/old-*").unwrap();
    let text = grant_line(&grant, &token.hash());
    Access::new("tokens".into(), Tokens::parse(text.as_bytes()).unwrap())
}

async fn server(access: &Arc<Access>) -> TestServer {
    let set = |settings: &mut crate::frontend::FrontendSettings| {
        settings.access = Some(Arc::clone(access));
    };
    TestServer::start_resp(set, (None, AckLevel::Memory)).await
}

#[tokio::test]
async fn without_a_token_nothing_is_done() {
    let server = server(&access(&Token::random())).await;
    let said = server
        .says(requests(
            "PING\nGEOADD fleet 1 1 a\nGEOPOS fleet a\nGEOSEARCH fleet FROMLONLAT 1 1 BYRADIUS 1 km\nZCARD fleet\n\
             ZREM fleet a\nINFO\nHELLO 3\nAUTH wrong\nHELLO 3 AUTH default wrong",
        ))
        .await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..7], ["-NOAUTH Authentication required."; 7]);
    assert!(
        lines[7].starts_with("-NOAUTH HELLO must be called"),
        "{said}"
    );
    assert_eq!(
        lines[8..],
        ["-WRONGPASS invalid username-password pair or user is disabled."; 2]
    );
    assert!(server.locations.is_empty());
}

#[tokio::test]
async fn the_password_is_the_token_and_its_scopes_hold() {
    let token = Token::random();
    let server = server(&access(&token)).await;
    let shown = token.reveal();
    let said = server
        .says(requests(&format!(
            "AUTH {shown}\nGEOADD fleet 1 1 a\nGEOADD fleet 1 1 old-b\nGEOADD other 1 1 a\nGEOADD fleet 1 1 c 1 1 d\n\
             GEOPOS other a\nGEOSEARCH other FROMMEMBER a BYRADIUS 1 km\nZREM fleet a\nZREM fleet old-b a\nZREM fleet old-b\nZCARD fleet\n\
             RESET\nPING\nAUTH anyone {shown}\nPING"
        )))
        .await;
    let codes: Vec<&str> = said
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        codes,
        [
            "+OK", ":1", ":1", "-NOPERM", ":2", "-NOPERM", "-NOPERM", "-NOPERM", "-NOPERM", ":1",
            ":3", "+RESET", "-NOAUTH", "+OK", "+PONG"
        ]
    );
}

#[tokio::test]
async fn a_hello_opens_with_a_token_and_tells_of_herd() {
    let token = Token::random();
    let server = server(&access(&token)).await;
    let said = server
        .says(requests(&format!(
            "HELLO 3 AUTH default {} SETNAME van\nCLIENT GETNAME\nCLIENT ID",
            token.reveal()
        )))
        .await;
    assert!(
        said.starts_with("%7\r\n$6\r\nserver\r\n$4\r\nherd\r\n"),
        "{said}"
    );
    assert!(said.ends_with("$3\r\nvan\r\n:1\r\n"), "{said}");
}

#[tokio::test]
async fn members_beyond_the_token_are_not_counted() {
    let token = Token::random();
    let server = server(&access(&token)).await;
    for client in ["fleet/a", "other/a"] {
        let record = herd_crdt::Record::new(client.as_bytes(), b"+1+1", b"1", "Smith".into(), 0);
        server.locations.report(record.unwrap());
    }
    let said = server
        .says(requests(&format!(
            "AUTH {}\nZCARD fleet\nZCARD other\nEXISTS fleet other\nGEOSEARCH other FROMLONLAT 1 1 BYRADIUS 1 km",
            token.reveal()
        )))
        .await;
    assert_eq!(said, "+OK\r\n:1\r\n:0\r\n:1\r\n*0\r\n");
}

#[tokio::test]
async fn the_certificates_of_the_client_port_hold_for_it_too() {
    let certified = Certified::new();
    let credentials = certified.credentials.clone();
    let set = |settings: &mut crate::frontend::FrontendSettings| settings.tls = Some(credentials);
    let server = TestServer::start_resp(set, (None, AckLevel::Memory)).await;
    let Client { stream } = server.connect().await;
    let mut stream = soon(certified.client.connect(stream, "127.0.0.1"))
        .await
        .unwrap();
    stream
        .write_all(&requests("GEOADD fleet 1 1 a\nQUIT"))
        .await
        .unwrap();
    stream.flush().await.unwrap();
    let mut said = Vec::new();
    soon(stream.read_to_end(&mut said)).await.unwrap();
    assert_eq!(said, b":1\r\n+OK\r\n");
    // Without TLS nothing is executed.
    let refused = server.answers(requests("GEOADD fleet 1 1 b")).await;
    assert!(!refused.starts_with(b":"), "{}", refused.escape_ascii());
    assert!(server.locations.find(b"fleet/b").is_none());
}
