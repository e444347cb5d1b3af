//! Watches of a map that changes, against the map itself.

use std::sync::Arc;

use herd_crdt::{Location, PublisherId, Record, ReportTime, ServerName};
use herd_grid::{Area, Rectangle};
use herd_watch::{Around, Budget, FoldedStream, Subject, WatchedArea};
use proptest::prelude::*;

use super::*;
use crate::testing::AllLive;
use crate::{Forget, Locations};

mod races;
mod under_way;

/// Places at borders of the areas below, at a pole, and at 180 degrees.
const PLACES: [&str; 12] = [
    "+10+10",
    "+10.005+10",
    "+10.0089+10",
    "+10.0091+10",
    "+10.012+10",
    "+10.2+10",
    "+89.999+10",
    "+90-170",
    "+0+179.995",
    "+0-179.995",
    "+0+180",
    "-45-120",
];

const CLIENTS: [&str; 6] = ["a", "ab", "abc", "b", "ba", "c"];

#[derive(Clone, Debug)]
enum Operation {
    /// A report of a client at a place and a time, heard here or elsewhere.
    Report(usize, usize, i64, bool),
    /// A client is forgotten, here or elsewhere, at a time.
    Forget(usize, i64, bool),
    RaiseFloor(i64),
    Begin(usize),
    /// One of the watches goes on by so many clients, and takes at most so many lines.
    GoOn(prop::sample::Index, usize, usize),
    End(prop::sample::Index),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => (0..CLIENTS.len(), 0..PLACES.len(), 0_i64..60, any::<bool>())
            .prop_map(|(client, place, time, here)| Operation::Report(client, place, time, here)),
        3 => (0..CLIENTS.len(), 0_i64..60, any::<bool>())
            .prop_map(|(client, time, here)| Operation::Forget(client, time, here)),
        1 => (0_i64..40).prop_map(Operation::RaiseFloor),
        3 => (0..subjects().len()).prop_map(Operation::Begin),
        8 => (any::<prop::sample::Index>(), 1_usize..12, 0_usize..4)
            .prop_map(|(watch, piece, lines)| Operation::GoOn(watch, piece, lines)),
        1 => any::<prop::sample::Index>().prop_map(Operation::End),
    ]
}

fn coordinates(place: &str) -> herd_crdt::Coordinates {
    Location::parse(place.as_bytes()).unwrap().coordinates()
}

fn boxed(southwest: &str, northeast: &str) -> Subject {
    let rectangle = Rectangle::new(southwest.as_bytes(), northeast.as_bytes()).unwrap();
    Subject::Area(WatchedArea::sharp(Area::Rectangle(rectangle)))
}

fn circle(place: &str, radius_m: Option<f64>, margin_m: f64) -> Subject {
    Subject::Area(WatchedArea::circle(coordinates(place), radius_m, margin_m))
}

fn around(client: &str, radius_m: Option<f64>, margin_m: f64) -> Subject {
    Subject::Around(Around {
        client: client.as_bytes().into(),
        radius_m,
        margin_m,
    })
}

fn subjects() -> Vec<Subject> {
    vec![
        Subject::Client(b"a"[..].into()),
        Subject::Client(b"nobody"[..].into()),
        Subject::Prefix(b"ab"[..].into()),
        Subject::Prefix(b"b"[..].into()),
        Subject::All,
        circle("+10+10", Some(1_000.0), 0.0),
        circle("+10+10", Some(1_000.0), 200.0),
        circle("+90+0", Some(500.0), 0.0),
        circle("+0+180", Some(2_000.0), 0.0),
        circle("+10+10", None, 0.0),
        circle("-45-120", Some(0.0), 0.0),
        boxed("-1+179", "+1-179"),
        boxed("+10+10", "+90+10"),
        around("a", Some(1_000.0), 0.0),
        around("b", Some(1_100.0), 300.0),
        around("c", Some(30_000.0), 0.0),
        around("c", None, 0.0),
        around("nobody", Some(5.0), 0.0),
    ]
}

