//! Providers that fail, each in its way.

use std::time::Duration;

use herd_places::OnlineService;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::asking::{asking, asking_with, google, legacy, query};
use crate::stand_in::{Act, StandIn, after, json, reply};

const JSON: &str = "Content-Type: application/json\r\n";
const HTML: &str = "Content-Type: text/html; charset=utf-8\r\n";

fn services() -> [OnlineService; 3] {
    [google(), legacy(), OnlineService::Overpass]
}

/// The answer about this act for each of the services: status and a part of the message.
async fn told(act: Act, status: &str, message: &str) {
    for service in services() {
        let name = service.provider();
        let stand_in = StandIn::start([act.clone()]).await;
        let (found, said) = asking(service, &stand_in).failure().await;
        assert_eq!(found, status, "{name}: {said}");
        assert!(said.contains(message), "{name}: {said}");
    }
}

#[tokio::test]
async fn every_error_status() {
    for (code, status) in [
        (400, "REQUEST_DENIED"),
        (401, "REQUEST_DENIED"),
        (402, "UNKNOWN_ERROR"),
        (403, "REQUEST_DENIED"),
        (404, "UNKNOWN_ERROR"),
        (405, "UNKNOWN_ERROR"),
        (408, "UNKNOWN_ERROR"),
        (413, "UNKNOWN_ERROR"),
        (429, "OVER_QUERY_LIMIT"),
        (500, "UNKNOWN_ERROR"),
        (501, "UNKNOWN_ERROR"),
        (502, "UNKNOWN_ERROR"),
        (503, "UNKNOWN_ERROR"),
        (504, "UNKNOWN_ERROR"),
    ] {
        let act = reply(&format!("{code} Whatever"), HTML, "<p>No</p>");
        told(act, status, &format!("HTTP {code}")).await;
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let goal = StandIn::start([json("{}")]).await;
    for code in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}/\r\n", goal.url());
        let act = reply(&format!("{code} Moved"), &location, "");
        told(act, "UNKNOWN_ERROR", &format!("redirect (HTTP {code})")).await;
    }
    assert_eq!(goal.connections(), 0);
}

#[tokio::test]
async fn malformed_bodies_are_failures() {
    let page = "<!DOCTYPE html><title>Sign in</title>";
    told(
        reply("200 OK", HTML, page),
        "UNKNOWN_ERROR",
        "answered text/html",
    )
    .await;
    told(
        reply("200 OK", JSON, page),
        "UNKNOWN_ERROR",
        "not JSON at line 1",
    )
    .await;
    told(
        reply("200 OK", JSON, ""),
        "UNKNOWN_ERROR",
        "answered nothing",
    )
    .await;
    told(
        reply("204 No Content", "", ""),
        "UNKNOWN_ERROR",
        "answered nothing",
    )
    .await;
    told(
        reply("200 OK", JSON, "{\"other\": {"),
        "UNKNOWN_ERROR",
        "not JSON",
    )
    .await;
    told(reply("200 OK", JSON, "[]"), "UNKNOWN_ERROR", "another form").await;
    let wrong_types = "{\"places\": 5, \"elements\": \"x\", \"results\": 1, \"status\": []}";
    told(
        reply("200 OK", JSON, wrong_types),
        "UNKNOWN_ERROR",
        "another form",
    )
    .await;
    let image = "Content-Type: image/png\r\n";
    told(
        reply("200 OK", image, "\u{1}PNG"),
        "UNKNOWN_ERROR",
        "answered image/png",
    )
    .await;
}

