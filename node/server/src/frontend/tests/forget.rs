//! Clients that are forgotten.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use herd_crdt::{CLIENT_ID_BYTES_MAX, Record};

use super::server::{NOW_NS, TestPlaces, TestServer, eventually};
use super::whatsat::ZERO;
use crate::access::{Access, Grant, Token, Tokens, grant_line};
use crate::frontend::{CommandOutcome, Word};
use herd_acknowledgement::{AckLevel, Written};
use herd_locations::{Room, TombstonesRead};

const GONE: &str = "GONE Hill kiwi 1520023935.182837383\n";

fn heard_by_smith(client: &str, time: &str, received_ns: i64) -> Record {
    let (client, time) = (client.as_bytes(), time.as_bytes());
    Record::new(client, b"+1+1", time, "Smith".into(), received_ns).unwrap()
}

#[tokio::test]
async fn a_forgotten_client_is_unknown_until_a_later_report() {
    let server = TestServer::start().await;
    // One packet, in order.
    let said = server
        .says(
            "IAMAT kiwi +1+1 7\nFORGET kiwi\nWHATSAT kiwi 0 0\nNEARBY CLIENT kiwi 1 1\nNEARBY POINT +1+1 1 1\n\
             WITHIN +0+0 +2+2 1\nIAMAT kiwi +2+2 1520023935.182837383\nWHATSAT kiwi 0 0\n\
             IAMAT kiwi +3+3 1520023935.182837384\nWHATSAT kiwi 0 0\n",
        )
        .await;
    let expected = format!(
        "AT Hill +1520023928.182837383 kiwi +1+1 7\n{GONE}? WHATSAT kiwi 0 0\n? NEARBY CLIENT kiwi 1 1\n\
         NEAR 0 complete\n\nIN 0 complete\n\n\
         AT Hill +0.000000000 kiwi +2+2 1520023935.182837383\n? WHATSAT kiwi 0 0\n\
         AT Hill -0.000000001 kiwi +3+3 1520023935.182837384\n\
         AT Hill -0.000000001 kiwi +3+3 1520023935.182837384\n{ZERO}"
    );
    assert_eq!(said, expected);
    assert_eq!(server.statistics.commands(CommandOutcome::ForgetTaken), 1);
    assert_eq!(server.statistics.latency(Word::Forget).view().count, 1);
}

#[tokio::test]
async fn a_record_ahead_of_the_clock_is_forgotten_too() {
    let server = TestServer::start().await;
    server
        .locations
        .report(heard_by_smith("kiwi", "2000000000.5", 0));
    server
        .locations
        .report(heard_by_smith("emu", "9223372036.854775807", 0));
    let said = server
        .says("FORGET kiwi\nFORGET emu\nFORGET emu\nFORGET moa\nWHATSAT emu 0 0\n")
        .await;
    let expected = "GONE Hill kiwi 2000000000.500000001\nGONE Hill emu 9223372036.854775807\n\
         GONE Hill emu 9223372036.854775807\nGONE Hill moa 1520023935.182837383\n? WHATSAT emu 0 0\n";
    assert_eq!(said, expected);
}

#[tokio::test]
async fn what_cannot_be_forgotten_is_refused() {
    let places = TestPlaces::new(true);
    let set = |settings: &mut crate::location_service::ServiceSettings| {
        settings.client_id_bytes_max = 5;
        settings.room = Room {
            clients_max: Some(2),
            bytes_max: None,
        };
    };
    let server = TestServer::start_with_service(set, places).await;
    server
        .locations
        .report(heard_by_smith("longer-than-allowed", "1", 0));
    let too_long = format!("FORGET {}\n", "a".repeat(CLIENT_ID_BYTES_MAX + 1));
    let lines = format!("FORGET\nFORGET a b\nFORGET 654321\n{too_long}");
    let refused: String = lines.lines().map(|line| format!("? {line}\n")).collect();
    assert_eq!(server.says(&lines).await, refused);
    assert_eq!(server.statistics.commands(CommandOutcome::ForgetInvalid), 4);
    // A client that is held may be as long as it is, and takes no more room.
    let said = server
        .says("FORGET kiwi\nFORGET emu\nFORGET longer-than-allowed\n")
        .await;
    let held = "GONE Hill longer-than-allowed 1520023935.182837383\n";
    assert_eq!(said, format!("{GONE}? FORGET emu\n{held}"));
    assert_eq!(server.statistics.commands(CommandOutcome::ForgetFull), 1);
    // Nor while a server would not understand.
    for read in [
        TombstonesRead::NotBy("Smith".into()),
        TombstonesRead::Unknown,
    ] {
        server.locations.set_tombstones_read(read);
        assert_eq!(server.says("FORGET kiwi\n").await, "? FORGET kiwi\n");
    }
    server.locations.set_tombstones_read(TombstonesRead::ByAll);
    assert_eq!(
        server.says("FORGET kiwi\n").await,
        GONE.replace("383\n", "384\n")
    );
    assert_eq!(server.statistics.commands(CommandOutcome::ForgetUnread), 2);
}

