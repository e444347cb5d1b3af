//! The embedded places as clients see them.

use std::time::Duration;

use herd_crdt::{Coordinates, Location};
use serde_json::Value;

use super::super::sphere::{Circle, haversine_to_metres};
use super::*;

fn ask(location: &str, radius_km: f64, results_max: usize) -> Value {
    let query = NearbyQuery {
        center: Location::parse(location.as_bytes()).unwrap().coordinates(),
        radius_m: radius_km * 1_000.0,
        results_max,
    };
    let places = EmbeddedPlaces::new().unwrap();
    let reply = places.nearby_at_once(&query).unwrap();
    serde_json::from_slice(&reply).unwrap()
}

fn names(reply: &Value) -> Vec<&str> {
    let results = reply["results"].as_array().unwrap();
    results
        .iter()
        .map(|place| place["name"].as_str().unwrap())
        .collect()
}

/// Distances of the results in km, checked to rise.
fn distances_km(reply: &Value, location: &str) -> Vec<f64> {
    let center: Coordinates = Location::parse(location.as_bytes()).unwrap().coordinates();
    let circle = Circle::new(center, 0.0).unwrap();
    let results = reply["results"].as_array().unwrap();
    let distances: Vec<f64> = results
        .iter()
        .map(|place| {
            let location = &place["geometry"]["location"];
            let (lat, lng) = (location["lat"].as_f64(), location["lng"].as_f64());
            haversine_to_metres(circle.haversine_to(lat.unwrap(), lng.unwrap())) / 1_000.0
        })
        .collect();
    assert!(distances.is_sorted(), "{distances:?}");
    distances
}

const UCLA: &str = "+34.068930-118.445127";

#[test]
fn around_ucla() {
    let near = ask(UCLA, 10.0, 20);
    assert_eq!(near["status"], "OK");
    let found = names(&near);
    assert_eq!(found[..2], ["Bel Air", "Westwood"], "{found:?}");
    for expected in [
        "Beverly Hills",
        "Santa Monica",
        "Santa Monica Municipal Airport",
    ] {
        assert!(found.contains(&expected), "{expected} is not in {found:?}");
    }
    assert!(distances_km(&near, UCLA).iter().all(|km| *km <= 10.0));
    assert!(
        !found.contains(&"Los Angeles"),
        "that is 19 km away: {found:?}"
    );

    let place = &near["results"][0];
    assert_eq!(place["vicinity"], "California, US");
    assert_eq!(place["types"], serde_json::json!(["locality", "political"]));
    assert!(place["place_id"].as_str().unwrap().starts_with("gn:"));
    let attributions = near["html_attributions"].to_string();
    assert!(attributions.contains("GeoNames") && attributions.contains("airportsdata"));

    let far = ask(UCLA, 20.0, 1_000);
    let found = names(&far);
    for expected in ["Los Angeles", "Los Angeles International Airport"] {
        assert!(found.contains(&expected), "{expected} is not in {found:?}");
    }
}

#[test]
fn results_are_the_nearest_and_cut_to_the_bound() {
    let all = ask(UCLA, 50.0, 100_000);
    for results_max in [1, 2, 5, 20] {
        let cut = ask(UCLA, 50.0, results_max);
        assert_eq!(names(&cut), names(&all)[..results_max]);
    }
}

#[test]
fn only_sources_that_contributed_are_named() {
    let nearest = ask(UCLA, 10.0, 1);
    let attributions = nearest["html_attributions"].as_array().unwrap();
    assert_eq!(attributions.len(), 1);
    assert!(attributions[0].as_str().unwrap().contains("GeoNames"));
}

#[test]
fn fiji_lies_on_both_sides_of_the_antimeridian() {
    // Between Savusavu, 179.34 degrees east, and Taveuni's airport, 179.88 degrees west.
    let between = "-16.76+179.75";
    let reply = ask(between, 50.0, 20);
    let found = names(&reply);
    for expected in ["Savusavu", "Savusavu Airport", "Matei Airport"] {
        assert!(found.contains(&expected), "{expected} is not in {found:?}");
    }
    let distances_km = distances_km(&reply, between);
    assert!(
        distances_km.iter().all(|km| (30.0..=50.0).contains(km)),
        "{distances_km:?}"
    );

    let east = ask("-16.8+180", 50.0, 20);
    assert!(names(&east).contains(&"Matei Airport"), "{east}");
    assert_eq!(east, ask("-16.8-180", 50.0, 20));
}

