//! Redis clients: RESP to the byte, and the rules that it shares with lines.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use herd_crdt::Record;

use super::server::{NOW_NS, TestServer, eventually};
use crate::frontend::{CommandOutcome, FrontendSettings};
use crate::location_service::ServiceSettings;
use crate::wire_log::WireLog;
use herd_acknowledgement::{AckLevel, Written};
use herd_clock::clock::SystemClock;

/// A request as clients send it.
pub(super) fn request(words: &str) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

/// Requests, one a line.
pub(super) fn requests(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(request).collect()
}

async fn server() -> TestServer {
    TestServer::start_resp(|_| {}, (None, AckLevel::Memory)).await
}

async fn server_with(set: impl FnOnce(&mut FrontendSettings)) -> TestServer {
    TestServer::start_resp(set, (None, AckLevel::Memory)).await
}

fn is_known(server: &TestServer, client: &str) -> bool {
    server.locations.find(client.as_bytes()).is_some()
}

#[tokio::test]
async fn a_member_is_a_client_and_its_degrees_are_exact() {
    let server = server().await;
    let said = server
        .says(requests(
            "GEOADD fleet 13.3613890000000000001 -0.50 van7\nGEOPOS fleet van7 van8\nHELLO 3\nGEOPOS fleet van7",
        ))
        .await;
    let positions = "*2\r\n*2\r\n$22\r\n13.3613890000000000001\r\n$5\r\n-0.50\r\n*-1\r\n";
    assert!(
        said.starts_with(&format!(":1\r\n{positions}%7\r\n")),
        "{said}"
    );
    assert!(
        said.ends_with("*1\r\n*2\r\n,13.3613890000000000001\r\n,-0.50\r\n"),
        "{said}"
    );
    let record = server.locations.find(b"fleet/van7").unwrap();
    assert_eq!(record.location_text(), b"-0.50+13.3613890000000000001");
    assert_eq!(record.time().ns(), NOW_NS);
    assert_eq!(&**record.server(), "Hill");
}

#[tokio::test]
async fn the_later_of_two_requests_wins_at_one_clock() {
    let server = server().await;
    let said = server
        .says(requests(
            "GEOADD k 1 1 a\nGEOADD k 9 9 a\nGEOADD k 5 5 a\nGEOPOS k a\nZREM k a\nGEOADD k 7 7 a\nZREM k a a\n\
             GEOADD k 1 1 a\nZREM k a\nGEOPOS k a",
        ))
        .await;
    let position = "*1\r\n*2\r\n$1\r\n5\r\n$1\r\n5\r\n";
    assert_eq!(
        said,
        format!(":1\r\n:0\r\n:0\r\n{position}:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n*1\r\n*-1\r\n")
    );
}

#[tokio::test]
async fn a_member_of_which_a_later_record_is_known_is_told() {
    let server = server().await;
    // An hour ahead, as a client with a clock of its own may report.
    let ahead = format!("{}", NOW_NS / 1_000_000_000 + 3_600);
    let known = Record::new(b"k/a", b"+8+8", ahead.as_bytes(), "Smith".into(), 0).unwrap();
    server.locations.report(known);
    let said = server
        .says(requests(
            "GEOADD k 1 1 a\nGEOADD k 2 2 b 1 1 a 3 3 c\nGEOADD k NX 1 1 a\nGEOADD k XX CH 1 1 a\nGEOPOS k a b c\n\
             ZREM k a\nGEOADD k 1 1 a\nGEOPOS k a",
        ))
        .await;
    let reason =
        "of each a later report or removal is known, with a time ahead of this server's clock";
    let alone = format!("-ERR 1 of 1 members not changed: {reason}\r\n");
    let one = format!("-ERR 1 of 3 members not changed: {reason}; the others were taken in\r\n");
    let at = |degree: u8| format!("*2\r\n$1\r\n{degree}\r\n$1\r\n{degree}\r\n");
    let positions = format!("*3\r\n{}{}{}", at(8), at(2), at(3));
    assert_eq!(
        said,
        format!("{alone}{one}:0\r\n{alone}{positions}:1\r\n{alone}*1\r\n*-1\r\n")
    );
}

#[tokio::test]
async fn a_mistake_in_one_member_changes_nothing() {
    let server = server().await;
    let said = server
        .says(requests(
            "GEOADD k 1 1 a 2 91 b\nGEOADD k 1 1 a x 2 b\nGEOADD k 1 1 a 2 2 b\nZCARD k\nZCARD other",
        ))
        .await;
    assert_eq!(
        said,
        "-ERR invalid longitude,latitude pair 2.000000,91.000000\r\n-ERR value is not a valid float\r\n:2\r\n:2\r\n:0\r\n"
    );
    let blank = b"*5\r\n$6\r\nGEOADD\r\n$1\r\nk\r\n$1\r\n1\r\n$1\r\n1\r\n$3\r\na b\r\n";
    let said = server.says(&blank[..]).await;
    assert!(said.starts_with("-ERR key and member"), "{said}");
}

