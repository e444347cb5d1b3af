//! The answer of a provider reaches the client unchanged.

use std::sync::atomic::Ordering;

use herd_places::OnlineService;
use serde_json::json;

use super::asking::{KEY, asking, google, legacy, query};
use crate::stand_in::{StandIn, json, reply};

const NEW: &str = r#"{"places": [
    {"id": "ChIJa", "displayName": {"text": "A"}, "location": {"latitude": 1.5, "longitude": 2.5}},
    {"id": "ChIJb", "displayName": {"text": "B"}, "location": {"latitude": 1.6, "longitude": 2.6}}
]}"#;

const LEGACY: &str = "{\n   \"html_attributions\" : [],\n\n\n   \"results\" : [\n      { \"name\" : \
    \"A\", \"rating\" : 4.10 },\n      { \"name\" : \"B\" }\n   ],\n   \"status\" : \"OK\"\n}\n\n";

const OSM: &str = r#"{"version": 0.6, "elements": [
    {"type": "node", "id": 7, "lat": 34.07, "lon": -118.44, "tags": {"name": "B", "shop": "yes"}},
    {"type": "node", "id": 8, "lat": 34.0689, "lon": -118.445, "tags": {"name": "A",
     "amenity": "cafe"}}
]}"#;

#[tokio::test]
async fn google_new() {
    let stand_in = StandIn::start([json(NEW)]).await;
    let google = asking(google(), &stand_in);
    let found = google.ask(query(2)).await;
    assert_eq!(found["status"], "OK");
    assert_eq!(found["html_attributions"], json!(["Google Maps"]));
    assert_eq!(found["results"][1]["place_id"], "ChIJb");
    let requests = stand_in.requests();
    let head = &requests[0].head;
    assert!(
        head.starts_with("POST /v1/places:searchNearby HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("x-goog-api-key: {KEY}\r\n")),
        "{head}"
    );
    assert!(head.contains("user-agent: herd/"), "{head}");
    assert!(
        requests[0].body.contains("\"maxResultCount\":2"),
        "{}",
        requests[0].body
    );
}

#[tokio::test]
async fn google_legacy_byte_for_byte() {
    let stand_in = StandIn::start([json(LEGACY)]).await;
    let legacy = asking(legacy(), &stand_in);
    assert_eq!(legacy.text(query(20)).await, LEGACY);
    let one = LEGACY.replace(",\n      { \"name\" : \"B\" }", "");
    assert_eq!(legacy.text(query(1)).await, one);
    let head = stand_in.requests()[0].head.clone();
    let path = "GET /maps/api/place/nearbysearch/json?location=34.06893%2C-118.445127&radius=10000";
    assert!(head.starts_with(path), "{head}");
}

#[tokio::test]
async fn overpass() {
    let stand_in = StandIn::start([json(OSM)]).await;
    let overpass = asking(OnlineService::Overpass, &stand_in);
    let found = overpass.ask(query(20)).await;
    let names: Vec<_> = (0..2)
        .map(|index| found["results"][index]["name"].clone())
        .collect();
    assert_eq!(names, ["A", "B"]);
    let attribution = found["html_attributions"][0].as_str().unwrap();
    assert!(
        attribution.contains("OpenStreetMap contributors"),
        "{attribution}"
    );
    assert!(
        stand_in.requests()[0]
            .body
            .starts_with("data=%5Bout%3Ajson%5D")
    );
}

#[tokio::test]
async fn nothing_found_is_zero_results_for_all() {
    let empty = "{\"html_attributions\": [], \"results\": [], \"status\": \"ZERO_RESULTS\"}";
    for (service, body) in [
        (google(), "{}"),
        (legacy(), empty),
        (OnlineService::Overpass, "{\"elements\": []}"),
    ] {
        let stand_in = StandIn::start([json(body)]).await;
        let found = asking(service, &stand_in).ask(query(5)).await;
        assert_eq!(found["status"], "ZERO_RESULTS");
        assert_eq!(found["results"], json!([]));
    }
}

#[tokio::test]
async fn a_bound_or_radius_of_0_is_answered_without_a_call() {
    let stand_in = StandIn::start([json(NEW)]).await;
    let google = asking(google(), &stand_in);
    let mut nowhere = query(5);
    nowhere.radius_m = 0.0;
    for query in [query(0), nowhere] {
        assert_eq!(google.ask(query).await["status"], "ZERO_RESULTS");
    }
    assert_eq!(stand_in.connections(), 0);
}

#[tokio::test]
async fn connections_are_used_again() {
    let stand_in = StandIn::start([json(NEW)]).await;
    let google = asking(google(), &stand_in);
    for _ in 0..20 {
        assert_eq!(google.ask(query(2)).await["status"], "OK");
    }
    assert_eq!((stand_in.requests().len(), stand_in.connections()), (20, 1));
    assert_eq!(google.statistics.answered.load(Ordering::Relaxed), 20);
}

#[tokio::test]
async fn a_key_that_a_provider_repeats_is_taken_out() {
    let body = format!(
        "{{\"html_attributions\":[],\"results\":[],\"status\":\"REQUEST_DENIED\",\
         \"error_message\":\"no such key: {KEY}\"}}"
    );
    let stand_in = StandIn::start([json(&body)]).await;
    // The failure is told in Google's own words.
    let told = asking(legacy(), &stand_in).text(query(5)).await;
    assert_eq!(told, body.replace(KEY, "(key)"));
    let body =
        format!("{{\"error\": {{\"status\": \"PERMISSION_DENIED\", \"message\": \"{KEY}\"}}}}");
    let json = "Content-Type: application/json\r\n";
    stand_in.script([reply("403 Forbidden", json, &body)]);
    let (status, message) = asking(google(), &stand_in).failure().await;
    assert_eq!(status, "REQUEST_DENIED");
    assert_eq!(
        message,
        "Google Places: refused the request: PERMISSION_DENIED: (key)"
    );
}
