//! The limits on clients, and the answers beyond them.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::server::{Client, TestPlaces, TestServer, eventually, soon};
use crate::frontend::{CommandOutcome, Limits};
use crate::location_service::ServiceSettings;
use herd_locations::memory_bytes;

async fn server(set: impl FnOnce(&mut Limits)) -> TestServer {
    TestServer::start_with(
        |settings| set(&mut settings.limits),
        TestPlaces::new(true),
        None,
    )
    .await
}

/// With limits on operations.
async fn limited(set: impl FnOnce(&mut ServiceSettings)) -> TestServer {
    TestServer::start_with_service(set, TestPlaces::new(true)).await
}

#[tokio::test]
async fn connections_of_an_address_are_limited() {
    let server = server(|limits| limits.connections_per_address_max = Some(2)).await;
    let mut first = server.connect().await;
    let second = server.connect().await;
    first.send("hello\n").await;
    first.expect("? hello\n").await;
    assert_eq!(
        server.connect().await.rest().await,
        b"",
        "the third is closed at once"
    );
    let refused = &server.statistics.limits.connections_refused_address;
    assert_eq!(refused.load(Ordering::Relaxed), 1);
    first.send("again\n").await;
    first.expect("? again\n").await;
    drop(second);
    eventually("a place is free", || {
        server.statistics.connections_open.load(Ordering::Relaxed) < 2
    })
    .await;
    assert_eq!(server.says("hello\n").await, "? hello\n");
}

