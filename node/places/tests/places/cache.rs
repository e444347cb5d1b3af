//! Answers that are kept, where that is allowed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use herd_places::{CacheSettings, OnlineService, OnlineSettings};
use tokio::time::Instant;

use super::asking::{asking_with, google, query, query_at};
use crate::stand_in::{StandIn, json};

const OSM: &str = r#"{"elements": [
    {"type": "node", "id": 7, "lat": 34.0690, "lon": -118.445, "tags": {"name": "North", "shop": "a"}},
    {"type": "node", "id": 8, "lat": 34.0688, "lon": -118.445, "tags": {"name": "South", "shop": "b"}}
]}"#;

fn kept(entries_max: usize) -> impl FnOnce(&mut OnlineSettings) {
    move |settings| {
        settings.cache = Some(CacheSettings {
            entries_max,
            age_max: Duration::from_secs(600),
        });
    }
}

#[tokio::test]
async fn near_clients_share_an_answer_in_their_own_order() {
    let stand_in = StandIn::start([json(OSM)]).await;
    let overpass = asking_with(OnlineService::Overpass, &stand_in.url(), kept(10));
    let north = overpass.ask(query_at(34.069_2, 2)).await;
    assert_eq!(north["results"][0]["name"], "North");
    let south = overpass.ask(query_at(34.068_6, 1)).await;
    assert_eq!(south["results"][0]["name"], "South");
    assert_eq!(south["results"].as_array().unwrap().len(), 1);
    assert_eq!(stand_in.requests().len(), 1);
    assert_eq!(overpass.statistics.cached.load(Ordering::Relaxed), 1);
    // The provider was asked about the rounded point.
    assert!(stand_in.requests()[0].body.contains("34.069%2C-118.445%29"));
    // Farther away, or with another radius, it is another question.
    overpass.ask(query_at(34.071, 2)).await;
    let mut wider = query(2);
    wider.radius_m = 2_000.0;
    overpass.ask(wider).await;
    assert_eq!(stand_in.requests().len(), 3);
}

#[tokio::test]
async fn the_number_of_answers_is_bounded_and_failures_are_not_kept() {
    let stand_in = StandIn::start([json("oops"), json(OSM)]).await;
    let overpass = asking_with(OnlineService::Overpass, &stand_in.url(), kept(2));
    assert_eq!(
        overpass.ask(query_at(1.0, 2)).await["status"],
        "UNKNOWN_ERROR"
    );
    assert_eq!(overpass.ask(query_at(1.0, 2)).await["status"], "OK");
    for latitude in [2.0, 3.0, 3.0, 2.0, 1.0] {
        overpass.ask(query_at(latitude, 2)).await;
    }
    assert_eq!(stand_in.requests().len(), 5);
}

#[tokio::test]
async fn google_is_not_kept_whatever_is_set() {
    let stand_in = StandIn::start([json("{}")]).await;
    let google = asking_with(google(), &stand_in.url(), kept(10));
    for _ in 0..3 {
        google.ask(query(5)).await;
    }
    assert_eq!(stand_in.requests().len(), 3);
}

/// The questions that a cache saves where a hundred clients walk in a square of 2 km and ask at each step; prints
/// figures for `docs/places.md`.
#[tokio::test]
async fn a_cache_saves_most_questions_of_clients_that_walk_about() {
    const CLIENTS: usize = 100;
    const STEPS: usize = 100;
    let stand_in = StandIn::start([json(OSM)]).await;
    let overpass = asking_with(OnlineService::Overpass, &stand_in.url(), kept(1_000));
    let mut random = 1_u64;
    let mut next = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as f64 / (1_u64 << 31) as f64
    };
    // Fractions of the square, 0.018 degrees of latitude and 0.0217 of longitude.
    let mut clients: Vec<(f64, f64)> = (0..CLIENTS).map(|_| (next(), next())).collect();
    let (mut hits, mut misses) = (Vec::new(), Vec::new());
    for step in 0..STEPS * CLIENTS {
        let client = &mut clients[step % CLIENTS];
        // Up to 50 m each way, and not out of the square.
        client.0 = (client.0 + (next() - 0.5) * 0.05).clamp(0.0, 1.0);
        client.1 = (client.1 + (next() - 0.5) * 0.05).clamp(0.0, 1.0);
        let mut query = query_at(34.0 + client.0 * 0.018, 5);
        query.center.longitude_degrees = -118.0 + client.1 * 0.021_7;
        let before = overpass.statistics.cached.load(Ordering::Relaxed);
        let start = Instant::now();
        overpass.text(query).await;
        let took = start.elapsed();
        if overpass.statistics.cached.load(Ordering::Relaxed) > before {
            hits.push(took);
        } else {
            misses.push(took);
        }
    }
    hits.sort_unstable();
    misses.sort_unstable();
    println!(
        "{} questions, {} of them to the provider; p50 {:?} kept, {:?} asked",
        STEPS * CLIENTS,
        misses.len(),
        hits[hits.len() / 2],
        misses[misses.len() / 2]
    );
    assert_eq!(stand_in.requests().len(), misses.len());
    // There are 20 by 23 rounded positions in the square.
    assert!(misses.len() <= 20 * 23, "{}", misses.len());
}
