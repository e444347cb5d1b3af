//! Watchers: each watches something at one server, as fast as it reads, and moves on to another server when its own ends,
//! when it was too slow, or for no reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use herd_crdt::{Coordinates, Location};
use herd_grid::{Area, Rectangle};
use herd_locations::{CheckedWatch, Progress};
use herd_watch::{Around, Subject, WatchedArea};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::checkers::Found;
use super::checkers::watches::tells_what_is_so;
use super::herd::Server;
use super::operation::Position;
use super::process::Process;
use super::scenario::Scenario;

/// Clients that a watch looks at in one go: fewer than there are.
const PIECE: usize = 8;

/// How many lines watchers read at a time.
const PACES: [usize; 4] = [1, 2, 5, 1_000];

/// Marks that there is room for: those of few clients, or of all.
const MARKS_MAX: [usize; 3] = [6, 1_000, 1_000];

/// Part of the times at which a watcher does not read, and at which it goes to another server.
const RESTS: f64 = 0.3;
const LEAVES: f64 = 0.003;

/// All watchers of a run. What they do is drawn apart from all else: a seed is the same script with them and without them.
pub(super) struct Watchers {
    rng: StdRng,
    watchers: Vec<Watcher>,
    heard: Heard,
    /// The next notification is lost.
    loses_one: bool,
}

struct Watcher {
    subject: Subject,
    pace: usize,
    marks_max: usize,
    at: Option<(Position, CheckedWatch)>,
}

/// What all watchers of a run have heard, by the first words of lines; and how often one began anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) lines: BTreeMap<&'static str, usize>,
    pub(super) began_anew: usize,
    pub(super) too_slow: usize,
}

impl Heard {
    pub(super) fn add(&mut self, other: &Heard) {
        for (word, count) in &other.lines {
            *self.lines.entry(word).or_default() += count;
        }
        self.began_anew += other.began_anew;
        self.too_slow += other.too_slow;
    }
}

impl Watchers {
    /// The watchers of a seed.
    pub(super) fn of(scenario: &Scenario) -> Self {
        let mut rng = StdRng::seed_from_u64(scenario.seed.rotate_left(29));
        let count = rng.random_range(2..=6);
        let watchers = (0..count).map(|_| Watcher {
            subject: subject(&mut rng, scenario.clients),
            pace: PACES[rng.random_range(0..PACES.len())],
            marks_max: MARKS_MAX[rng.random_range(0..MARKS_MAX.len())],
            at: None,
        });
        Watchers {
            watchers: watchers.collect(),
            rng,
            heard: Heard::default(),
            loses_one: false,
        }
    }

    /// One notification is lost from now on: for a test that has to fail.
    pub(super) fn lose_one(&mut self) {
        self.loses_one = true;
    }

    /// What they have heard, once all have come to an end.
    pub(super) fn end(mut self) -> Heard {
        for watcher in &mut self.watchers {
            watcher.leave(&mut self.heard);
        }
        self.heard
    }

    /// All read on a little. Whoever is told everything of now has to know what its server answers now.
    pub(super) fn look(&mut self, servers: &[Server]) -> Found {
        for watcher in &mut self.watchers {
            if watcher.server(servers).is_none() || self.rng.random_bool(LEAVES) {
                watcher.move_on(servers, &mut self.rng, &mut self.heard);
            }
            if self.loses_one
                && let Some((_, _, watch)) = watcher.server(servers)
            {
                self.loses_one = !watch.lose_a_mark();
            }
            if self.rng.random_bool(RESTS) {
                continue;
            }
            let pace = watcher.pace;
            watcher.read(servers, &mut self.heard, |watch, process| {
                watch.go_on(&process.locations, PIECE, pace)
            })?;
        }
        Ok(())
    }