#[tokio::test]
async fn commands_beyond_the_rate_wait_and_are_all_answered_in_order() {
    let server = server(|limits| limits.commands_per_second = NonZeroU32::new(50)).await;
    let started = Instant::now();
    let lines: String = (0..80).map(|number| format!("{number}\n")).collect();
    let expected: String = (0..80).map(|number| format!("? {number}\n")).collect();
    assert_eq!(server.says(&lines).await, expected);
    // 50 at once, and 30 at 50 a second.
    assert!(started.elapsed() >= Duration::from_millis(550));
    let limits = &server.statistics.limits;
    assert!(limits.pauses_connection.load(Ordering::Relaxed) > 0);
    assert_eq!(limits.pauses_address.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn blank_lines_are_paced_too() {
    let server = server(|limits| limits.commands_per_second = NonZeroU32::new(50)).await;
    let started = Instant::now();
    assert_eq!(server.says("\n".repeat(80) + "end").await, "? end\n");
    assert!(started.elapsed() >= Duration::from_millis(550));
}

#[tokio::test]
async fn connections_of_an_address_share_its_rate() {
    let server =
        server(|limits| limits.commands_per_second_per_address = NonZeroU32::new(50)).await;
    let started = Instant::now();
    for _ in 0..2 {
        assert_eq!(server.says("a\n".repeat(60)).await, "? a\n".repeat(60));
    }
    // 50 at once, and 70 at 50 a second: the second connection finds nothing left.
    assert!(started.elapsed() >= Duration::from_millis(1_350));
    let limits = &server.statistics.limits;
    assert!(limits.pauses_address.load(Ordering::Relaxed) > 0);
    assert_eq!(limits.pauses_connection.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_idle_timeout_drops_a_client_without_waiting_replies() {
    let places = TestPlaces::new(false);
    let timeout = Duration::from_millis(600);
    let server = TestServer::start_with(
        |settings| settings.limits.idle_timeout = Some(timeout),
        places.clone(),
        None,
    )
    .await;
    assert_eq!(server.connect().await.rest().await, b"");
    let idle = &server.statistics.limits.connections_idle;
    assert_eq!(idle.load(Ordering::Relaxed), 1);
    let mut waiting = server.connect().await;
    waiting.send("IAMAT kiwi +1+1 1\nWHATSAT kiwi 1 1\n").await;
    tokio::time::sleep(timeout * 2).await;
    places.allowed.add_permits(1);
    let said = String::from_utf8(waiting.rest().await).unwrap();
    assert!(said.contains("{\"radius\":1000}"), "{said}");
    assert_eq!(idle.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_endless_line_is_cut_off_in_time() {
    let server = server(|limits| limits.half_line_timeout = Some(Duration::from_millis(300))).await;
    let mut quick = server.connect().await;
    let slow = server.connect().await;
    let trickle = async |mut slow: Client| {
        use tokio::io::AsyncWriteExt as _;
        while slow.stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(trickle(slow)).await;
    let half_line = &server.statistics.limits.connections_half_line;
    assert_eq!(half_line.load(Ordering::Relaxed), 1);
    // Silence between lines is another matter.
    quick.send("hello\n").await;
    quick.expect("? hello\n").await;
}

#[tokio::test]
async fn waiting_questions_are_bounded() {
    let places = TestPlaces::new(false);
    let set = |settings: &mut ServiceSettings| settings.whatsat_in_flight_max = 2;
    let server = TestServer::start_with_service(set, places.clone()).await;
    let mut waiting = server.connect().await;
    waiting
        .send("IAMAT kiwi +1+1 1\nWHATSAT kiwi 1 1\nWHATSAT kiwi 2 1\n")
        .await;
    eventually("two wait", || places.waiting.load(Ordering::SeqCst) == 2).await;
    let said = server.says("WHATSAT kiwi 3 1\n").await;
    assert!(said.starts_with("AT Hill "), "{said}");
    assert!(said.contains("\"status\":\"OVER_QUERY_LIMIT\""), "{said}");
    assert!(said.ends_with("}\n\n"), "{said}");
    assert_eq!(
        server.of_operations.whatsat_refused.load(Ordering::Relaxed),
        1
    );
    places.allowed.add_permits(3);
    let rest = String::from_utf8(waiting.end().await).unwrap();
    assert!(rest.contains("{\"radius\":1000}") && rest.contains("{\"radius\":2000}"));
    assert!(
        server
            .says("WHATSAT kiwi 3 1\n")
            .await
            .contains("{\"radius\":3000}")
    );
}

#[tokio::test]
async fn a_full_map_refuses_new_clients_only() {
    let server = limited(|settings| settings.room.clients_max = Some(2)).await;
    let said = server
        .says("IAMAT a +1+1 1\nIAMAT b +1+1 1\nIAMAT c +1+1 1\nIAMAT a +2+2 2\nWHATSAT c 0 0\n")
        .await;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("AT Hill ") && lines[1].starts_with("AT Hill "));
    assert_eq!(lines[2], "? IAMAT c +1+1 1");
    assert!(lines[3].ends_with(" a +2+2 2"));
    assert_eq!(lines[4], "? WHATSAT c 0 0");
    assert_eq!(
        server.of_operations.clients_refused.load(Ordering::Relaxed),
        1
    );
    assert_eq!(server.statistics.commands(CommandOutcome::IamatFull), 1);
    // Room comes when records expire.
    server.locations.raise_floor(2_000_000_000).await;
    let said = server.says("IAMAT c +1+1 3\n").await;
    assert!(said.starts_with("AT Hill "), "{said}");
}

#[tokio::test]
async fn the_memory_limit_refuses_new_clients_only() {
    let texts_bytes = "a+1+11".len();
    let server =
        limited(|settings| settings.room.bytes_max = Some(memory_bytes(2, 2 * texts_bytes))).await;
    let said = server
        .says(
            "IAMAT a +1+1 1\nIAMAT bbbb +1+1 1\nIAMAT b +1+1 1\nIAMAT a +22+22 2\nIAMAT c +1+1 1\n",
        )
        .await;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("AT Hill "));
    assert_eq!(lines[1], "? IAMAT bbbb +1+1 1");
    assert!(lines[2].starts_with("AT Hill ") && lines[3].ends_with(" a +22+22 2"));
    assert_eq!(lines[4], "? IAMAT c +1+1 1");
    let refused = &server.of_operations.client_bytes_refused;
    assert_eq!(refused.load(Ordering::Relaxed), 2);
    assert_eq!(server.statistics.commands(CommandOutcome::IamatFull), 2);
}

#[tokio::test]
async fn an_id_that_is_too_long_here_gets_the_error_reply() {
    let server = limited(|settings| settings.client_id_bytes_max = 4).await;
    let said = server
        .says("IAMAT abcd +1+1 1\nIAMAT abcde +1+1 1\nWHATSAT abcde 0 0\n")
        .await;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("AT Hill "));
    assert_eq!(lines[1..], ["? IAMAT abcde +1+1 1", "? WHATSAT abcde 0 0"]);
    let refused = &server.of_operations.client_ids_refused;
    assert_eq!(refused.load(Ordering::Relaxed), 1);
}
