//! How often and how much a provider is asked.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use herd_clock::clock::{SystemClock, WallClock as _};
use herd_places::OnlineService;
use tokio::time::timeout;

use super::asking::{asking, asking_with, google, legacy, query, query_at};
use crate::stand_in::{Act, StandIn, after, json, reply};

const FOUND: &str = r#"{"places": [{"id": "a", "displayName": {"text": "A"}, "location": {}}]}"#;

/// How often the test looks whether a condition holds.
const POLL: Duration = Duration::from_millis(20);

fn unavailable() -> Act {
    reply("503 Unavailable", "", "")
}

#[tokio::test]
async fn a_failure_that_may_pass_is_asked_again_once() {
    for first in [unavailable(), Act::SendAndClose(String::new())] {
        let stand_in = StandIn::start([first, json(FOUND)]).await;
        let google = asking(google(), &stand_in);
        assert_eq!(google.ask(query(5)).await["status"], "OK");
        assert_eq!(stand_in.requests().len(), 2);
        assert_eq!(google.statistics.retries.load(Ordering::Relaxed), 1);
    }
    let stand_in = StandIn::start([unavailable()]).await;
    asking(google(), &stand_in).failure().await;
    assert_eq!(stand_in.requests().len(), 2);
}

#[tokio::test]
async fn lasting_failures_are_not_retried() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{";
    for act in [
        reply("400 Bad Request", "", ""),
        reply("403 Forbidden", "", ""),
        json("<"),
        Act::SendAndClose(head.to_owned()),
    ] {
        let stand_in = StandIn::start([act]).await;
        asking(google(), &stand_in).failure().await;
        assert_eq!(stand_in.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_429_is_heeded_whether_or_not_it_names_a_time() {
    for headers in ["", "Retry-After: 30\r\n", "Retry-After: soon\r\n"] {
        let stand_in = StandIn::start([reply("429 Too Many", headers, ""), json(FOUND)]).await;
        let google = asking_with(google(), &stand_in.url(), |settings| {
            settings.timeout = Duration::from_secs(5);
        });
        let (status, said) = google.failure().await;
        assert_eq!(status, "OVER_QUERY_LIMIT", "{said}");
        // It is left alone, and the client is told so.
        let (status, said) = google.failure().await;
        assert_eq!(status, "OVER_QUERY_LIMIT");
        assert!(said.contains("not asked: it wants a pause"), "{said}");
        assert_eq!(stand_in.requests().len(), 1);
        assert_eq!(google.statistics.not_asked.load(Ordering::Relaxed), 1);
    }
}

/// As an HTTP date, which has whole seconds: two to three of them lie ahead.
fn in_three_seconds() -> String {
    let now_s = u64::try_from(SystemClock.now_ns()).unwrap() / 1_000_000_000;
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(now_s + 3))
}

#[tokio::test]
async fn a_pause_that_fits_is_waited_out() {
    for (named, status) in [("1", 429), ("date", 429), ("1", 503)] {
        let start = tokio::time::Instant::now();
        let headers = match named {
            "date" => format!("Retry-After: {}\r\n", in_three_seconds()),
            seconds => format!("Retry-After: {seconds}\r\n"),
        };
        let refused = reply(&format!("{status} Later"), &headers, "");
        let stand_in = StandIn::start([refused, json(FOUND)]).await;
        let google = asking(google(), &stand_in);
        assert_eq!(google.ask(query(5)).await["status"], "OK");
        assert!(
            start.elapsed() >= Duration::from_millis(900),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(stand_in.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone_and_then_tried() {
    let stand_in = StandIn::start([reply("501 No", "", "")]).await;
    let legacy = asking(legacy(), &stand_in);
    for _ in 0..20 {
        legacy.failure().await;
    }
    assert_eq!(stand_in.requests().len(), 5);
    let (status, said) = legacy.failure().await;
    assert_eq!(status, "UNKNOWN_ERROR");
    assert!(
        said.contains("not asked: it kept failing and is tried again in"),
        "{said}"
    );
    // Half open after 5 s: one probe of all that ask at once, and it closes.
    let zero = "{\"html_attributions\":[],\"results\":[],\"status\":\"ZERO_RESULTS\"}";
    stand_in.script([after(Duration::from_millis(300), json(zero)), json(zero)]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while stand_in.requests().len() == 5 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "it is never tried again"
        );
        let asked = (0..8_u8).map(|n| legacy.ask(query_at(f64::from(n), 5)));
        let statuses = join_all(asked).await;
        let probes = statuses
            .iter()
            .filter(|found| found["status"] == "ZERO_RESULTS")
            .count();
        assert!(probes <= 1, "{statuses:?}");
    }
    assert_eq!(stand_in.requests().len(), 6);
    assert_eq!(legacy.ask(query(5)).await["status"], "ZERO_RESULTS");
}

#[tokio::test]
async fn identical_questions_in_progress_are_asked_once() {
    let slow = || after(Duration::from_millis(300), json(FOUND));
    let stand_in = StandIn::start([slow()]).await;
    let google_places = asking(google(), &stand_in);
    let found = join_all((0..50).map(|_| google_places.ask(query(5)))).await;
    assert!(found.iter().all(|found| found["status"] == "OK"));
    assert_eq!(stand_in.requests().len(), 1);
    assert_eq!(google_places.statistics.joined.load(Ordering::Relaxed), 49);
    // Google (New) is told the bound, the others are not.
    join_all((1..4).map(|bound| google_places.ask(query(bound)))).await;
    assert_eq!(stand_in.requests().len(), 4);
    let none = "{\"elements\": []}";
    let stand_in = StandIn::start([after(Duration::from_millis(300), json(none))]).await;
    let overpass = asking(OnlineService::Overpass, &stand_in);
    join_all((1..20).map(|bound| overpass.ask(query(bound)))).await;
    assert_eq!(stand_in.requests().len(), 1);
    // One after the other they are not the same question: Google's answers are not kept.
    overpass.ask(query(5)).await;
    assert_eq!(stand_in.requests().len(), 2);
}

#[tokio::test]
async fn questions_in_flight_are_bounded_and_so_is_the_queue() {
    let stand_in = StandIn::start([Act::Hang]).await;
    let google = asking_with(google(), &stand_in.url(), |settings| {
        settings.in_flight_max = 3;
    });
    let asked = (0..60_u8).map(|n| google.ask(query_at(f64::from(n), 5)));
    let mut asked: FuturesUnordered<_> = asked.collect();
    // Three in flight, and eight for each of them in the queue, wait; all others are refused.
    for _ in 0..60 - 3 - 24 {
        let refused = asked.next().await.unwrap();
        let said = refused["error_message"].as_str().unwrap();
        assert!(said.contains("too many questions"), "{said}");
    }
    while stand_in.requests().len() < 3 {
        let next = timeout(POLL, asked.next()).await;
        assert!(next.is_err(), "a question ended: {next:?}");
    }
    assert_eq!(asked.len(), 3 + 24);
    assert_eq!(stand_in.connections(), 3);
}

#[tokio::test]
async fn questions_per_minute_are_limited() {
    let stand_in = StandIn::start([json(FOUND), json(FOUND)]).await;
    let google = asking_with(google(), &stand_in.url(), |settings| {
        settings.per_minute = Some(2);
    });
    for latitude_degrees in [1.0, 2.0] {
        let answer = google.ask(query_at(latitude_degrees, 5)).await;
        assert_eq!(answer["status"], "OK");
    }
    let (status, said) = google.failure().await;
    assert_eq!(status, "OVER_QUERY_LIMIT");
    assert!(said.contains("at most 2 questions a minute"), "{said}");
    assert_eq!(stand_in.requests().len(), 2);
    assert_eq!(google.statistics.used_up.load(Ordering::Relaxed), 1);
}
