//! Shapes from the public documentation of Overpass.

use herd_crdt::Coordinates;
use serde_json::{Value, json};

use super::*;

fn provider(timeout_ms: u64) -> Overpass {
    let base = Url::parse("http://127.0.0.1:9/").unwrap();
    Overpass::new(&base, Duration::from_millis(timeout_ms))
}

fn query(results_max: usize) -> NearbyQuery {
    NearbyQuery {
        center: Coordinates {
            latitude_degrees: 60.17,
            longitude_degrees: 24.94,
        },
        radius_m: 500.0,
        results_max,
    }
}

fn reply(status: u16, content_type: &str, body: &str) -> HttpReply {
    HttpReply {
        status,
        content_type: Some(content_type.to_owned()),
        retry_after: None,
        body: body.to_owned().into(),
    }
}

fn read(body: &str) -> Result<Answer, ProviderError> {
    provider(800).read(&reply(200, "application/json", body))
}

#[test]
fn the_request_is_as_documented() {
    let request = provider(800).request(&query(5));
    assert_eq!(request.url.as_str(), "http://127.0.0.1:9/api/interpreter");
    let body = request.post.unwrap();
    let decoded: Vec<_> = Url::parse(&format!("x:?{body}"))
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    assert_eq!(
        decoded,
        [(
            "data".to_owned(),
            "[out:json][timeout:1];nwr(around:500,60.17,24.94)[name]\
             [~\"^(amenity|shop|tourism|leisure|historic|railway)$\"~\".\"];out center 60;"
                .to_owned()
        )]
    );
    assert!(provider(2_000).question(&query(1)).contains("[timeout:2]"));
    assert!(provider(2_001).question(&query(1)).contains("[timeout:3]"));
}

#[test]
fn elements_are_mapped_nearest_first() {
    let body = r#"{"version": 0.6, "generator": "Overpass API", "osm3s": {"copyright": "..."},
      "elements": [
        {"type": "way", "id": 5, "center": {"lat": 60.1731, "lon": 24.94}, "nodes": [1, 2],
         "tags": {"name": "Puisto", "leisure": "park"}},
        {"type": "node", "id": 7, "lat": 60.1701, "lon": 24.9401,
         "tags": {"name": "Kahvila", "amenity": "cafe", "addr:street": "Katu",
                  "addr:housenumber": "1"}},
        {"type": "relation", "id": 9, "center": {"lat": 60.1711, "lon": 24.94},
         "members": [{"type": "way", "ref": 1, "role": "outer"}],
         "tags": {"name": "Linna", "historic": "castle", "tourism": "museum"}},
        {"type": "node", "id": 8, "lat": 60.17, "lon": 24.94, "tags": {"amenity": "bench"}}
      ]}"#;
    let answer = read(body).unwrap();
    let json: Value = serde_json::from_slice(&answer.reply(&query(20))).unwrap();
    assert_eq!(
        json,
        json!({
            "html_attributions": ["© <a href=\"https://www.openstreetmap.org/copyright\">\
                OpenStreetMap contributors</a>"],
            "results": [
                {"geometry": {"location": {"lat": 60.1701, "lng": 24.9401}}, "name": "Kahvila",
                 "place_id": "osm:node/7", "types": ["cafe"], "vicinity": "Katu 1"},
                {"geometry": {"location": {"lat": 60.1711, "lng": 24.94}}, "name": "Linna",
                 "place_id": "osm:relation/9", "types": ["museum", "castle"]},
                {"geometry": {"location": {"lat": 60.1731, "lng": 24.94}}, "name": "Puisto",
                 "place_id": "osm:way/5", "types": ["park"]},
            ],
            "status": "OK",
        })
    );
    let one: Value = serde_json::from_slice(&answer.reply(&query(1))).unwrap();
    assert_eq!(one["results"][0]["name"], "Kahvila");
    assert_eq!(one["results"].as_array().unwrap().len(), 1);
}

#[test]
fn nothing_found_is_zero_results_and_a_remark_is_a_failure() {
    let none = read(r#"{"elements": []}"#).unwrap();
    let json: Value = serde_json::from_slice(&none.reply(&query(20))).unwrap();
    assert_eq!(json["status"], "ZERO_RESULTS");
    let remark = concat!(
        r#"{"elements": [], "remark": "runtime error: Query timed out in \"query\" "#,
        r#"at line 1 after 2 seconds."}"#
    );
    assert_eq!(
        read(remark).unwrap_err().to_string(),
        "failed: runtime error: Query timed out in \"query\" at line 1 after 2 seconds."
    );
}

#[test]
fn failures_are_told() {
    let html = "<html><p>Error: runtime error: open64: 0 Success</p></html>";
    let page = provider(800).read(&reply(200, "text/html; charset=utf-8", html));
    assert!(matches!(page, Err(ProviderError::NotJson(_))));
    let busy = provider(800)
        .read(&reply(429, "text/html", html))
        .unwrap_err();
    assert!(matches!(busy, ProviderError::TooOften { .. }));
    let late = provider(800)
        .read(&reply(504, "text/html", html))
        .unwrap_err();
    assert_eq!(late.to_string(), "failed: HTTP 504");
    assert!(matches!(read("{}"), Err(ProviderError::Malformed(_))));
    assert!(matches!(
        read(r#"{"elements": [{"type": 1}]}"#),
        Err(ProviderError::Malformed(_))
    ));
}

proptest::proptest! {
    #[test]
    fn any_body_is_read_without_a_panic(status in 100_u16..600, body: String) {
        let _ = provider(800).read(&reply(status, "application/json", &body));
    }
}
