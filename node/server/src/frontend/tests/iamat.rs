//! PROTOCOL: IAMAT.

use std::time::Duration;

use herd_crdt::{CLIENT_ID_BYTES_MAX, LOCATION_BYTES_MAX, REPORT_TIME_BYTES_MAX};

use super::server::{NOW_NS, TestPlaces, TestServer};
use crate::frontend::CommandOutcome;
use crate::location_service::ServiceSettings;

/// The `AT` line that the server gives for a client.
async fn stored(server: &TestServer, client: &str) -> String {
    let says = server.says(format!("WHATSAT {client} 0 0\n")).await;
    says.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_id_is_any_bytes_and_comes_back_as_it_was() {
    let server = TestServer::start().await;
    for client in [
        &b"\xff\xfe\x80"[..],
        b"IAMAT",
        b"1520023934.9",
        b"+34.0-118.4",
        b"a\xa0b",
        b"\0\x1c",
        b"?",
        "\u{1f95d}".as_bytes(),
        &[b'i'; CLIENT_ID_BYTES_MAX],
    ] {
        let at = [
            b"AT Hill +0.000000000 ",
            client,
            b" +1-1 1520023935.182837383\n",
        ]
        .concat();
        let iamat = [b"IAMAT ", client, b" +1-1 1520023935.182837383\n"].concat();
        assert_eq!(server.answers(&iamat).await, at);
        let whatsat = [b"WHATSAT ", client, b" 1 0\n"].concat();
        assert!(server.answers(&whatsat).await.starts_with(&at));
    }
    let long = format!("IAMAT {} +1-1 1\n", "i".repeat(CLIENT_ID_BYTES_MAX + 1));
    assert_eq!(server.says(&long).await, format!("? {long}"));
}

#[tokio::test]
async fn operands_are_copied_byte_for_byte() {
    let server = TestServer::start().await;
    let long_location = format!("+{}1.5-2", "0".repeat(LOCATION_BYTES_MAX - 6));
    let long_time = format!("{}1", "0".repeat(REPORT_TIME_BYTES_MAX - 1));
    for (location, time) in [
        ("+34.06893-118.445127", "1520023934.9"),
        ("+12-118", "1520023934"),
        ("+27.5916+086.5640", "+01520023934.918963997"),
        ("-90.000+180.0", "-1"),
        ("-0+0", "0.000000000"),
        (&long_location, &long_time),
    ] {
        let says = server.says(format!("IAMAT k {location} {time}\n")).await;
        assert!(says.starts_with("AT Hill +"), "{says}");
        assert!(says.ends_with(&format!(" k {location} {time}\n")), "{says}");
    }
}

#[tokio::test]
async fn malformed_operands_are_refused() {
    let server = TestServer::start().await;
    let long_location = format!("+{}1.5-2", "0".repeat(LOCATION_BYTES_MAX - 5));
    let long_time = "0".repeat(REPORT_TIME_BYTES_MAX + 1);
    for (location, time) in [
        ("34.0-118.4", "1"),
        ("+34.0,-118.4", "1"),
        ("+34.0-118.4/", "1"),
        ("+34.0-118.4+10", "1"),
        ("+34.-118.4", "1"),
        ("+.5-118.4", "1"),
        ("+3e1-118.4", "1"),
        ("+90.00000000000000000001-1", "1"),
        ("+1-180.00000000000000000001", "1"),
        (&long_location, "1"),
        ("+1+1", "1."),
        ("+1+1", ".5"),
        ("+1+1", "1.0123456789"),
        ("+1+1", "nan"),
        ("+1+1", "inf"),
        ("+1+1", "0x10"),
        ("+1+1", "1_0"),
        ("+1+1", "-9223372037"),
        ("+1+1", &long_time),
    ] {
        let line = format!("IAMAT k {location} {time}\n");
        assert_eq!(server.says(&line).await, format!("? {line}"));
    }
    assert_eq!(server.statistics.commands(CommandOutcome::IamatInvalid), 19);
    assert_eq!(stored(&server, "k").await, "? WHATSAT k 0 0");
}

#[tokio::test]
async fn the_difference_has_a_sign_and_nine_decimals() {
    let server = TestServer::start().await;
    for (now_ns, time, difference) in [
        (1_000_000_000, "1", "+0.000000000"),
        (1_000_000_000, "1.000000001", "-0.000000001"),
        (1_000_000_001, "1", "+0.000000001"),
        (900_000_000, "3600", "-3599.100000000"),
        (0, "-9223372036.854775808", "+9223372036.854775808"),
        (i64::MAX, "-9223372036.854775808", "+18446744073.709551615"),
    ] {
        server.clock.set(now_ns);
        let says = server.says(format!("IAMAT k +1+1 {time}\n")).await;
        assert_eq!(says, format!("AT Hill {difference} k +1+1 {time}\n"));
    }
}

#[tokio::test]
async fn a_time_too_far_ahead_is_refused() {
    let server = TestServer::start().await;
    server.clock.set(0);
    let exactly = server.says("IAMAT k +1+1 7200\n").await;
    assert_eq!(exactly, "AT Hill -7200.000000000 k +1+1 7200\n");
    let beyond = "IAMAT k +2+2 7200.000000001\n";
    assert_eq!(server.says(beyond).await, format!("? {beyond}"));
    assert_eq!(stored(&server, "k").await, exactly.trim_end());
    assert_eq!(server.statistics.commands(CommandOutcome::IamatAhead), 1);
    // The past has no such limit, and the end of the clock's range is no trap.
    assert!(
        server
            .says("IAMAT old +1+1 -9000000000\n")
            .await
            .starts_with("AT")
    );
    server.clock.set(i64::MAX);
    assert!(
        server
            .says("IAMAT end +1+1 9223372036.854775807\n")
            .await
            .starts_with("AT")
    );
}

#[tokio::test]
async fn a_skew_of_zero_is_no_limit() {
    let set = |settings: &mut ServiceSettings| settings.max_clock_skew = Duration::ZERO;
    let server = TestServer::start_with_service(set, TestPlaces::new(true)).await;
    assert!(
        server
            .says("IAMAT k +1+1 9223372036\n")
            .await
            .starts_with("AT Hill -")
    );
}

#[tokio::test]
async fn an_older_report_is_answered_and_changes_nothing() {
    let server = TestServer::start().await;
    let newer = server.says("IAMAT k +2+2 2\n").await;
    let older = server.says("IAMAT k +1+1 1\n").await;
    assert!(older.starts_with("AT Hill +") && older.ends_with(" k +1+1 1\n"));
    assert_eq!(stored(&server, "k").await, newer.trim_end());
}

#[tokio::test]
async fn a_retry_is_answered_and_does_not_replace_the_first() {
    let server = TestServer::start().await;
    let first = server.says("IAMAT k +1+1 1520023935\n").await;
    assert_eq!(first, "AT Hill +0.182837383 k +1+1 1520023935\n");
    server.clock.set(NOW_NS + 1_000_000_000);
    let retry = server.says("IAMAT k +1+1 1520023935\n").await;
    assert_eq!(retry, "AT Hill +1.182837383 k +1+1 1520023935\n");
    assert_eq!(stored(&server, "k").await, first.trim_end());
}

#[tokio::test]
async fn two_reports_one_nanosecond_apart_are_two() {
    let server = TestServer::start().await;
    server.says("IAMAT k +2+2 1520023934.918963998\n").await;
    server.says("IAMAT k +1+1 1520023934.918963997\n").await;
    assert!(
        stored(&server, "k")
            .await
            .ends_with("+2+2 1520023934.918963998")
    );
    server.says("IAMAT k +3+3 1520023934.918963999\n").await;
    assert!(
        stored(&server, "k")
            .await
            .ends_with("+3+3 1520023934.918963999")
    );
}
