//! A million clients that drive around cities, and 100,000 watched areas of 1 km there: updates with and without watchers,
//! whose lines are made by another thread.
//!
//! `cargo bench -p herd-locations --bench watch`

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use herd_crdt::{BorrowedRecord, Coordinates, Operands, ServerName};
use herd_locations::{Listener, Locations, Progress, Said, Watch};
use herd_watch::{Budget, Subject, WatchedArea};
use tokio::time::Instant;

const CLIENTS: u64 = 1_000_000;

const AREAS: u64 = 100_000;

const CITIES: u64 = 24;

/// The standard deviation of where clients and areas are around their city, in degrees.
const SIGMA_DEGREES: f64 = 0.15;

/// 15 m, in degrees.
const DRIVE_DEGREES: f64 = 15.0 / 111_195.0;

/// How long updates are counted.
const DURATION: Duration = Duration::from_secs(5);

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

/// Somewhere around a city, by Box and Muller (1958).
fn around(city: u64, seed: u64) -> (f64, f64) {
    let number = (city % CITIES) as f64;
    let distance = SIGMA_DEGREES * (-2.0 * (1.0 - unit(seed)).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * unit(!seed)).sin_cos();
    (
        number * 5.0 - 55.0 + distance * sin,
        number * 14.0 - 160.0 + distance * cos,
    )
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

/// Counts lines.
struct Counting<'a>(&'a AtomicU64);

impl Listener for Counting<'_> {
    fn may_see(&self, _: &[u8]) -> bool {
        true
    }

    fn has_room(&self) -> bool {
        true
    }

    fn hear(&mut self, _: Said<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Queues its watcher when it is woken.
struct Queued {
    number: usize,
    queue: Mutex<Sender<usize>>,
}

impl Wake for Queued {
    fn wake(self: Arc<Self>) {
        let _ = self.queue.lock().unwrap().send(self.number);
    }
}

/// Reads what watchers are told, as they are woken.
fn read(locations: &Locations, mut watches: Vec<Watch>, lines: &AtomicU64, stop: &AtomicBool) {
    let (queue, woken): (Sender<usize>, Receiver<usize>) = channel();
    let wakers: Vec<Waker> = (0..watches.len())
        .map(|number| {
            let queue = Mutex::new(queue.clone());
            Waker::from(Arc::new(Queued { number, queue }))
        })
        .collect();
    for number in 0..watches.len() {
        queue.send(number).unwrap();
    }
    while !stop.load(Ordering::Relaxed) {
        let Ok(number) = woken.recv_timeout(Duration::from_millis(10)) else {
            continue;
        };
        let watch = &mut watches[number];
        while watch.carry_on(locations, &mut Counting(lines), 1_000) == Progress::More {}
        if watch.poll_ready(&Context::from_waker(&wakers[number])) == Poll::Ready(()) {
            queue.send(number).unwrap();
        }
    }
}

fn processor_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |place: usize| fields[place].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// Reports clients in any order, each of which drives on to the east with every report. `driven` has the number of reports
/// of each.
fn updates(locations: &Locations, from: u64, driven: &mut [u16]) -> u64 {
    let begin = Instant::now();
    let mut time = from;
    while begin.elapsed() < DURATION {
        for _ in 0..1_000 {
            time += 1;
            let client = random(time) % CLIENTS;
            let (latitude, longitude) = around(client, client);
            let reports = &mut driven[client as usize];
            *reports += 1;
            let on = (latitude, longitude + f64::from(*reports) * DRIVE_DEGREES);
            report(locations, client, on, time);
        }
    }
    time - from
}

fn main() {
    let locations = Locations::default();
    locations.publish_nothing();
    for client in 0..CLIENTS {
        report(&locations, client, around(client, client), 0);
    }
    let mut driven = vec![0; CLIENTS as usize];
    let mut time = 1;
    for areas in [0, AREAS, 0, AREAS] {
        let budgets = [0, 1].map(|_| Budget::new(100_000_000));
        let begin = Instant::now();
        let watches = (0..areas).map(|area| {
            let (latitude_degrees, longitude_degrees) = around(area, !area);
            let center = Coordinates {
                latitude_degrees,
                longitude_degrees,
            };
            let subject = Subject::Area(WatchedArea::circle(center, Some(1_000.0), 0.0));
            let shares = budgets.each_ref().map(Budget::share);
            let mut watch = Watch::new(&locations, subject, 100_000, shares);
            let first = AtomicU64::new(0);
            while watch.carry_on(&locations, &mut Counting(&first), 1_000) == Progress::More {}
            watch
        });
        let watches: Vec<Watch> = watches.collect();
        println!("{areas} areas: first states in {:.2?}", begin.elapsed());
        let (lines, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| read(&locations, watches, &lines, &stop));
            let before_s = processor_s();
            let count = updates(&locations, time, &mut driven);
            let used_s = processor_s() - before_s;
            stop.store(true, Ordering::Relaxed);
            time += count;
            println!(
                "{areas} areas: {:.0} updates/s, {:.2} us of processor time each, {:.2} lines each",
                count as f64 / DURATION.as_secs_f64(),
                1e6 * used_s / count as f64,
                lines.load(Ordering::Relaxed) as f64 / count as f64,
            );
        });
    }
}
