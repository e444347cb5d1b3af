//! Replies that wait until a report is as safe as the server promises, and clients that ask while
//! the store is read.

use herd_crdt::Record;

use super::server::{TestPlaces, TestServer, eventually};
use super::whatsat::ZERO;
use crate::frontend::CommandOutcome;
use herd_acknowledgement::{AckLevel, Written};

const KIWI: &str = "AT Hill +1520023935.182837383 kiwi +1+1 0\n";

async fn on_disk() -> TestServer {
    let places = TestPlaces::new(true);
    TestServer::start_with_ack(|_| {}, places, None, AckLevel::Disk).await
}

/// A round of the publisher, which reaches the disk.
fn reach_disk(server: &TestServer) {
    let round = server.acknowledgements.begin_round();
    server.acknowledgements.note_written(Written {
        round,
        storage_ticket: round,
        generation: 1,
        version: round,
        question: 0,
        behind: false,
    });
    server.acknowledgements.note_synced(round);
}

#[tokio::test]
async fn a_reply_waits_for_the_disk_and_later_replies_for_it() {
    let server = on_disk().await;
    let mut client = server.connect().await;
    client
        .send("WHATSAT emu 1 1\nIAMAT kiwi +1+1 0\nWHATSAT kiwi 0 0\nIAMAT kiwi +1+1\n")
        .await;
    client.expect("? WHATSAT emu 1 1\n").await;
    eventually("it is taken in", || {
        server.locations.find(b"kiwi").is_some()
    })
    .await;
    reach_disk(&server);
    client.expect(KIWI).await;
    client
        .expect(&format!("{KIWI}{ZERO}? IAMAT kiwi +1+1\n"))
        .await;
    assert_eq!(client.end().await, b"");
}

#[tokio::test]
async fn an_unconfirmed_report_gets_the_error_reply_in_order() {
    let server = on_disk().await;
    let mut client = server.connect().await;
    client
        .send("IAMAT kiwi +1+1 0 \r\nWHATSAT kiwi 0 0\nIAMAT emu +1+1 0\n")
        .await;
    client
        .expect(&format!(
            "? IAMAT kiwi +1+1 0 \n{KIWI}{ZERO}? IAMAT emu +1+1 0\n"
        ))
        .await;
    assert_eq!(server.acknowledgements.figures().disk_late, 1);
    // It was taken in all the same, and a retry is as good as the first try.
    client.send("IAMAT kiwi +1+1 0\n").await;
    eventually("it is taken in", || {
        server.statistics.commands(CommandOutcome::IamatTaken) == 3
    })
    .await;
    reach_disk(&server);
    client.expect(KIWI).await;
    assert_eq!(client.end().await, b"");
}

#[tokio::test]
async fn a_store_that_failed_refuses_at_once() {
    let server = on_disk().await;
    server.acknowledgements.note_disk_failed();
    let said = server.says("IAMAT kiwi +1+1 0\nWHATSAT kiwi 0 0\n").await;
    assert_eq!(said, format!("? IAMAT kiwi +1+1 0\n{KIWI}{ZERO}"));
    assert_eq!(server.acknowledgements.figures().disk_failed, 1);
}

#[tokio::test]
async fn many_reports_of_one_connection_wait_together() {
    let server = on_disk().await;
    let mut client = server.connect().await;
    let commands = 700;
    let mut expected = String::new();
    for number in 0..commands {
        client.send(format!("IAMAT k{number} +1+1 0\n")).await;
        expected.push_str(&format!("AT Hill +1520023935.182837383 k{number} +1+1 0\n"));
    }
    eventually("all are taken in", || {
        server.statistics.commands(CommandOutcome::IamatTaken) == commands
    })
    .await;
    reach_disk(&server);
    client.expect(&expected).await;
    assert_eq!(client.end().await, b"");
}

#[tokio::test]
async fn an_answer_waits_for_the_record_in_the_store() {
    let server = TestServer::start().await;
    server.locations.loading().begin();
    // A part of it is in the map.
    let early = Record::new(b"kiwi", b"+1+1", b"-1", "Smith".into(), 0).unwrap();
    server.locations.report(early);
    let mut client = server.connect().await;
    client
        .send("WHATSAT kiwi 0 0\nWHATSAT emu 0 0\nIAMAT emu +1+1 5\n")
        .await;
    eventually("both are asked for", || {
        server.statistics.commands(CommandOutcome::WhatsatLoading) == 2
    })
    .await;
    // The groups of a store come in no order: the greater record may come last.
    for time in ["0", "7", "3"] {
        let kiwi = Record::new(b"kiwi", b"+1+1", time.as_bytes(), "Smith".into(), 0).unwrap();
        server.locations.report(kiwi);
    }
    server.locations.loading().end();
    client
        .expect(&format!("AT Smith -7.000000000 kiwi +1+1 7\n{ZERO}"))
        .await;
    // A client that reports meanwhile is found too.
    client
        .expect(&format!("AT Hill +1520023930.182837383 emu +1+1 5\n{ZERO}"))
        .await;
    client
        .expect("AT Hill +1520023930.182837383 emu +1+1 5\n")
        .await;
    client.send("WHATSAT moa 0 0\n").await;
    client.expect("? WHATSAT moa 0 0\n").await;
}

#[tokio::test]
async fn a_search_answers_before_the_store_is_read() {
    let server = TestServer::start().await;
    let loading = server.locations.loading();
    loading.begin();
    let kiwi = |time: &[u8]| Record::new(b"kiwi", b"+1+1", time, "Smith".into(), 0).unwrap();
    server.locations.report(kiwi(b"0"));
    let mut client = server.connect().await;
    client.send("WHATSAT kiwi 0 0\nWHATSAT emu 0 0\n").await;
    eventually("both are asked for", || {
        server.statistics.commands(CommandOutcome::WhatsatLoading) == 2
    })
    .await;
    let search = loading.begin_search().unwrap();
    assert!(search.is_for(b"kiwi") && search.is_for(b"emu"));
    server.locations.report(kiwi(b"7"));
    loading.end_search(search);
    let replies = format!("AT Smith -7.000000000 kiwi +1+1 7\n{ZERO}? WHATSAT emu 0 0\n");
    client.expect(&replies).await;
    assert!(loading.is_running());
}
