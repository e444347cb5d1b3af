//! One provider over a stand-in, and its questions.

use std::sync::Arc;
use std::time::Duration;

use herd_clock::clock::SystemClock;
use herd_crdt::Coordinates;
use herd_places::online::{ApiKey, OnlineStatistics, TrustedRoots};
use herd_places::{
    EmbeddedPlaces, NearbyQuery, OnlinePlaces, OnlineService, OnlineSettings, Places as _,
    open_online,
};
use serde_json::Value;

use crate::stand_in::StandIn;

pub(super) const KEY: &str = "AIza-stand-in-key";

/// Long enough for a busy machine where no time is measured.
pub(super) const AMPLE: Duration = Duration::from_secs(20);

pub(super) fn google() -> OnlineService {
    OnlineService::Google(ApiKey::new(KEY).unwrap())
}

pub(super) fn legacy() -> OnlineService {
    OnlineService::GoogleLegacy(ApiKey::new(KEY).unwrap())
}

pub(super) struct Asking {
    pub(super) places: Arc<OnlinePlaces>,
    pub(super) statistics: Arc<OnlineStatistics>,
}

/// A provider without a fallback, with ample time.
pub(super) fn asking(service: OnlineService, stand_in: &StandIn) -> Asking {
    asking_with(service, &stand_in.url(), |_| {})
}

pub(super) fn asking_with(
    service: OnlineService,
    url: &str,
    set: impl FnOnce(&mut OnlineSettings),
) -> Asking {
    let mut settings = OnlineSettings {
        service,
        url: url.parse().unwrap(),
        roots: TrustedRoots::nobody(),
        timeout: AMPLE,
        connect_timeout: AMPLE,
        in_flight_max: 8,
        fallback: false,
        cache: None,
        per_minute: None,
    };
    set(&mut settings);
    let embedded = EmbeddedPlaces::new().unwrap();
    let places = Arc::new(open_online(&settings, &embedded, Arc::new(SystemClock)).unwrap());
    let statistics = places.statistics();
    Asking { places, statistics }
}

/// A question about a point near UCLA.
pub(super) fn query(results_max: usize) -> NearbyQuery {
    query_at(34.068_930, results_max)
}

pub(super) fn query_at(latitude_degrees: f64, results_max: usize) -> NearbyQuery {
    NearbyQuery {
        center: Coordinates {
            latitude_degrees,
            longitude_degrees: -118.445_127,
        },
        radius_m: 10_000.0,
        results_max,
    }
}

impl Asking {
    pub(super) async fn text(&self, query: NearbyQuery) -> String {
        let bytes = match self.places.nearby_at_once(&query) {
            Some(bytes) => bytes,
            None => self.places.nearby(query).await,
        };
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    pub(super) async fn ask(&self, query: NearbyQuery) -> Value {
        let text = self.text(query).await;
        let value: Value = serde_json::from_str(&text).unwrap();
        for field in ["html_attributions", "results", "status"] {
            assert!(!value[field].is_null(), "no {field}: {text}");
        }
        assert!(!text.contains(KEY), "the key: {text}");
        value
    }

    /// The status and the message of a failure.
    pub(super) async fn failure(&self) -> (String, String) {
        let value = self.ask(query(5)).await;
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        assert_eq!(value["results"], serde_json::json!([]), "{value}");
        (text("status"), text("error_message"))
    }
}
