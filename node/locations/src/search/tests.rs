//! Searches against a look at every record, while records come, move and go.

use herd_crdt::{Location, PublisherId, Publishers};
use herd_grid::{Circle, Rectangle};
use proptest::prelude::*;

use super::super::Walk;
use super::*;

/// Where something may go wrong: poles, the antimeridian under both names, edges of cells, one place under several names.
const PLACES: [&str; 30] = [
    "+90+0",
    "+90-77",
    "-90+12",
    "+89.9999999+180",
    "+89.995-90",
    "-89.99-179.99",
    "+0+180",
    "+0-180",
    "+0.0000001-180.0",
    "+0+179.9999999",
    "-0.000000001-179.9999999",
    "+0+0",
    "-0-0",
    "+0.00000000000000000001+0",
    "+0.010986328125+0.010986328125",
    "+0.0109863+0.0109864",
    "+34.068930-118.445127",
    "+34.068930-118.4451271",
    "+34.07-118.44",
    "+34.08-118.45",
    "+34.068930-118.445127",
    "+45+90",
    "+45.0+090.000",
    "+44.9999999+89.9999999",
    "-33.87+151.21",
    "-33.86+151.22",
    "+60-180",
    "+60+180",
    "-60+179.5",
    "+51.5-0.0000001",
];

struct Nobody;

impl Publishers for Nobody {
    fn presumed_live(&self, _: PublisherId) -> bool {
        true
    }
    fn outranks(&self, _: PublisherId, _: &Record) -> bool {
        false
    }
}

fn record(client: &[u8], place: &str, time: u32) -> Record {
    let time = time.to_string();
    Record::new(client, place.as_bytes(), time.as_bytes(), "Hill".into(), 0).unwrap()
}

fn circle(place: &str, radius_km: Option<f64>) -> Area {
    let center = Location::parse(place.as_bytes()).unwrap().coordinates();
    Area::Circle(Circle::new(center, radius_km.map(|km| km * 1_000.0)))
}

fn all_records(locations: &Locations) -> Vec<Record> {
    let mut walk = Walk::default();
    let mut records = Vec::new();
    while let Some(piece) = walk.next_piece(locations) {
        records.extend(piece);
    }
    records.retain(|record| record.time().ns() >= locations.floor_ns());
    records
}

/// The right answer of a search.
fn by_looking_at_all(
    locations: &Locations,
    query: &Query,
    may_see: &dyn Fn(&[u8]) -> bool,
) -> Found {
    let mut hits: Vec<Hit> = all_records(locations)
        .into_iter()
        .filter(|record| may_see(record.client()))
        .filter(|record| record.client().starts_with(&query.prefix))
        .filter(|record| query.except.as_deref() != Some(record.client()))
        .filter_map(|record| {
            let (distance_m, _) = query.area.distance(&record.location()?)?;
            Some(Hit { distance_m, record })
        })
        .collect();
    hits.sort_by(|a, b| {
        let nearer = a.distance_m.total_cmp(&b.distance_m);
        nearer.then_with(|| a.record.client().cmp(b.record.client()))
    });
    let more = hits.len() > query.limit;
    hits.truncate(query.limit);
    Found { hits, more }
}

fn found(
    locations: &Locations,
    query: &Query,
    may_see: &dyn Fn(&[u8]) -> bool,
    piece: usize,
) -> Found {
    let mut search = Search::new(query.clone());
    while !search.carry_on(locations, may_see, piece) {}
    search.into_found()
}

/// The content of a reply.
fn said(found: &Found) -> (Vec<(f64, Record)>, bool) {
    let hits = found.hits.iter();
    (
        hits.map(|hit| (hit.distance_m, hit.record.clone()))
            .collect(),
        found.more,
    )
}

#[derive(Clone, Debug)]
enum Change {
    Reported(u8, usize, u32),
    Delivered(u8, usize, u32),
    /// This number of records come to one place.
    Crowd(usize, u16),
    Floor(u32),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let client = any::<u8>();
    let (place, time) = (0..PLACES.len(), 1_u32..100);
    let change = prop_oneof![
        8 => (client, place.clone(), time.clone()).prop_map(|(c, p, t)| Change::Reported(c, p, t)),
        8 => (client, place.clone(), time).prop_map(|(c, p, t)| Change::Delivered(c, p, t)),
        1 => (place, 0_u16..600).prop_map(|(p, n)| Change::Crowd(p, n)),
        1 => (1_u32..60).prop_map(Change::Floor),
    ];
    prop::collection::vec(change, 0..60)
}