#[tokio::test]
async fn a_long_key_times_many_members_changes_nothing() {
    let server = server().await;
    let key = "k".repeat(8_000);
    let many = " m".repeat(1_000);
    let placed = " 1 1 m".repeat(1_000);
    let longer = "k".repeat(9_000);
    let said = server
        .says(requests(&format!(
            "GEOADD {key} 1 1 m\nGEOPOS {key}{many}\nZREM {key}{many}\nGEOADD {key}{placed}\nGEOPOS {key} n\nZCARD {key}\n\
             GEOPOS {longer} m\nGEODIST {longer} m m\nZREM {longer} m"
        )))
        .await;
    let lines: Vec<&str> = said.lines().collect();
    let refused = "-ERR key and member, with a '/' between them, are more than 1048576 bytes for all members together";
    for line in &lines[1..4] {
        assert!(line.starts_with(refused), "{line}");
    }
    assert_eq!(
        (lines[0], &lines[4..9]),
        (":1", &["*1", "*-1", ":1", "*1", "*-1"][..])
    );
    assert_eq!(lines[9], "$-1");
    assert!(lines[10].starts_with("-ERR the client's id is longer"));
}

#[tokio::test]
async fn conditions_look_at_what_is_known() {
    let server = server().await;
    let said = server
        .says(requests(
            "GEOADD k XX 1 1 a\nGEOADD k NX 1 1 a\nGEOADD k NX 2 2 a 3 3 b\nGEOADD k XX CH 1 1 a\nGEOADD k CH 4 4 a\n\
             GEOPOS k a",
        ))
        .await;
    assert_eq!(
        said,
        ":0\r\n:1\r\n:1\r\n:0\r\n:1\r\n*1\r\n*2\r\n$1\r\n4\r\n$1\r\n4\r\n"
    );
}

#[tokio::test]
async fn a_search_finds_the_members_of_its_key_only() {
    let server = server().await;
    let said = server
        .says(requests(
            "GEOADD a 1 1 near 1.5 1 far\nGEOADD b 1 1 other\nGEOADD ab 1 1 x\n\
             GEOSEARCH a FROMLONLAT 1 1 BYRADIUS 100 km\n\
             GEOSEARCH a FROMMEMBER far BYBOX 60 60 km WITHDIST DESC\n\
             GEOSEARCH a FROMLONLAT 1 1 BYBOX 200 10 km DESC COUNT 1\n\
             GEOSEARCH a FROMLONLAT 1 1 BYBOX 10 200 km\n\
             GEOSEARCH a FROMMEMBER nobody BYRADIUS 100 km\n\
             EXISTS a b c\nTYPE a\nTYPE c",
        ))
        .await;
    assert_eq!(
        said,
        ":2\r\n:1\r\n:1\r\n*2\r\n$4\r\nnear\r\n$3\r\nfar\r\n*1\r\n*2\r\n$3\r\nfar\r\n$6\r\n0.0000\r\n\
         *1\r\n$3\r\nfar\r\n*1\r\n$4\r\nnear\r\n-ERR could not decode requested zset member\r\n:2\r\n+zset\r\n+none\r\n"
    );
}

#[tokio::test]
async fn more_members_than_are_answered_are_refused() {
    let server = server().await;
    for number in 0..10_001 {
        let client = format!("k/{number}");
        let record = Record::new(client.as_bytes(), b"+1+1", b"1", "Hill".into(), 0);
        server.locations.report(record.unwrap());
    }
    let said = server
        .says(requests(
            "GEOSEARCH k FROMLONLAT 1 1 BYRADIUS 1 km\nGEOSEARCH k FROMLONLAT 1 1 BYRADIUS 1 km DESC COUNT 1\n\
             GEOSEARCH k FROMLONLAT 1 1 BYRADIUS 1 km COUNT 1\nZCARD k",
        ))
        .await;
    let refused = "-ERR more than 10000 members are in the area: ask for a smaller one, or for COUNT with ASC\r\n";
    assert_eq!(
        said,
        format!("{refused}{refused}*1\r\n$1\r\n0\r\n:10001\r\n")
    );
}

