//! Shapes from the public documentation of Places API (New).

use herd_crdt::Coordinates;
use serde_json::Value;

use super::*;

const KEY: &str = "AIza-test-key";

fn provider() -> GooglePlaces {
    let base = Url::parse("https://example.org/base/").unwrap();
    GooglePlaces::new(&base, ApiKey::new(KEY).unwrap())
}

fn query(radius_m: f64, results_max: usize) -> NearbyQuery {
    NearbyQuery {
        center: Coordinates {
            latitude_degrees: 37.7937,
            longitude_degrees: -122.3965,
        },
        radius_m,
        results_max,
    }
}

fn reply(status: u16, body: &str) -> HttpReply {
    HttpReply {
        status,
        content_type: Some("application/json; charset=UTF-8".to_owned()),
        retry_after: None,
        body: body.to_owned().into(),
    }
}

#[test]
fn the_request_is_as_documented() {
    let request = provider().request(&query(500.0, 10));
    assert_eq!(
        request.url.as_str(),
        "https://example.org/base/v1/places:searchNearby"
    );
    let header = |name: &str| {
        let found = request.headers.iter().find(|(header, _)| header == name);
        found.unwrap().1.clone()
    };
    assert_eq!(header("x-goog-api-key"), KEY);
    assert!(header("x-goog-api-key").is_sensitive());
    assert!(
        header("x-goog-fieldmask")
            .to_str()
            .unwrap()
            .contains("places.displayName,")
    );
    let body: Value = serde_json::from_str(&request.post.unwrap()).unwrap();
    assert_eq!(
        body,
        json!({
            "maxResultCount": 10,
            "locationRestriction": {"circle": {
                "center": {"latitude": 37.7937, "longitude": -122.3965},
                "radius": 500.0,
            }},
        })
    );
    let widest: Value =
        serde_json::from_str(&provider().request(&query(50_000.1, 99)).post.unwrap()).unwrap();
    assert_eq!(widest["maxResultCount"], 20);
    assert_eq!(widest["locationRestriction"]["circle"]["radius"], 50_000.0);
}

#[test]
fn places_are_mapped_and_nothing_is_invented() {
    let body = r#"{"places": [
      {"id": "ChIJ1", "displayName": {"text": "La Mar", "languageCode": "en"},
       "types": ["seafood_restaurant", "restaurant"],
       "location": {"latitude": 37.797381400000006, "longitude": -122.395307},
       "viewport": {"low": {"latitude": 37.1, "longitude": -122.2},
                    "high": {"latitude": 37.3, "longitude": -122.1}},
       "rating": 4.4, "userRatingCount": 4056, "priceLevel": "PRICE_LEVEL_EXPENSIVE",
       "businessStatus": "OPERATIONAL", "formattedAddress": "Pier 1 1/2, San Francisco, CA",
       "shortFormattedAddress": "Pier 1 1/2, San Francisco",
       "attributions": [{"provider": "A & B", "providerUri": "https://a.example/?x=1&y=2"},
                        {"provider": "Evil", "providerUri": "javascript:alert(1)"}]},
      {"id": "ChIJ2", "displayName": {"text": "Null Island"}, "location": {},
       "priceLevel": "PRICE_LEVEL_UNSPECIFIED", "formattedAddress": "Ocean"},
      {"id": "ChIJ3", "location": {"latitude": 1.5}}
    ]}"#;
    let answer = provider().read(&reply(200, body)).unwrap();
    let text = answer.reply(&query(500.0, 20));
    let json: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(
        json,
        json!({
            "html_attributions": [
                "Google Maps",
                "<a href=\"https://a.example/?x=1&amp;y=2\">A &amp; B</a>",
                "Evil",
            ],
            "results": [
                {
                    "geometry": {
                        "location": {"lat": 37.797381400000006, "lng": -122.395307},
                        "viewport": {
                            "northeast": {"lat": 37.3, "lng": -122.1},
                            "southwest": {"lat": 37.1, "lng": -122.2},
                        },
                    },
                    "name": "La Mar",
                    "place_id": "ChIJ1",
                    "business_status": "OPERATIONAL",
                    "price_level": 3,
                    "rating": 4.4,
                    "user_ratings_total": 4056,
                    "types": ["seafood_restaurant", "restaurant"],
                    "vicinity": "Pier 1 1/2, San Francisco",
                },
                {
                    "geometry": {"location": {"lat": 0.0, "lng": 0.0}},
                    "name": "Null Island",
                    "place_id": "ChIJ2",
                    "vicinity": "Ocean",
                },
            ],
            "status": "OK",
        })
    );
    let one: Value = serde_json::from_slice(&answer.reply(&query(500.0, 1))).unwrap();
    assert_eq!(one["results"].as_array().unwrap().len(), 1);
}

#[test]
fn an_empty_object_is_zero_results() {
    let answer = provider().read(&reply(200, "{}")).unwrap();
    let json: Value = serde_json::from_slice(&answer.reply(&query(500.0, 20))).unwrap();
    assert_eq!(json["status"], "ZERO_RESULTS");
    assert_eq!(json["html_attributions"], json!([]));
}

#[test]
fn failures_say_what_google_says() {
    let error = |status, body: &str| provider().read(&reply(status, body)).unwrap_err();
    let bad_key = r#"{"error": {"code": 400, "message": "API key not valid.\nPlease pass one.",
        "status": "INVALID_ARGUMENT", "details": []}}"#;
    let denied = error(400, bad_key);
    assert_eq!(
        denied.to_string(),
        "refused the request: HTTP 400, INVALID_ARGUMENT: API key not valid. Please pass one."
    );
    assert!(matches!(denied, ProviderError::Denied(_)));
    let exhausted =
        r#"{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota"}}"#;
    assert!(matches!(
        error(429, exhausted),
        ProviderError::TooOften { .. }
    ));
    let off =
        r#"{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "is disabled"}}"#;
    assert!(matches!(error(403, off), ProviderError::Denied(_)));
    assert!(matches!(
        error(503, "busy"),
        ProviderError::Failed { passing: true, .. }
    ));
    assert!(matches!(
        error(404, "<html>"),
        ProviderError::Failed { passing: false, .. }
    ));
    assert!(matches!(error(200, "[]"), ProviderError::Malformed(_)));
    assert!(matches!(
        error(200, r#"{"places": 5}"#),
        ProviderError::Malformed(_)
    ));
    assert!(matches!(
        error(200, r#"{"places": ["#),
        ProviderError::NotJson(_)
    ));
}

proptest::proptest! {
    #[test]
    fn any_body_is_read_without_a_panic(status in 100_u16..600, body: String) {
        let _ = provider().read(&reply(status, &body));
    }
}