fn queries() -> impl Strategy<Value = Vec<Query>> {
    let place = 0..PLACES.len();
    let radius_km = prop_oneof![
        Just(Some(0.0)),
        Just(None),
        Just(Some(20_100.0)),
        Just(Some(0.000_001)),
        (0.0_f64..3.0).prop_map(Some),
        (0.0_f64..20_000.0).prop_map(Some),
    ];
    let around = (place.clone(), radius_km).prop_map(|(place, km)| circle(PLACES[place], km));
    let between = (place.clone(), place).prop_map(|(a, b)| {
        let corners =
            |a: usize, b: usize| Rectangle::new(PLACES[a].as_bytes(), PLACES[b].as_bytes());
        Area::Rectangle(corners(a, b).or_else(|_| corners(b, a)).unwrap())
    });
    let limit = prop_oneof![Just(0_usize), 1_usize..30, Just(1_000)];
    let except = prop_oneof![
        Just(None),
        any::<u8>().prop_map(|client| Some([client].into()))
    ];
    let prefix = prop_oneof![4 => Just(""), 1 => Just("c"), 1 => Just("crowd1"), 1 => Just("none")];
    let query = (prop_oneof![around, between], limit, except, prefix).prop_map(
        |(area, limit, except, prefix)| Query {
            area,
            limit,
            except,
            prefix: prefix.as_bytes().into(),
        },
    );
    prop::collection::vec(query, 1..6)
}