#[tokio::test]
async fn a_token_needs_the_scope() {
    let token = Token::random();
    let mut grant = Grant::new("van").unwrap();
    grant.report.add("*").unwrap();
    grant.ask.add("*").unwrap();
    grant.forget.add("van-*").unwrap();
    let text = grant_line(&grant, &token.hash());
    let access = Access::new("tokens".into(), Tokens::parse(text.as_bytes()).unwrap());
    let of_server = Arc::clone(&access);
    let set = move |settings: &mut crate::frontend::FrontendSettings| {
        settings.access = Some(of_server);
    };
    let server = TestServer::start_with(set, TestPlaces::new(true), None).await;
    server.locations.report(heard_by_smith("kiwi", "1", 0));
    let commands = format!(
        "FORGET van-1\nAUTH {}\nFORGET kiwi\nFORGET van-1\n",
        token.reveal()
    );
    let said = server.says(&commands).await;
    let expected = "? FORGET van-1\nOK\n? FORGET kiwi\nGONE Hill van-1 1520023935.182837383\n";
    assert_eq!(said, expected);
    assert!(server.locations.find(b"kiwi").is_some());
    let forbidden = access
        .statistics()
        .commands_forbidden
        .load(Ordering::Relaxed);
    assert_eq!(forbidden, 2);
}

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
async fn the_reply_waits_for_the_disk_and_is_refused_without_it() {
    let places = TestPlaces::new(true);
    let server = TestServer::start_with_ack(|_| {}, places, None, AckLevel::Disk).await;
    let mut client = server.connect().await;
    client.send("FORGET kiwi\nWHATSAT kiwi 0 0\n").await;
    client.expect("? FORGET kiwi\n? WHATSAT kiwi 0 0\n").await;
    assert!(
        server.locations.held(b"kiwi").is_some(),
        "it may come to be"
    );
    client.send("FORGET kiwi\n").await;
    eventually("it is carried out", || {
        server.statistics.commands(CommandOutcome::ForgetTaken) == 2
    })
    .await;
    reach_disk(&server);
    client.expect(&GONE.replace("383\n", "384\n")).await;
    assert_eq!(client.end().await, b"");
    assert_eq!(server.statistics.latency(Word::Forget).view().count, 2);
    assert_eq!(server.statistics.latency(Word::Iamat).view().count, 0);
}

#[tokio::test]
async fn a_record_that_turns_up_in_the_store_is_forgotten_too() {
    let server = TestServer::start().await;
    server.locations.loading().begin();
    let mut client = server.connect().await;
    client
        .send("FORGET kiwi\nFORGET emu\nIAMAT emu +2+2 1520023936\n")
        .await;
    eventually("both are carried out", || {
        server.statistics.commands(CommandOutcome::ForgetTaken) == 2
    })
    .await;
    // Heard before the command, with times ahead of it.
    let earlier = |client, time| heard_by_smith(client, time, NOW_NS - 1);
    server.locations.report(earlier("kiwi", "1520023999"));
    server.locations.report(earlier("emu", "1520023935.5"));
    server.locations.loading().end();
    client.expect("GONE Hill kiwi 1520023999.000000001\n").await;
    client.expect("GONE Hill emu 1520023935.182837383\n").await;
    client
        .expect("AT Hill -0.817162617 emu +2+2 1520023936\n")
        .await;
    assert!(server.locations.find(b"kiwi").is_none());
    let emu = server.locations.find(b"emu").unwrap();
    assert_eq!(
        emu.location_text(),
        b"+2+2",
        "it was reported behind the command"
    );
    assert_eq!(client.end().await, b"");
}
