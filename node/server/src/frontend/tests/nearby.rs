//! NEARBY and WITHIN as clients see them.

use std::sync::Arc;

use super::server::{NOW_NS, TestPlaces, TestServer, eventually};
use crate::access::{Access, Grant, Token, Tokens, grant_line};
use crate::frontend::{CommandOutcome, Word};

/// Clients around Los Angeles, at the poles and at 180 degrees, heard now and by another server.
const REPORTS: &str = "IAMAT kiwi.cs.ucla.edu +34.068930-118.445127 1520023934.918963997\n\
    IAMAT emu +34.0797-118.4453 1520023935\n\
    IAMAT moa +34.068930-118.445127 1520023930\n\
    IAMAT pole +90+17 1\n\
    IAMAT east +0+180 1\n\
    IAMAT west +0-180.0 1\n";

async fn server() -> TestServer {
    let server = TestServer::start().await;
    let taken = server.says(REPORTS).await;
    assert_eq!(taken.lines().count(), 6);
    server
}

/// The reply to one line.
async fn says(server: &TestServer, line: &str) -> String {
    server.says(format!("{line}\n")).await
}

#[tokio::test]
async fn replies_are_as_the_protocol_says_to_the_byte() {
    let server = server().await;
    let kiwi = "AT Hill +0.263873386 kiwi.cs.ucla.edu +34.068930-118.445127 1520023934.918963997";
    let moa = "AT Hill +5.182837383 moa +34.068930-118.445127 1520023930";
    let emu = "AT Hill +0.182837383 emu +34.0797-118.4453 1520023935";
    assert_eq!(NOW_NS, 1_520_023_935_182_837_383);
    assert_eq!(
        says(&server, "NEARBY POINT +34.068930-118.445127 5 3").await,
        format!("NEAR 3 complete\n0.000000 {kiwi}\n0.000000 {moa}\n1.197677 {emu}\n\n")
    );
    assert_eq!(
        says(&server, "NEARBY CLIENT kiwi.cs.ucla.edu +1.5 1").await,
        format!("NEAR 1 more\n0.000000 {moa}\n\n")
    );
    assert_eq!(
        says(&server, "NEARBY CLIENT emu 1 20").await,
        "NEAR 0 complete\n\n"
    );
    assert_eq!(
        says(&server, "NEARBY POINT +34-118 * 0").await,
        "NEAR 0 more\n\n"
    );
    assert_eq!(
        says(&server, "WITHIN +34-119 +35-118 10").await,
        format!("IN 3 complete\n{emu}\n{kiwi}\n{moa}\n\n")
    );
    assert_eq!(
        says(
            &server,
            "WITHIN +34.068930-118.445127 +34.068930-118.445127 1"
        )
        .await,
        format!("IN 1 more\n{kiwi}\n\n")
    );
}

#[tokio::test]
async fn poles_and_180_degrees_are_one_place_each() {
    let server = server().await;
    let at = "AT Hill +1520023934.182837383";
    assert_eq!(
        says(&server, "NEARBY POINT +0+180.00 0 9").await,
        format!("NEAR 2 complete\n0.000000 {at} east +0+180 1\n0.000000 {at} west +0-180.0 1\n\n")
    );
    assert_eq!(
        says(&server, "NEARBY POINT +90-120 0 9").await,
        format!("NEAR 1 complete\n0.000000 {at} pole +90+17 1\n\n")
    );
    for within in [
        "WITHIN -1+170 +1-170 9",
        "WITHIN +0+180 +0-180 9",
        "WITHIN +0-180 +0-179 9",
    ] {
        let expected = format!("IN 2 complete\n{at} east +0+180 1\n{at} west +0-180.0 1\n\n");
        assert_eq!(says(&server, within).await, expected, "{within}");
    }
    assert_eq!(
        says(&server, "WITHIN +80-20 +90-10 9").await,
        format!("IN 1 complete\n{at} pole +90+17 1\n\n")
    );
}

#[tokio::test]
async fn what_breaks_a_rule_gets_a_copy() {
    let server = server().await;
    for line in [
        "NEARBY POINT +34-118 5",
        "NEARBY POINT 34-118 5 1",
        "NEARBY POINT +34-118 20100.1 1",
        "NEARBY POINT +34-118 5 1001",
        "NEARBY CLIENT nobody 5 1",
        "NEARBY nobody 5 1",
        "WITHIN +2+1 +1+2 1",
        "WITHIN  +1+1 +2+2  ",
        "nearby POINT +34-118 5 1",
    ] {
        assert_eq!(says(&server, line).await, format!("? {line}\n"));
    }
    let count = |outcome| server.statistics.commands(outcome);
    assert_eq!(count(CommandOutcome::NearbyInvalid), 5);
    assert_eq!(count(CommandOutcome::NearbyUnknown), 1);
    assert_eq!(count(CommandOutcome::WithinInvalid), 2);
}