#[tokio::test]
async fn connections_that_break() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n";
    let cut = Act::SendAndClose(format!("{head}{{\"places\": ["));
    told(cut, "UNKNOWN_ERROR", "cut off").await;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"pla";
    told(
        Act::SendAndClose(chunked.to_owned()),
        "UNKNOWN_ERROR",
        "cut off",
    )
    .await;
    let no_reply = "the connection broke before it answered";
    told(Act::SendAndClose(String::new()), "UNKNOWN_ERROR", no_reply).await;
    told(
        Act::SendAndClose("HTTP/1.1 20".to_owned()),
        "UNKNOWN_ERROR",
        no_reply,
    )
    .await;
    told(
        Act::SendAndClose("SSH-2.0-x\r\n".to_owned()),
        "UNKNOWN_ERROR",
        no_reply,
    )
    .await;
    // A port without a listener.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let (status, said) = asking_with(google(), &url, |_| {}).failure().await;
    assert_eq!(status, "UNKNOWN_ERROR");
    assert_eq!(
        said,
        "Google Places: cannot connect: Connection refused (os error 111)"
    );
}

#[tokio::test]
async fn huge_bodies_are_not_read_to_their_end() {
    let declared = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
        Content-Length: 99999999999\r\n\r\n";
    let endless = Act::Endless(declared.to_owned(), " ".repeat(4_096));
    told(endless, "UNKNOWN_ERROR", "longer than").await;
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    told(
        Act::Endless(chunked.to_owned(), chunk),
        "UNKNOWN_ERROR",
        "longer than",
    )
    .await;
    // The body of a failure is bounded too, and does not hide the failure.
    let failure = "HTTP/1.1 500 Oops\r\nContent-Length: 99999999999\r\n\r\n".to_owned();
    told(
        Act::Endless(failure, " ".repeat(4_096)),
        "UNKNOWN_ERROR",
        "HTTP 500",
    )
    .await;
}

#[tokio::test]
async fn slow_and_hanging_providers_take_no_more_than_the_timeout() {
    let timeout = Duration::from_millis(150);
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    for act in [
        Act::Hang,
        after(Duration::from_secs(30), json("{}")),
        Act::Trickle(whole.to_owned(), Duration::from_millis(50)),
    ] {
        for service in services() {
            let stand_in = StandIn::start([act.clone()]).await;
            let asking = asking_with(service, &stand_in.url(), |settings| {
                settings.timeout = timeout;
                settings.fallback = true;
            });
            let start = Instant::now();
            let found = asking.ask(query(5)).await;
            let took = start.elapsed();
            assert!(took >= timeout, "{took:?}");
            assert_eq!(found["status"], "OK");
            assert_eq!(found["results"].as_array().unwrap().len(), 5, "{found}");
            let note = found["info_messages"][0].as_str().unwrap();
            assert!(
                note.ends_with("no answer within 150 ms; these places are from the embedded data"),
                "{note}"
            );
        }
    }
}

#[tokio::test]
async fn an_overpass_remark_is_a_failure() {
    let body = r#"{"version": 0.6, "elements": [{"type": "node", "id": 7, "lat": 1, "lon": 2,
        "tags": {"name": "A", "shop": "yes"}}], "remark":
        "runtime error: Query run out of memory using about 2048 MB of RAM."}"#;
    let stand_in = StandIn::start([json(body)]).await;
    let (status, said) = asking(OnlineService::Overpass, &stand_in).failure().await;
    assert_eq!(status, "UNKNOWN_ERROR");
    let words =
        "Overpass: failed: runtime error: Query run out of memory using about 2048 MB of RAM.";
    assert_eq!(said, words);
}

#[tokio::test]
async fn statuses_of_the_old_google_are_passed_on() {
    for status in [
        "OVER_QUERY_LIMIT",
        "REQUEST_DENIED",
        "INVALID_REQUEST",
        "UNKNOWN_ERROR",
    ] {
        let body = format!(
            "{{\n   \"html_attributions\" : [],\n   \"results\" : [],\n   \"status\" : \"{status}\"\n}}"
        );
        let stand_in = StandIn::start([json(&body)]).await;
        assert_eq!(asking(legacy(), &stand_in).text(query(5)).await, body);
        // With a fallback, the embedded data answers.
        let with_fallback = asking_with(legacy(), &stand_in.url(), |s| s.fallback = true);
        let found = with_fallback.ask(query(1)).await;
        assert_eq!(found["status"], "OK");
        assert!(
            found["info_messages"][0].as_str().unwrap().contains(status),
            "{found}"
        );
    }
}