fn record(client: &str, place: &str, time: i64, here: bool) -> Record {
    let server = if here { "Hill" } else { "Jaquez" };
    let time = time.to_string();
    Record::new(
        client.as_bytes(),
        place.as_bytes(),
        time.as_bytes(),
        server.into(),
        0,
    )
    .unwrap()
}

/// Forgets a client, as the server that was told to, or as another one that hears of it.
fn forget(locations: &Locations, client: &str, time: i64, here: bool) {
    let (client, time_ns) = (client.as_bytes(), time * herd_crdt::NANOSECONDS_PER_SECOND);
    if here {
        let forget = Forget {
            client,
            server: &ServerName::from("Hill"),
            received_ns: time_ns,
        };
        locations.begin_reports().forget(&forget).unwrap();
    } else {
        let time = ReportTime::of_ns(time_ns);
        let tombstone = Record::tombstone(client, time, "Jaquez".into(), 0).unwrap();
        locations.deliver([tombstone], PublisherId(7), &AllLive);
    }
}

fn begin(locations: &Locations, subject: Subject) -> CheckedWatch {
    CheckedWatch::begin(locations, subject, 1_000)
}

/// Reads until nothing is left, and compares with the map.
fn settle(locations: &Locations, watch: &mut CheckedWatch) -> Result<(), String> {
    assert_eq!(watch.catch_up(locations), Progress::Idle);
    let checked = watch.check(locations);
    checked.map_err(|fault| fault.to_string())
}