#[tokio::test]
async fn a_search_sees_the_reports_before_it_on_its_connection() {
    let server = TestServer::start().await;
    let mut input = String::new();
    let mut expected = String::new();
    for second in 1..=200 {
        let latitude = second % 80;
        input.push_str(&format!(
            "IAMAT van +{latitude}+1 {second}\nNEARBY POINT +{latitude}+1 0 1\n"
        ));
        let difference = format!("+{}.182837383", 1_520_023_935 - second);
        let at = format!("AT Hill {difference} van +{latitude}+1 {second}\n");
        expected.push_str(&format!("{at}NEAR 1 complete\n0.000000 {at}\n"));
    }
    assert_eq!(server.says(input).await, expected);
    assert_eq!(
        server.statistics.commands(CommandOutcome::NearbyAnswered),
        200
    );
    assert_eq!(server.statistics.latency(Word::Nearby).view().count, 200);
    assert_eq!(server.locations.index_fault(), None);
}

#[tokio::test]
async fn a_long_search_keeps_its_place_among_the_replies() {
    let server = TestServer::start().await;
    let mut input = String::new();
    for number in 0..5_000 {
        input.push_str(&format!("IAMAT c{number:04} +1+1 1\n"));
    }
    server.answers(input).await;
    let said = server
        .says("hello\nNEARBY POINT +1+1 0 2\nWITHIN -90-180 +90+180 1\nhello again\n")
        .await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "? hello");
    assert_eq!(lines[1], "NEAR 2 more");
    assert!(lines[2].contains(" c0000 ") && lines[3].contains(" c0001 "));
    assert_eq!(lines[5], "IN 1 more");
    assert!(lines[6].contains(" c0000 "));
    assert_eq!(lines[8], "? hello again");
    let long = &server.of_operations.searches.long;
    assert_eq!(long.load(std::sync::atomic::Ordering::Relaxed), 2);
    // Their time is that until they were over.
    eventually("both are measured", || {
        server.statistics.latency(Word::Within).view().count == 1
            && server.statistics.latency(Word::Nearby).view().count == 1
    })
    .await;
}

#[tokio::test]
async fn clients_beyond_the_token_do_not_exist() {
    let token = Token::random();
    let mut grant = Grant::new("vans").unwrap();
    grant.report.add("*").unwrap();
    grant.ask.add("van-*").unwrap();
    let text = grant_line(&grant, &token.hash());
    let access = Access::new("tokens".into(), Tokens::parse(text.as_bytes()).unwrap());
    let server = TestServer::start_with(
        |settings| settings.access = Some(Arc::clone(&access)),
        TestPlaces::new(true),
        None,
    )
    .await;
    let said = server
        .says(format!(
            "NEARBY POINT +1+1 1 9\nAUTH {}\nIAMAT van-1 +1+1 1\nIAMAT bus-1 +1+1 1\n\
             NEARBY POINT +1+1 1 9\nNEARBY POINT +1+1 1 0\nWITHIN +0+0 +2+2 0\n\
             NEARBY CLIENT bus-1 1 9\nNEARBY CLIENT van-1 1 9\n",
            token.reveal()
        ))
        .await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..2],
        ["NEAR 0 complete", ""],
        "nobody exists without a token"
    );
    assert_eq!(lines[2], "OK");
    assert_eq!(lines[5], "NEAR 1 complete");
    assert!(lines[6].contains(" van-1 "));
    assert_eq!(lines[8..12], ["NEAR 0 more", "", "IN 0 more", ""]);
    assert_eq!(lines[12], "? NEARBY CLIENT bus-1 1 9");
    assert_eq!(lines[13..], ["NEAR 0 complete", ""]);
}

#[tokio::test]
async fn a_connection_begins_few_long_searches_at_a_time() {
    let server = TestServer::start().await;
    server.locations.loading().begin();
    let mut client = server.connect().await;
    client.send("NEARBY POINT +1+1 0 2\n".repeat(20)).await;
    let begun = || server.statistics.commands(CommandOutcome::NearbyLoading);
    eventually("the first have begun", || begun() >= 8).await;
    // Another connection has a turn, and so would this one.
    assert_eq!(server.says("hello\n").await, "? hello\n");
    assert_eq!(begun(), 8);
    server.locations.loading().end();
    client.expect(&"NEAR 0 complete\n\n".repeat(20)).await;
}