#[tokio::test]
async fn a_pipeline_is_answered_in_order_and_moves() {
    let server = server().await;
    let mut client = server.connect().await;
    let mut sent = Vec::new();
    let mut expected = String::new();
    for number in 0..10_000 {
        sent.extend(request(&format!("GEOADD k 1.{number} 1 m{number}")));
        expected += ":1\r\n";
        if number % 100 == 0 {
            sent.extend(request(&format!("ECHO {number:05}")));
            sent.extend(request("ZCARD nobody"));
            expected += &format!("$5\r\n{number:05}\r\n:0\r\n");
        }
    }
    let (half, rest) = sent.split_at(sent.len() / 2);
    client.send(half).await;
    eventually("it has moved", || {
        server.statistics.connections_bulk.load(Ordering::Relaxed) == 1
    })
    .await;
    client.send(rest).await;
    client.expect(&expected).await;
    client.send(request("QUIT")).await;
    client.send(request("GEOADD k 1 1 late")).await;
    assert_eq!(client.rest().await, b"+OK\r\n");
    assert!(!is_known(&server, "k/late"));
}

/// All so far is on disk.
fn confirm(server: &TestServer) {
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
async fn a_report_waits_for_the_promise() {
    let server = TestServer::start_resp(|_| {}, (None, AckLevel::Disk)).await;
    let mut client = server.connect().await;
    client
        .send(requests("GEOADD k 1 1 a 2 2 b\nPING\nZREM k a"))
        .await;
    eventually("it is taken in", || is_known(&server, "k/b")).await;
    confirm(&server);
    client.expect(":2\r\n+PONG\r\n:1\r\n").await;
    client.send(requests("GEOADD k 1 1 c\nPING")).await;
    client.expect("-NOREPLICAS ").await;
    let rest = String::from_utf8(client.end().await).unwrap();
    assert!(rest.ends_with("\r\n+PONG\r\n"), "{rest}");
}

#[tokio::test]
async fn an_error_behind_some_members_waits_for_the_promise() {
    let full = |settings: &mut ServiceSettings| settings.room.clients_max = Some(1);
    for (line, before) in [
        ("GEOADD k 1 1 a 2 2 b", "were taken in"),
        ("ZREM k a b", "are forgotten"),
    ] {
        let server = TestServer::start_resp_with_service(full, AckLevel::Disk).await;
        let mut client = server.connect().await;
        client.send(request(line)).await;
        let is_held = || server.locations.held(b"k/a").is_some();
        eventually("some of it is taken in", is_held).await;
        confirm(&server);
        let error = format!("; the 1 members before this one {before}\r\n");
        let said = String::from_utf8(client.end().await).unwrap();
        assert!(
            said.starts_with("-OOM ") && said.ends_with(&error),
            "{said}"
        );
        let server = TestServer::start_resp_with_service(full, AckLevel::Disk).await;
        let said = server.says(request(line)).await;
        assert!(said.starts_with("-NOREPLICAS "), "{said}");
    }
}

#[tokio::test]
async fn while_the_store_is_read_questions_wait() {
    let server = server().await;
    server.locations.loading().begin();
    let mut client = server.connect().await;
    let mut other = server.connect().await;
    other
        .send(requests(
            "GEOADD k 1 1 a\nGEOADD k NX 1 1 a\nINFO persistence",
        ))
        .await;
    other
        .expect(":1\r\n-LOADING the server still reads its store\r\n")
        .await;
    other
        .expect("$26\r\n# Persistence\r\nloading:1\r\n\r\n")
        .await;
    client
        .send(requests(
            "GEOPOS k b\nGEODIST k b b\nGEOSEARCH k FROMMEMBER b BYRADIUS 1 km\nZCARD k\nZREM k c\nPING",
        ))
        .await;
    let record = Record::new(b"k/b", b"+1+1", b"1", "Hill".into(), 0).unwrap();
    server.locations.report(record);
    server.locations.loading().end();
    client
        .expect("*1\r\n*2\r\n$1\r\n1\r\n$1\r\n1\r\n$6\r\n0.0000\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n:2\r\n:0\r\n+PONG\r\n")
        .await;
}

#[tokio::test]
async fn few_long_searches_and_counts_begin_at_a_time() {
    let server = server().await;
    for (line, reply, outcome) in [
        (
            "GEOSEARCH k FROMLONLAT 1 1 BYRADIUS 1 km\n",
            "*0\r\n",
            CommandOutcome::GeosearchAnswered,
        ),
        ("ZCARD k\n", ":0\r\n", CommandOutcome::CountAnswered),
    ] {
        let mut client = server.connect().await;
        server.locations.loading().begin();
        client.send(requests(&line.repeat(20))).await;
        let begun = || server.statistics.commands(outcome);
        eventually("the first have begun", || begun() >= 8).await;
        assert_eq!(server.says(request("PING")).await, "+PONG\r\n");
        assert_eq!(begun(), 8);
        server.locations.loading().end();
        client.expect(&reply.repeat(20)).await;
    }
}

#[tokio::test]
async fn what_is_no_resp_ends_the_connection() {
    let server = server_with(|settings| settings.line_bytes_max = 1_024).await;
    let page = "POST / HTTP/1.1\r\nHost: x\r\n\r\nGEOADD k 1 1 a\r\n";
    assert_eq!(server.says(page).await, "");
    assert_eq!(
        server.statistics.connections_http.load(Ordering::Relaxed),
        1
    );
    let said = server.says("*1\r\n:1\r\n*5\r\n$6\r\nGEOADD").await;
    assert_eq!(said, "-ERR Protocol error: expected '$', got ':'\r\n");
    let long = format!("*2\r\n$4\r\nECHO\r\n$1100\r\n{}\r\n", "x".repeat(1_100));
    let said = server.says(long).await;
    assert!(
        said.starts_with("-ERR Protocol error: the command is longer than 1024 bytes"),
        "{said}"
    );
    assert_eq!(
        server.says("PING\r\nGEOADD k 1 1 a\r\nnonsense\r\n").await,
        "+PONG\r\n:1\r\n-ERR unknown command 'nonsense'\r\n"
    );
}

#[tokio::test]
async fn each_member_counts_for_the_commands_of_a_second() {
    let server = server_with(|settings| {
        settings.limits.commands_per_second = std::num::NonZeroU32::new(10);
    })
    .await;
    let mut client = server.connect().await;
    let members: String = (0..10).map(|number| format!(" 1 1 m{number}")).collect();
    client.send(request(&format!("GEOADD k{members}"))).await;
    client.send(request("PING")).await;
    client.expect(":10\r\n").await;
    eventually("it waits", || {
        server
            .statistics
            .limits
            .pauses_connection
            .load(Ordering::Relaxed)
            > 0
    })
    .await;
    client.expect("+PONG\r\n").await;
}

#[tokio::test]
async fn empty_requests_count_for_the_commands_of_a_second() {
    for empty in ["\n", "*0\r\n"] {
        let server = server_with(|settings| {
            settings.limits.commands_per_second = std::num::NonZeroU32::new(10);
        })
        .await;
        let mut client = server.connect().await;
        client.send(format!("{}PING\r\n", empty.repeat(10))).await;
        eventually("it waits", || {
            let pauses = &server.statistics.limits.pauses_connection;
            pauses.load(Ordering::Relaxed) > 0
        })
        .await;
        client.expect("+PONG\r\n").await;
    }
}

#[tokio::test]
async fn commands_are_counted_by_kind() {
    let server = server().await;
    server
        .says(requests(
            "GEOADD k 1 1 a\nGEOADD k 1 1\nGEOPOS k a\nGEODIST k a a\nZREM k a\nFOO\nPING",
        ))
        .await;
    for (outcome, count) in [
        (CommandOutcome::GeoaddTaken, 1),
        (CommandOutcome::GeoaddInvalid, 1),
        (CommandOutcome::GeoposAnswered, 2),
        (CommandOutcome::ZremTaken, 1),
        (CommandOutcome::RespInvalid, 1),
        (CommandOutcome::RespAnswered, 1),
    ] {
        assert_eq!(server.statistics.commands(outcome), count, "{outcome:?}");
    }
}

#[tokio::test]
async fn the_wire_log_has_requests_and_replies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.log");
    let (log, writer) = WireLog::open(&path, Arc::new(SystemClock), None).unwrap();
    let server = TestServer::start_resp(|_| {}, (Some(log), AckLevel::Memory)).await;
    server
        .says(requests(
            "GEOADD k 1 1 a\nAUTH secret1\nauth default secret2\nHELLO 2 AUTH default secret3",
        ))
        .await;
    writer.close(Duration::from_secs(20)).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for line in [
        "< GEOADD k 1 1 a\n",
        "> :1\n",
        "< AUTH (token)\n",
        "< HELLO (token)\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_short_request_has_no_reply_without_a_bound() {
    let server = server().await;
    let names = |count: usize| format!("COMMAND INFO{}", " get".repeat(count));
    let said = server.says(requests(&names(128))).await;
    assert!(said.starts_with("*128\r\n"), "{said}");
    let said = server.says(requests(&names(129))).await;
    assert_eq!(said, "-ERR COMMAND INFO takes 128 names at most\r\n");
    // Answers that others keep take all the room there is.
    let degrees = "3.141592653589793238462643383279";
    let asked = format!("GEOADD k {degrees} 2 a\nGEOPOS k{}", " a".repeat(1_000));
    let mut others = server.operations.answer_bytes();
    assert!(others.set(63 << 20));
    let said = server.says(requests(&asked)).await;
    assert!(said.starts_with(":1\r\n*1000\r\n"), "{said}");
    assert!(!others.set(65 << 20));
    let said = server.says(requests(&asked)).await;
    assert!(said.starts_with(":0\r\n-"), "{said}");
    let said = server.says(requests("GEOPOS k a")).await;
    assert!(said.starts_with("*1\r\n"), "{said}");
}