async fn apply(locations: &Locations, change: &Change) {
    match *change {
        Change::Reported(client, place, time) => {
            locations.report(record(&[client.max(33)], PLACES[place], time));
        }
        Change::Delivered(client, place, time) => {
            let record = record(&[client.max(33)], PLACES[place], time);
            locations.deliver([record], PublisherId(1), &Nobody);
        }
        Change::Crowd(place, count) => {
            for number in 0..count {
                let client = format!("crowd{number}");
                locations.report(record(client.as_bytes(), PLACES[place], u32::from(count)));
            }
        }
        Change::Floor(time) => {
            let floor_ns = i64::from(time) * herd_crdt::NANOSECONDS_PER_SECOND;
            locations.raise_floor(floor_ns).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_search_finds_what_a_look_at_all_finds(
        changes in changes(),
        queries in queries(),
        piece in prop_oneof![Just(1_usize), 2_usize..50, Just(usize::MAX)],
        hides_odd in any::<bool>(),
        is_indexed in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let may_see = |client: &[u8]| !hides_odd || client[0].is_multiple_of(2);
        let locations = Locations::default();
        if is_indexed {
            locations.make_index();
        }
        for change in &changes {
            runtime.block_on(apply(&locations, change));
            prop_assert_eq!(locations.index_fault(), None);
        }
        for query in &queries {
            let expected = by_looking_at_all(&locations, query, &may_see);
            let found = found(&locations, query, &may_see, piece);
            prop_assert_eq!(said(&found), said(&expected), "{:?}", query);
        }
    }
}

#[test]
fn the_checker_tells_of_an_update_that_is_dropped() {
    let locations = Locations::default();
    locations.report(record(b"kiwi", "+1+1", 1));
    locations.report(record(b"emu", "+1+1", 1));
    locations.make_index();
    assert_eq!(locations.index_fault(), None);
    let (hash, at) = (
        locations.hash(b"kiwi"),
        locations.find(b"kiwi").unwrap().quantized().unwrap(),
    );
    locations.grid.leave(hash, at);
    assert_eq!(
        locations.index_fault(),
        Some(super::super::IndexFault::Missing { missing: 1 })
    );
    // As if it had moved to a place that no record names.
    let _ = locations
        .grid
        .enter(hash, None, record(b"x", "+50+50", 1).quantized().unwrap());
    assert_eq!(
        locations.index_fault(),
        Some(super::super::IndexFault::Missing { missing: 1 })
    );
    let _ = locations.grid.enter(hash, None, at);
    let surplus = super::super::IndexFault::Surplus { index: 3, map: 2 };
    assert_eq!(locations.index_fault(), Some(surplus));
}

#[test]
fn a_few_of_a_crowd_are_found_without_looking_at_all() {
    let locations = Locations::default();
    for number in 0..20_000_u32 {
        // Over 0.4 degrees to each side.
        let (row, column) = (number / 142, number % 142);
        let place = format!(
            "+{:.6}+{:.6}",
            34.0 + f64::from(row) * 0.003,
            18.0 + f64::from(column) * 0.003
        );
        locations.report(record(number.to_string().as_bytes(), &place, 1));
    }
    let everybody: &dyn Fn(&[u8]) -> bool = &|_| true;
    for radius_km in [Some(10.0), None] {
        let query = Query {
            area: circle("+34.2+18.2", radius_km),
            limit: 20,
            except: None,
            prefix: Box::default(),
        };
        let mut search = Search::new(query.clone());
        assert!(search.carry_on(&locations, everybody, usize::MAX));
        assert!(search.candidates() < 250, "{}", search.candidates());
        let expected = by_looking_at_all(&locations, &query, everybody);
        let found = search.into_found();
        assert!(found.more && found.hits.len() == 20);
        assert_eq!(said(&found), said(&expected));
    }
    let far = Query {
        area: circle("-40-150", None),
        limit: 10,
        except: None,
        prefix: Box::default(),
    };
    let mut search = Search::new(far);
    assert!(search.carry_on(&locations, everybody, usize::MAX));
    // Nearly half around the earth the bounds of squares say less.
    assert!(search.candidates() < 1_000, "{}", search.candidates());
}

/// Clients that stay are found whatever others do, and nobody is told where it is not.
#[test]
fn searches_run_while_others_move() {
    use std::sync::atomic::{AtomicBool, Ordering};
    const STAYING: usize = 300;
    let locations = Locations::default();
    for number in 0..STAYING {
        locations.report(record(
            format!("stays{number}").as_bytes(),
            "+10.005+10.005",
            1,
        ));
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for mover in 0..2_u32 {
            let (locations, stop) = (&locations, &stop);
            scope.spawn(move || {
                let mut time = 2;
                while !stop.load(Ordering::Relaxed) {
                    let place = ["+10.005+10.005", "+10.02+10.02", "+50+50"][time as usize % 3];
                    for number in 0..300 {
                        let client = format!("moves{mover}-{number}");
                        locations.report(record(client.as_bytes(), place, time));
                    }
                    time += 1;
                }
            });
        }
        let query = Query {
            area: circle("+10.005+10.005", Some(1.0)),
            limit: 1_000,
            except: None,
            prefix: Box::default(),
        };
        for piece in [1, 7, 1_000].repeat(30) {
            let found = found(&locations, &query, &|_| true, piece);
            let stays = found
                .hits
                .iter()
                .filter(|hit| hit.record.client().starts_with(b"stays"));
            assert_eq!(stays.count(), STAYING);
            assert!(
                found
                    .hits
                    .iter()
                    .all(|hit| hit.record.location_text() == b"+10.005+10.005")
            );
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(locations.index_fault(), None);
}

#[test]
fn a_floor_hides_at_once() {
    let locations = Locations::default();
    for time in 1..=10 {
        locations.report(record(time.to_string().as_bytes(), "+1+1", time));
    }
    let query = Query {
        area: circle("+1+1", Some(0.0)),
        limit: 100,
        except: None,
        prefix: Box::default(),
    };
    // Raised, but no shard was looked through yet.
    let floor_ns = 6 * herd_crdt::NANOSECONDS_PER_SECOND;
    let mut raising = Box::pin(locations.raise_floor(floor_ns));
    let waker = std::task::Waker::noop();
    let _ = raising
        .as_mut()
        .poll(&mut std::task::Context::from_waker(waker));
    assert_eq!(found(&locations, &query, &|_| true, 10).hits.len(), 5);
}
