//! Watches that begin and read while other threads change the map.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::super::checked::located;
use super::*;

/// How often each kind of watch begins.
const ROUNDS: usize = 10;

/// Takes lines without a look at the map, which changes meanwhile.
struct Fold<'a>(&'a mut FoldedStream);

impl Listener for Fold<'_> {
    fn may_see(&self, _: &[u8]) -> bool {
        true
    }

    fn has_room(&self) -> bool {
        true
    }

    fn hear(&mut self, said: Said<'_>) {
        self.0.hear(said);
    }
}

/// Reports between the first look and the registration, and everywhere else: none is lost.
#[test]
fn nothing_falls_between_registration_and_look() {
    let locations = Arc::new(Locations::default());
    let stop = Arc::new(AtomicBool::new(false));
    for subject in subjects() {
        for round in 0..ROUNDS {
            stop.store(false, Ordering::SeqCst);
            let reporters: Vec<_> = (0..2)
                .map(|reporter| {
                    let (locations, stop) = (locations.clone(), stop.clone());
                    thread::spawn(move || report_until(&locations, &stop, reporter + 2 * round))
                })
                .collect();
            let shares = [0, 1].map(|_| Budget::new(1_000).share());
            let mut watch = Watch::new(&locations, subject.clone(), 1_000, shares);
            let mut stream = FoldedStream::new(subject.clone());
            for _ in 0..20 {
                watch.carry_on(&locations, &mut Fold(&mut stream), 7);
            }
            stop.store(true, Ordering::SeqCst);
            reporters
                .into_iter()
                .for_each(|reporter| reporter.join().unwrap());
            while watch.carry_on(&locations, &mut Fold(&mut stream), 7) != Progress::Idle {}
            assert_eq!(stream.check(&located(&locations)), Ok(()));
        }
    }
}

fn report_until(locations: &Locations, stop: &AtomicBool, seed: usize) {
    let mut number = seed;
    while !stop.load(Ordering::SeqCst) {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let (client, place) = (
            (number >> 33) % CLIENTS.len(),
            (number >> 40) % PLACES.len(),
        );
        if number >> 60 == 0 {
            forget(locations, CLIENTS[client], 0, true);
            continue;
        }
        // A tombstone counts too: a report before it would change nothing.
        let newest = locations.held(CLIENTS[client].as_bytes());
        let newest_ns = newest.map_or(0, |newest| newest.time().ns());
        let time = newest_ns / herd_crdt::NANOSECONDS_PER_SECOND + 1;
        locations.report(record(CLIENTS[client], PLACES[place], time, true));
    }
}
