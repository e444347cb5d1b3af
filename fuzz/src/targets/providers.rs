//! Answers of providers of places: for any answer, a client gets JSON of the promised form.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use herd_crdt::Coordinates;
use herd_places::google::{GoogleLegacy, GooglePlaces};
use herd_places::online::{ApiKey, HttpReply, OnlineProvider, retry_after};
use herd_places::{NearbyQuery, Overpass};
use reqwest::Url;

static PROVIDERS: LazyLock<Vec<Box<dyn OnlineProvider>>> = LazyLock::new(|| {
    let (Ok(base), Ok(key)) = (
        Url::parse("http://127.0.0.1:1"),
        ApiKey::new("not-a-real-key"),
    ) else {
        panic!("no address or no key");
    };
    vec![
        Box::new(GooglePlaces::new(&base, key.clone())),
        Box::new(GoogleLegacy::new(&base, key)),
        Box::new(Overpass::new(&base, Duration::from_secs(1))),
    ]
});

/// The first byte says which provider, status and type of content; the rest is the body.
pub(super) fn run(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else {
        return;
    };
    let provider = &PROVIDERS[usize::from(choice & 3) % PROVIDERS.len()];
    let content_type = match (choice >> 2) & 3 {
        0 => None,
        1 => Some("text/html".to_owned()),
        2 => Some(String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned()),
        _ => Some("application/json; charset=UTF-8".to_owned()),
    };
    let status = [200, 200, 204, 400, 403, 429, 500, 503][usize::from(choice >> 4) & 7];
    let reply = HttpReply {
        status,
        content_type,
        retry_after: str::from_utf8(body)
            .ok()
            .and_then(|text| retry_after(text, 0)),
        body: Bytes::copy_from_slice(body),
    };
    let query = NearbyQuery {
        center: Coordinates {
            latitude_degrees: 34.07,
            longitude_degrees: -118.44,
        },
        radius_m: 10_000.0,
        results_max: usize::from(choice & 31) % 21,
    };
    match provider.read(&reply) {
        Ok(answer) => {
            let json = answer.reply(&query);
            assert!(!json.is_empty());
        }
        Err(error) => {
            // Clients and logs get this.
            assert!(!error.to_string().contains('\n'));
        }
    }
}
