//! PROTOCOL: WHATSAT.

use std::sync::Arc;

use herd_crdt::Record;
use tokio::io::AsyncReadExt as _;

use super::server::{PLACES_SENT, TestPlaces, TestServer, soon};
use crate::frontend::CommandOutcome;

pub(super) const ZERO: &str =
    "{\n   \"html_attributions\": [],\n   \"results\": [],\n   \"status\": \"ZERO_RESULTS\"\n}\n\n";

#[tokio::test]
async fn any_server_answers_with_the_line_of_the_server_that_heard() {
    let server = TestServer::start().await;
    let record = Record::new(
        b"kiwi.cs.ucla.edu",
        b"+34.068930-118.445127",
        b"1520023934.918963997",
        "Jaquez".into(),
        1_520_023_934_918_963_996,
    )
    .unwrap();
    server.locations.report(record);
    let expected = format!(
        "AT Jaquez -0.000000001 kiwi.cs.ucla.edu +34.068930-118.445127 \
         1520023934.918963997\n{PLACES_SENT}"
    );
    assert_eq!(
        server.says("WHATSAT kiwi.cs.ucla.edu 10 5\n").await,
        expected
    );
}

#[tokio::test]
async fn the_provider_gets_the_query_of_the_command() {
    let places = TestPlaces::new(true);
    let server = TestServer::start_with(|_| {}, Arc::clone(&places), None).await;
    server.says("IAMAT k +34.5-118.25 1\n").await;
    for (operands, radius_m, results_max) in [
        ("10 5", 10_000.0, 5),
        ("+50.000 020", 50_000.0, 20),
        ("0.0005 1", 0.5, 1),
        ("007.25 00", 7_250.0, 0),
    ] {
        server.says(format!("WHATSAT k {operands}\n")).await;
        let asked = places.asked.lock().pop();
        if results_max == 0 {
            assert_eq!(asked, None);
            continue;
        }
        let asked = asked.unwrap();
        assert_eq!((asked.radius_m, asked.results_max), (radius_m, results_max));
        assert_eq!(asked.center.latitude_degrees, 34.5);
        assert_eq!(asked.center.longitude_degrees, -118.25);
    }
}

#[tokio::test]
async fn a_bound_or_radius_of_zero_is_answered_without_asking() {
    let places = TestPlaces::new(true);
    let server = TestServer::start_with(|_| {}, Arc::clone(&places), None).await;
    let at = server.says("IAMAT k +1+1 1\n").await;
    for operands in ["0 5", "10 0", "+00.000 00", "0 0"] {
        let says = server.says(format!("WHATSAT k {operands}\n")).await;
        assert_eq!(says, format!("{at}{ZERO}"));
    }
    assert!(places.asked.lock().is_empty());
}

#[tokio::test]
async fn malformed_operands_are_refused() {
    let server = TestServer::start().await;
    server.says("IAMAT k +1+1 1\n").await;
    for operands in [
        "50.0000000000000000000001 5",
        "51 5",
        "-0 5",
        "-1 5",
        ".5 5",
        "5. 5",
        "1e1 5",
        "nan 5",
        "0x1 5",
        "1_0 5",
        "10 21",
        "10 +5",
        "10 -1",
        "10 5.0",
        "10 1e1",
        "10",
        "10 5 5",
    ] {
        let line = format!("WHATSAT k {operands}\n");
        assert_eq!(server.says(&line).await, format!("? {line}"));
    }
    assert_eq!(
        server.statistics.commands(CommandOutcome::WhatsatInvalid),
        17
    );
}

#[tokio::test]
async fn an_unknown_client_gets_the_error_reply() {
    let server = TestServer::start().await;
    server.says("IAMAT kiwi +1+1 1\n").await;
    for client in ["Kiwi", "kiw", "kiwi\0"] {
        let line = format!("WHATSAT {client} 10 5\n");
        assert_eq!(server.says(&line).await, format!("? {line}"));
    }
    assert_eq!(
        server.statistics.commands(CommandOutcome::WhatsatUnknown),
        3
    );
}

#[tokio::test]
async fn one_read_gets_the_whole_reply() {
    let server = TestServer::start().await;
    let at = server.says("IAMAT k +1+1 1\n").await;
    let expected = format!("{at}{PLACES_SENT}");
    for _ in 0..200 {
        let mut client = server.connect().await;
        client.send("WHATSAT k 10 5\n").await;
        let mut bytes = [0; 4096];
        let len = soon(client.stream.read(&mut bytes)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes[..len]), expected);
    }
}

#[tokio::test]
async fn a_slow_provider_delays_only_its_connection() {
    let (server, places) = TestServer::start_slow().await;
    let at = server.says("IAMAT k +1+1 1\n").await;
    let mut client = server.connect().await;
    client
        .send("first\nWHATSAT k 1 5\nIAMAT k +2+2 2\nWHATSAT k 2 5\nlast\n")
        .await;
    client.expect("? first\n").await;
    // Another connection sees the effect of a command that stands behind the waiting one.
    let says = server.says("WHATSAT k 0 0\n").await;
    let at_2 = says.lines().next().unwrap();
    assert!(at_2.ends_with(" k +2+2 2"), "{says}");
    assert_eq!(server.says("hello\n").await, "? hello\n");
    places.allowed.add_permits(1);
    client
        .expect(&format!("{at}{{\"radius\":1000}}\n\n{at_2}\n"))
        .await;
    places.allowed.add_permits(1);
    client
        .expect(&format!("{at_2}\n{{\"radius\":2000}}\n\n? last\n"))
        .await;
    assert_eq!(client.end().await, b"");
}

#[tokio::test]
async fn a_reply_that_waits_is_still_sent_after_the_half_close() {
    let (server, places) = TestServer::start_slow().await;
    let at = server.says("IAMAT k +1+1 1\n").await;
    let mut client = server.connect().await;
    client.send("WHATSAT k 1 5").await;
    let end = tokio::spawn(client.end());
    super::server::eventually("the provider is asked", || !places.asked.lock().is_empty()).await;
    places.allowed.add_permits(1);
    let says = soon(end).await.unwrap();
    assert_eq!(
        String::from_utf8(says).unwrap(),
        format!("{at}{{\"radius\":1000}}\n\n")
    );
}

#[tokio::test]
async fn a_provider_that_panics_costs_only_the_connection_that_asked() {
    let (server, places) = TestServer::start_slow().await;
    let at = server.says("IAMAT k +1+1 1\n").await;
    places.allowed.add_permits(1);
    assert_eq!(server.says("WHATSAT k 1 13\n").await, "");
    assert_eq!(server.says("IAMAT k +1+1 1\n").await, at);
}