fn run(operations: Vec<Operation>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.unwrap();
    let locations = Locations::default();
    let mut watches: Vec<CheckedWatch> = Vec::new();
    for operation in operations {
        match operation {
            Operation::Report(client, place, time, here) => {
                let record = record(CLIENTS[client], PLACES[place], time, here);
                if here {
                    locations.report(record);
                } else {
                    locations.deliver([record], PublisherId(7), &AllLive);
                }
            }
            Operation::Forget(client, time, here) => {
                forget(&locations, CLIENTS[client], time, here);
            }
            Operation::RaiseFloor(time) => {
                let floor_ns = time * herd_crdt::NANOSECONDS_PER_SECOND;
                runtime.block_on(locations.raise_floor(floor_ns));
            }
            Operation::Begin(subject) => {
                watches.push(begin(&locations, subjects().swap_remove(subject)));
            }
            Operation::GoOn(watch, piece, lines) if !watches.is_empty() => {
                let watch = watch.index(watches.len());
                let _ = watches[watch].go_on(&locations, piece, lines);
            }
            Operation::End(watch) if watches.len() > 3 => {
                watches.swap_remove(watch.index(watches.len()));
            }
            Operation::GoOn(..) | Operation::End(_) => {}
        }
    }
    for watch in &mut watches {
        settle(&locations, watch)?;
    }
    drop(watches);
    assert!(locations.watchers().is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_folded_stream_is_the_map(operations in prop::collection::vec(operation(), 1..120)) {
        prop_assert_eq!(run(operations), Ok(()));
    }
}

/// The checker sees one change that is not told.
#[test]
fn a_lost_mark_is_found() {
    for subject in [
        Subject::All,
        Subject::Client(b"a"[..].into()),
        circle("+10+10", Some(1_000.0), 0.0),
        boxed("+10+10", "+11+10"),
    ] {
        let locations = Locations::default();
        locations.report(record("a", "+10+10", 1, true));
        let mut watch = begin(&locations, subject);
        settle(&locations, &mut watch).unwrap();
        locations.report(record("a", "+10.005+10", 2, true));
        settle(&locations, &mut watch).unwrap();
        locations.report(record("a", "+10.2+10", 3, true));
        assert_eq!(watch.watch.registration.take_marks().len(), 1);
        assert!(settle(&locations, &mut watch).is_err());
    }
}

/// The same for the middle of an area: what is around it is not told.
#[test]
fn a_lost_mark_of_the_middle_is_found() {
    let locations = Locations::default();
    locations.report(record("a", "+10+10", 1, true));
    locations.report(record("b", "+10.005+10", 1, true));
    let mut watch = begin(&locations, around("a", Some(1_000.0), 0.0));
    settle(&locations, &mut watch).unwrap();
    locations.report(record("a", "+10.2+10", 2, true));
    assert_eq!(watch.watch.registration.take_marks().len(), 1);
    assert!(settle(&locations, &mut watch).is_err());
}

/// Its removal is outside the area of now, and it is still to be looked at.
#[test]
fn who_is_forgotten_behind_the_middle_is_gone() {
    let locations = Locations::default();
    locations.report(record("a", "+10+10", 1, true));
    locations.report(record("b", "+10+10", 1, true));
    let mut watch = begin(&locations, around("b", Some(1_100.0), 300.0));
    settle(&locations, &mut watch).unwrap();
    locations.report(record("b", "+10.2+10", 2, true));
    while watch.counts()["CENTRE"] < 2 {
        watch.go_on(&locations, 1, 9);
    }
    forget(&locations, "a", 2, true);
    settle(&locations, &mut watch).unwrap();
}

/// If the middle moves without a rest, they would wait for each look around it.
#[test]
fn changes_beside_the_middle_are_told_before_it() {
    let locations = Locations::default();
    let names: Vec<String> = (0..20).map(|number| format!("van{number}")).collect();
    for name in names.iter().map(String::as_str).chain(["a"]) {
        locations.report(record(name, "+10+10", 1, true));
    }
    let mut watch = begin(&locations, around("a", Some(50_000.0), 0.0));
    settle(&locations, &mut watch).unwrap();
    for name in &names {
        locations.report(record(name, "+10+10", 2, true));
    }
    locations.report(record("a", "+10.005+10", 2, true));
    while watch.counts()["CENTRE"] < 2 {
        watch.go_on(&locations, 1, 9);
    }
    assert_eq!(watch.counts().get("AT"), Some(&names.len()));
}

#[test]
fn an_area_around_the_earth_is_gone_through_once() {
    let locations = Locations::default();
    for (client, place) in [("a", "+10+10"), ("b", "-10-170"), ("c", "+10+10")] {
        locations.report(record(client, place, 1, true));
    }
    for (radius_m, is_once) in [(None, true), (Some(20_100_000.0), true), (Some(1e6), false)] {
        let mut watch = begin(&locations, around("a", radius_m, 0.0));
        settle(&locations, &mut watch).unwrap();
        let later = locations.find(b"a").unwrap().time().ns() / 1_000_000_000 + 1;
        locations.report(record("a", "-45-120", later, true));
        watch.go_on(&locations, 1, 9);
        assert_eq!(watch.watch.is_scanning(), !is_once, "{radius_m:?}");
        settle(&locations, &mut watch).unwrap();
        assert_eq!(watch.counts()["CENTRE"], 2);
        locations.report(record("a", "+10+10", later + 1, true));
    }
}

#[test]
fn who_reads_late_is_told_once_and_the_newest() {
    let locations = Locations::default();
    let mut watch = begin(&locations, Subject::Client(b"a"[..].into()));
    settle(&locations, &mut watch).unwrap();
    for time in 1..100 {
        locations.report(record("a", "+10+10", time, true));
    }
    settle(&locations, &mut watch).unwrap();
    assert_eq!(watch.counts()["AT"], 1);
}

#[test]
fn too_many_marks_end_a_watch() {
    let locations = Locations::default();
    let mut watch = CheckedWatch::begin(&locations, Subject::All, 3);
    settle(&locations, &mut watch).unwrap();
    for client in &CLIENTS[..4] {
        locations.report(record(client, "+10+10", 1, true));
    }
    assert_eq!(watch.go_on(&locations, 9, 9), Progress::TooSlow);
}
