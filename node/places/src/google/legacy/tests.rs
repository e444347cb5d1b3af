//! Shapes from the public documentation of Nearby Search (Legacy).

use herd_crdt::Coordinates;
use serde_json::Value;

use super::*;

const KEY: &str = "AIza+test/key";

fn provider() -> GoogleLegacy {
    let base = Url::parse("http://127.0.0.1:9").unwrap();
    GoogleLegacy::new(&base, ApiKey::new(KEY).unwrap())
}

fn query(results_max: usize) -> NearbyQuery {
    NearbyQuery {
        center: Coordinates {
            latitude_degrees: -33.8670522,
            longitude_degrees: 151.1957362,
        },
        radius_m: 1_500.0,
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

/// Numbers that a double would change, escapes, odd blanks, and fields that herd does not know.
const THREE: &str = "{\n   \"html_attributions\" : [],\n   \"next_page_token\" : \"Aap_uE\",\n   \
    \"results\" : [\n      {\n         \"geometry\" : {\"location\" : {\"lat\" : \
    -33.86755700000000000001,\"lng\" : 1.51e2}},\n         \"name\" : \"Rhythmboat \\u0026 \
    Cruises\"\n      },\n      { \"name\":\"B, ]}\" , \"results\": [1, 2] },\n\n\n      \
    {\"name\":\"C\"}\n   ],\n   \"status\" : \"OK\"\n}\n";

fn cut(results_max: usize) -> String {
    let answer = provider().read(&reply(200, THREE)).unwrap();
    String::from_utf8(answer.reply(&query(results_max)).to_vec()).unwrap()
}

#[test]
fn the_request_is_as_documented() {
    let request = provider().request(&query(5));
    assert_eq!(
        request.url.as_str(),
        "http://127.0.0.1:9/maps/api/place/nearbysearch/json?location=-33.8670522%2C151.1957362\
         &radius=1500&key=AIza%2Btest%2Fkey"
    );
    assert!(request.post.is_none());
}

#[test]
fn googles_own_json_is_passed_on_byte_for_byte() {
    assert_eq!(cut(3), THREE);
    assert_eq!(cut(20), THREE);
}

#[test]
fn results_beyond_the_bound_are_left_out_and_nothing_else() {
    let two = cut(2);
    let tail = ",\n\n\n      {\"name\":\"C\"}";
    assert_eq!(two, THREE.replace(tail, ""));
    let one = cut(1);
    assert!(THREE.starts_with(&one[..one.find("\n   ],").unwrap()]));
    assert!(one.contains("-33.86755700000000000001") && one.contains("\\u0026"));
    for (text, count) in [(&two, 2), (&one, 1), (&cut(0), 0)] {
        let json: Value = serde_json::from_str(text).unwrap();
        assert_eq!(json["results"].as_array().unwrap().len(), count, "{text}");
        assert_eq!(json["next_page_token"], "Aap_uE");
    }
}

#[test]
fn failures_keep_googles_own_words() {
    let denied = "{\n   \"error_message\" : \"The provided API key is invalid.\",\n   \
        \"html_attributions\" : [],\n   \"results\" : [],\n   \"status\" : \"REQUEST_DENIED\"\n}";
    let error = provider().read(&reply(200, denied)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "refused the request: REQUEST_DENIED: The provided API key is invalid."
    );
    let ProviderError::InItsOwnWords { reply: words, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(words, denied);
    let status = |status: &str| {
        let body = format!("{{\"html_attributions\":[],\"results\":[],\"status\":\"{status}\"}}");
        provider().read(&reply(200, &body))
    };
    assert!(status("ZERO_RESULTS").is_ok());
    let cause = |name| status(name).unwrap_err().cause().clone();
    assert!(matches!(
        cause("OVER_QUERY_LIMIT"),
        ProviderError::TooOften { .. }
    ));
    assert!(matches!(cause("INVALID_REQUEST"), ProviderError::Denied(_)));
    assert!(matches!(
        cause("UNKNOWN_ERROR"),
        ProviderError::Failed { passing: true, .. }
    ));
    assert!(matches!(cause("FINE"), ProviderError::Malformed(_)));
}

#[test]
fn a_foreign_reply_is_a_failure() {
    let error = |status, body| {
        provider()
            .read(&reply(status, body))
            .unwrap_err()
            .to_string()
    };
    assert!(error(200, "{\"status\":\"OK\",\"results\":[]}").contains("`html_attributions`"));
    assert!(error(200, "{\"status\":\"OK\",\"html_attributions\":[]}").contains("`results`"));
    assert!(error(200, "{\"results\":[],\"html_attributions\":[]}").contains("`status`"));
    let twice = "{\"status\":\"OK\",\"html_attributions\":[],\"results\":[],\"results\":[]}";
    assert!(error(200, twice).contains("duplicate field"));
    let typed = "{\"status\":\"OK\",\"html_attributions\":[],\"results\":{}}";
    assert!(error(200, typed).contains("another form"));
    assert_eq!(error(500, "oops"), "failed: HTTP 500");
}

proptest::proptest! {
    #[test]
    fn any_body_is_read_and_cut_without_a_panic(
        status in 100_u16..600,
        body: String,
        results in proptest::collection::vec("[0-9\\[\\]{}\", ]{0,9}", 0..6),
        results_max in 0_usize..7,
    ) {
        let _ = provider().read(&reply(status, &body));
        let joined = results.join(",");
        let text = format!(
            "{{\"status\":\"OK\",\"html_attributions\":[],\"results\":[{joined}]}}"
        );
        if let Ok(answer) = provider().read(&reply(200, &text)) {
            let cut: Value = serde_json::from_slice(&answer.reply(&query(results_max))).unwrap();
            let whole: Value = serde_json::from_str(&text).unwrap();
            let whole = whole["results"].as_array().unwrap();
            let kept = &whole[..whole.len().min(results_max)];
            proptest::prop_assert_eq!(cut["results"].as_array().unwrap(), kept);
        }
    }
}
