//! A million clients around cities: updates of the map and its index, searches, and the memory of both.
//!
//! `cargo bench -p herd-locations`

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use divan::{Bencher, black_box};
use herd_crdt::{BorrowedRecord, Coordinates, Operands, ServerName};
use herd_grid::{Area, Circle};
use herd_locations::{Locations, Query, Search};

const CLIENTS: u64 = 1_000_000;

const CITIES: u64 = 24;

/// The standard deviation of where clients are around their city, in degrees.
const SIGMA_DEGREES: f64 = 0.15;

/// 15 m, in degrees.
const DRIVE_DEGREES: f64 = 15.0 / 111_195.0;

fn main() {
    divan::main();
}

/// SplitMix64, of Steele, Lea and Flood (2014).
fn random(seed: u64) -> u64 {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn unit(seed: u64) -> f64 {
    (random(seed) >> 11) as f64 / (1_u64 << 53) as f64
}

fn city(number: u64) -> (f64, f64) {
    let number = (number % CITIES) as f64;
    (number * 5.0 - 55.0, number * 14.0 - 160.0)
}

/// Somewhere around a client's city, by Box and Muller (1958).
fn around(client: u64, seed: u64) -> (f64, f64) {
    let distance = SIGMA_DEGREES * (-2.0 * (1.0 - unit(seed)).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * unit(!seed)).sin_cos();
    let city = city(client);
    (city.0 + distance * sin, city.1 + distance * cos)
}

fn report(locations: &Locations, client: u64, (latitude, longitude): (f64, f64), time: u64) {
    let server = ServerName::from("Hill");
    let id = format!("client-{client:09}");
    let location = format!("{latitude:+010.6}{longitude:+011.6}");
    let time = format!(
        "{}.{:09}",
        1_600_000_000 + time / 1_000_000_000,
        time % 1_000_000_000
    );
    let operands = Operands::check(id.as_bytes(), location.as_bytes(), time.as_bytes()).unwrap();
    locations.report(BorrowedRecord::of(operands, &server, 0));
}

static FULL: LazyLock<Locations> = LazyLock::new(|| {
    let before = resident_bytes();
    let locations = Locations::default();
    locations.publish_nothing();
    for client in 0..CLIENTS {
        report(&locations, client, around(client, client), 0);
    }
    locations.make_index();
    let (clients, cells) = locations.index_size();
    let mib = (resident_bytes() - before) >> 20;
    println!("{clients} clients in {cells} cells: {mib} MiB");
    locations
});

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

static TIME: AtomicU64 = AtomicU64::new(1);

/// One update, and the time that it takes to format it.
#[divan::bench(args = ["driving", "jumping", "same place", "formatting alone"])]
fn update(bencher: Bencher<'_, '_>, movement: &str) {
    let locations = &*FULL;
    bencher.bench(|| {
        let time = TIME.fetch_add(1, Ordering::Relaxed);
        let client = random(time) % CLIENTS;
        let home = around(client, client);
        let moved = (home.0 + time as f64 / 1e6 * DRIVE_DEGREES, home.1);
        match movement {
            "driving" => report(locations, client, moved, time),
            "jumping" => report(locations, client, around(client, time), time),
            "same place" => report(locations, client, home, time),
            _ => {
                black_box(format!("client-{client:09}"));
                black_box(format!("{:+010.6}{:+011.6}", moved.0, home.1));
                black_box(format!(
                    "{}.{:09}",
                    1_600_000_000 + time / 1_000_000_000,
                    time
                ));
            }
        }
    });
}

/// From the middle of a city, or from an ocean.
#[divan::bench(args = [("city", 10.0, 20), ("city", 1.0, 20), ("city", 10.0, 1_000), ("city", 20_100.0, 20), ("ocean", 20_100.0, 10)])]
fn search(bencher: Bencher<'_, '_>, (from, radius_km, limit): (&str, f64, usize)) {
    let locations = &*FULL;
    let (searches, candidates) = (AtomicU64::new(0), AtomicU64::new(0));
    bencher.bench(|| {
        let number = searches.fetch_add(1, Ordering::Relaxed);
        let (latitude_degrees, longitude_degrees) = match from {
            "city" => {
                let city = city(random(number));
                (city.0 + 0.02 * unit(number), city.1 + 0.02 * unit(!number))
            }
            _ => (-60.0 + 30.0 * unit(number), 100.0 + 60.0 * unit(!number)),
        };
        let center = Coordinates {
            latitude_degrees,
            longitude_degrees,
        };
        let mut search = Search::new(Query {
            area: Area::Circle(Circle::new(center, Some(radius_km * 1_000.0))),
            limit,
            except: None,
            prefix: Box::default(),
        });
        assert!(search.carry_on(locations, &|_| true, usize::MAX));
        candidates.fetch_add(search.candidates() as u64, Ordering::Relaxed);
        search.into_found()
    });
    let searches = searches.load(Ordering::Relaxed).max(1);
    println!(
        "{} candidates a search",
        candidates.load(Ordering::Relaxed) / searches
    );
}