#[test]
fn the_poles() {
    for location in ["-90+0", "-90-77.25", "-89.999+180"] {
        let reply = ask(location, 50.0, 20);
        assert_eq!(reply["status"], "OK", "{reply}");
        assert!(
            names(&reply).iter().any(|name| name.contains("South Pole")),
            "{reply}"
        );
    }
    let empty = serde_json::json!({
        "html_attributions": [], "results": [], "status": "ZERO_RESULTS"
    });
    assert_eq!(ask("+90+0", 50.0, 20), empty);
    assert_eq!(ask("+0-30", 50.0, 20), empty);
    assert_eq!(ask(UCLA, 0.0, 20), empty);
    assert_eq!(ask(UCLA, 10.0, 0), empty);
}

#[tokio::test(start_paused = true)]
async fn waiting_gives_the_same_answer_at_once() {
    let places = EmbeddedPlaces::new().unwrap();
    let query = NearbyQuery {
        center: Location::parse(UCLA.as_bytes()).unwrap().coordinates(),
        radius_m: 50_000.0,
        results_max: 20,
    };
    let answer = tokio::time::timeout(Duration::ZERO, places.nearby(query));
    assert_eq!(Some(answer.await.unwrap()), places.nearby_at_once(&query));
}

#[test]
fn every_place_has_a_text() {
    let places = EmbeddedPlaces::new().unwrap();
    let table = &places.tables()[0];
    table.verify().unwrap();
    assert!(table.row_count() > 250_000);
    for row in 0..table.row_count() {
        let place = table.place(row).unwrap();
        assert!(!place.name.is_empty() && !place.types.is_empty());
        assert!(place.id().starts_with("gn:") || place.id().starts_with("ap:"));
    }
}

/// A table of places at (`latitude`, `longitude`) with these ids, named after `table`.
fn table_of(table: &str, places: &[(&str, f64, f64)]) -> Table {
    let source = crate::Source {
        key: table.to_owned(),
        name: table.to_owned(),
        attribution_html: format!("by {table}"),
        ..crate::Source::default()
    };
    let mut writer = crate::table::TableWriter::new(vec![source]).unwrap();
    for &(id, latitude_degrees, longitude_degrees) in places {
        let place = crate::table::NewPlace {
            id,
            name: table,
            latitude_degrees,
            longitude_degrees,
            types: &[],
            vicinity: "",
            source_index: 0,
        };
        writer.add(&place).unwrap();
    }
    Table::open(Bytes::from(writer.finish().unwrap())).unwrap()
}

#[test]
fn several_tables_answer_as_one() {
    let mine = table_of("mine", &[("a", 0.001, 0.0), ("c", 0.003, 0.0)]);
    let theirs = table_of(
        "theirs",
        &[("b", 0.002, 0.0), ("c", 0.000_5, 0.0), ("d", 0.004, 0.0)],
    );
    let places = EmbeddedPlaces::with_tables(vec![mine, theirs]);
    let query = |results_max| NearbyQuery {
        center: Coordinates {
            latitude_degrees: 0.0,
            longitude_degrees: 0.0,
        },
        radius_m: 10_000.0,
        results_max,
    };
    let found = |results_max| -> Value {
        serde_json::from_slice(&places.answer(&query(results_max), None)).unwrap()
    };
    let ids = |reply: &Value| -> Vec<String> {
        let results = reply["results"].as_array().unwrap();
        let place = |p: &Value| format!("{} {}", p["place_id"], p["name"]).replace('"', "");
        results.iter().map(place).collect()
    };
    let all = found(20);
    assert_eq!(ids(&all), ["c theirs", "a mine", "b theirs", "d theirs"]);
    assert_eq!(
        all["html_attributions"],
        serde_json::json!(["by mine", "by theirs"])
    );
    let one = found(1);
    assert_eq!(ids(&one), ["c theirs"]);
    assert_eq!(one["html_attributions"], serde_json::json!(["by theirs"]));
}
