//! Watches that begin while a change is half done, or while a crowd drives within their areas.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use herd_crdt::RepublishPolicy;
use herd_watch::Change;

use super::super::checked::located;
use super::*;
use crate::sharded::shard_of;

/// A watch that does not wait for something would have gone on within this time.
const PATIENCE: Duration = Duration::from_millis(500);

/// So many clients that one look does not take in all of them,
const CROWD: usize = 1_000;

/// spread over about so many degrees.
const SPREAD_DEGREES: f64 = 0.2;

/// How often each kind of watch begins among a crowd that drives.
const ROUNDS: usize = 2;

/// Takes lines, and remembers how many clients were told first.
struct Fold {
    stream: FoldedStream,
    first: Option<usize>,
}

impl Fold {
    fn new(subject: Subject) -> Self {
        Fold {
            stream: FoldedStream::new(subject),
            first: None,
        }
    }
}

impl Listener for Fold {
    fn may_see(&self, _: &[u8]) -> bool {
        true
    }

    fn has_room(&self) -> bool {
        true
    }

    fn hear(&mut self, said: Said<'_>) {
        if let Said::Live(clients) = said {
            self.first = Some(clients);
        }
        self.stream.hear(said);
    }
}

fn watch(locations: &Locations, subject: &Subject) -> Watch {
    let shares = [0, 1].map(|_| Budget::new(100_000).share());
    Watch::new(locations, subject.clone(), 100_000, shares)
}

/// Somewhere around 10 degrees north and east.
fn somewhere(number: usize) -> String {
    let part = |shift: u32| {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift;
        (mixed & 0xffff) as f64 / 65_536.0 * SPREAD_DEGREES
    };
    format!("{:+.5}{:+.5}", 10.0 + part(20), 10.0 + part(40))
}

/// Whether somebody says that it is done, without being let.
fn is_early(done: &Receiver<()>) -> bool {
    done.recv_timeout(PATIENCE).is_ok()
}

/// Nobody watched when the change began, so it leaves no mark: the watch has to see it.
#[test]
fn a_change_that_began_before_the_watch_is_seen() {
    let locations = Locations::default();
    locations.make_index();
    let subject = circle("+10+10", Some(1_000.0), 0.0);
    let changed = record("a", "+10+10", 1, true);
    let (hash, at) = (locations.hash(b"a"), changed.quantized().unwrap());
    let (done, is_done) = channel();
    let stream = thread::scope(|scope| {
        let mut shard = locations.shard(hash).lock();
        assert!(!locations.watchers().is_any());
        let watching = scope.spawn(|| {
            let mut fold = Fold::new(subject.clone());
            let mut watch = watch(&locations, &subject);
            let _ = done.send(());
            while watch.carry_on(&locations, &mut fold, 9) != Progress::Idle {}
            fold.stream
        });
        assert!(!is_early(&is_done), "it did not wait for the change");
        shard
            .map
            .merge_heard_with(hash, changed, RepublishPolicy::Never);
        assert_eq!(locations.grid.enter(hash, None, at), None);
        drop(shard);
        watching.join().unwrap()
    });
    assert_eq!(stream.check(&located(&locations)), Ok(()));
}

/// A client moves from a square that was not looked at into one that was, and has no mark yet.
#[test]
fn a_move_under_way_belongs_to_the_first_state() {
    let locations = Locations::default();
    let (from, to) = ("+10.3+10.3", "+10+10");
    locations.report(record("a", from, 1, true));
    locations.report(record("b", to, 1, true));
    let hash = locations.hash(b"a");
    // None of its shard, which is locked later.
    let others = (0..).map(|number| format!("other{number}"));
    let others = others.filter(|id| shard_of(locations.hash(id.as_bytes())) != shard_of(hash));
    for (number, id) in others.take(CROWD).enumerate() {
        locations.report(record(&id, &somewhere(number), 1, true));
    }
    let clients = locations.len();
    let subject = circle("+10+10", Some(90_000.0), 0.0);
    let (mut watch, mut fold) = (watch(&locations, &subject), Fold::new(subject));
    while !fold.stream.counts().contains_key("ENTER") {
        watch.carry_on(&locations, &mut fold, 1);
    }
    let moved = record("a", to, 2, true);
    let [before, at] = [from, to].map(|place| record("a", place, 1, true).quantized());
    let (done, is_done) = channel();
    let (is_whole, fold) = thread::scope(|scope| {
        let mut shard = locations.shard(hash).lock();
        shard
            .map
            .merge_heard_with(hash, moved, RepublishPolicy::Never);
        assert_eq!(locations.grid.enter(hash, before, at.unwrap()), None);
        let watching = scope.spawn(|| {
            while fold.first.is_none() {
                watch.carry_on(&locations, &mut fold, 9);
            }
            let _ = done.send(());
            (fold.first == Some(clients), fold)
        });
        assert!(!is_early(&is_done), "it did not wait for the mark");
        let change = Change {
            client: b"a",
            from: before,
            to: at,
        };
        locations.watchers().changed(&change).wake();
        drop(shard);
        watching.join().unwrap()
    });
    assert!(is_whole, "{:?} of {clients}", fold.first);
}

/// Who is inside all the time is told first, however it moves.
#[test]
fn a_crowd_that_drives_is_told_whole() {
    let locations = Locations::default();
    for number in 0..CROWD {
        let id = format!("client{number}");
        locations.report(record(&id, &somewhere(number), 1, true));
    }
    locations.report(record("middle", "+10.1+10.1", 1, true));
    for (subject, first) in [
        (circle("+10.1+10.1", Some(90_000.0), 0.0), CROWD + 1),
        (boxed("+9+9", "+11+11"), CROWD + 1),
        (around("middle", Some(90_000.0), 0.0), CROWD),
        (Subject::Prefix(b"client"[..].into()), CROWD),
    ] {
        for round in 0..ROUNDS {
            let stop = AtomicBool::new(false);
            let (mut watch, mut fold) = thread::scope(|scope| {
                for driver in 0..2 {
                    let (locations, stop) = (&locations, &stop);
                    scope.spawn(move || drive(locations, stop, driver, round));
                }
                let mut fold = Fold::new(subject.clone());
                let mut watch = watch(&locations, &subject);
                while fold.first.is_none() {
                    let progress = watch.carry_on(&locations, &mut fold, 64);
                    assert!(matches!(progress, Progress::More | Progress::Idle));
                }
                stop.store(true, Ordering::Relaxed);
                (watch, fold)
            });
            assert_eq!(fold.first, Some(first), "{subject:?}");
            while watch.carry_on(&locations, &mut fold, 64) != Progress::Idle {}
            assert_eq!(fold.stream.check(&located(&locations)), Ok(()));
        }
    }
}

/// Each client is driven by one thread.
fn drive(locations: &Locations, stop: &AtomicBool, driver: usize, round: usize) {
    let mut number = round * 1_000_000_007 + driver;
    while !stop.load(Ordering::Relaxed) {
        number += 2;
        let client = (number.wrapping_mul(7_919) % (CROWD / 2)) * 2 + driver;
        let id = format!("client{client}");
        let held = locations.find(id.as_bytes()).unwrap();
        let time = held.time().ns() / herd_crdt::NANOSECONDS_PER_SECOND + 1;
        locations.report(record(&id, &somewhere(number), time, true));
    }
}