    /// The herd is quiet: all read on to the end, and know what their servers answer.
    pub(super) fn quiet(&mut self, servers: &[Server]) -> Found {
        for watcher in &mut self.watchers {
            watcher.read(servers, &mut self.heard, |watch, process| {
                watch.catch_up(&process.locations)
            })?;
            if watcher.server(servers).is_none() {
                watcher.move_on(servers, &mut self.rng, &mut self.heard);
                watcher.read(servers, &mut self.heard, |watch, process| {
                    watch.catch_up(&process.locations)
                })?;
            }
            let (name, process, watch) = watcher
                .server(servers)
                .ok_or("nobody serves a watcher of a whole herd")?;
            tells_what_is_so(name, watch.check(&process.locations))?;
        }
        Ok(())
    }
}

impl Watcher {
    /// The server that it watches, if that is still the same process.
    fn server<'a>(
        &'a mut self,
        servers: &'a [Server],
    ) -> Option<(&'a str, &'a Process, &'a mut CheckedWatch)> {
        let (position, watch) = self.at.as_mut()?;
        let Server { name, process, .. } = &servers[*position];
        let process = process.as_ref()?;
        watch
            .is_of(&process.locations)
            .then_some((&**name, process, watch))
    }

    /// Begins anew at any server that serves, if one does.
    fn move_on(&mut self, servers: &[Server], rng: &mut StdRng, heard: &mut Heard) {
        self.leave(heard);
        let position = rng.random_range(0..servers.len());
        // As a server does: a watch waits until the store is read.
        let process = servers[position].process.as_ref();
        self.at = process
            .filter(|process| process.is_loaded())
            .map(|process| {
                let locations = &process.locations;
                let watch = CheckedWatch::begin(locations, self.subject.clone(), self.marks_max);
                (position, watch)
            });
    }

    fn leave(&mut self, heard: &mut Heard) {
        if let Some((_, watch)) = self.at.take() {
            heard.add(&Heard {
                lines: watch.counts().clone(),
                began_anew: 1,
                too_slow: 0,
            });
        }
    }

    fn read(
        &mut self,
        servers: &[Server],
        heard: &mut Heard,
        read: impl FnOnce(&mut CheckedWatch, &Process) -> Progress,
    ) -> Found {
        let Some((name, process, watch)) = self.server(servers) else {
            return Ok(());
        };
        match read(watch, process) {
            Progress::Idle | Progress::More => {
                tells_what_is_so(name, watch.check_if_told(&process.locations))
            }
            Progress::TooSlow => {
                heard.too_slow += 1;
                self.leave(heard);
                Ok(())
            }
            Progress::TooLarge => Err(format!("{name} has no room for those who are inside")),
        }
    }
}

fn subject(rng: &mut StdRng, clients: u32) -> Subject {
    let client = rng.random_range(0..clients) >> rng.random_range(0..4_u32);
    let client: Arc<[u8]> = format!("client{client}").into_bytes().into();
    let radius_m = rng.random_bool(0.9).then(|| rng.random_range(1e6..6e6_f64));
    let margin_m = [0.0, 5e5][rng.random_range(0..2)];
    match rng.random_range(0..9) {
        0 => Subject::Client(client),
        1 => Subject::Prefix(b"client1"[..].into()),
        2 => Subject::All,
        3 | 4 => Subject::Area(WatchedArea::circle(place(rng), radius_m, margin_m)),
        5 | 6 => Subject::Area(WatchedArea::sharp(Area::Rectangle(rectangle(rng)))),
        _ => Subject::Around(Around {
            client,
            radius_m,
            margin_m,
        }),
    }
}

fn place(rng: &mut StdRng) -> Coordinates {
    let (latitude, longitude) = (rng.random_range(-90..=90), rng.random_range(-180..=180));
    let place = format!("{latitude:+}{longitude:+}");
    Location::parse(place.as_bytes()).unwrap().coordinates()
}

/// Some cross 180 degrees.
fn rectangle(rng: &mut StdRng) -> Rectangle {
    let (south, height) = (rng.random_range(-90..=30), rng.random_range(0..=60));
    let [west, east] = [0; 2].map(|_| rng.random_range(-180..=180));
    let corner = |latitude: i32, longitude: i32| format!("{latitude:+}{longitude:+}");
    let (southwest, northeast) = (corner(south, west), corner(south + height, east));
    Rectangle::new(southwest.as_bytes(), northeast.as_bytes()).unwrap()
}
