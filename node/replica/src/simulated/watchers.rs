//! Watchers: each watches something at one server, and moves on to another when its own ends. Records expire under them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use herd_crdt::Location;
use herd_grid::{Area, Rectangle};
use herd_locations::{CheckedWatch, Progress};
use herd_watch::{Around, Subject, WatchedArea};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::checks::watches::tells_what_is_so;
use super::faults::Position;
use super::herd::Trouble;
use super::server::Server;

/// They read this far apart.
const GAP: Duration = Duration::from_millis(200);

/// Clients that a watch looks at in one go: fewer than there are.
const PIECE: usize = 8;

/// How many lines watchers read at a time.
const PACES: [usize; 4] = [1, 2, 5, 1_000];

/// More than there are clients.
const MARKS_MAX: usize = 1_000;

/// Part of the times at which a watcher does not read, and at which it goes to another server.
const RESTS: f64 = 0.3;
const LEAVES: f64 = 0.003;

/// The watchers of a herd. What they do is drawn apart from all else: a seed is the same course of events with them and
/// without them.
pub(super) struct Watchers {
    rng: SmallRng,
    watchers: Vec<Watcher>,
    next_look: Instant,
    /// How many lines all have heard, by their first words.
    pub(super) lines: BTreeMap<&'static str, usize>,
    /// The next notification is lost: for a test that has to fail.
    pub(super) loses_one: bool,
}

struct Watcher {
    subject: Subject,
    pace: usize,
    at: Option<(Position, CheckedWatch)>,
}

impl Watchers {
    /// The watchers of a seed.
    pub(super) fn new(seed: u64, now: Instant) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed.rotate_left(29));
        let count = rng.random_range(2..=6);
        let watchers = (0..count).map(|_| Watcher {
            subject: subject(&mut rng),
            pace: PACES[rng.random_range(0..PACES.len())],
            at: None,
        });
        Watchers {
            watchers: watchers.collect(),
            rng,
            next_look: now,
            lines: BTreeMap::new(),
            loses_one: false,
        }
    }

    /// All read on a little, if it is time. Whoever is told everything of now has to know what its server answers now.
    ///
    /// # Errors
    /// If somebody does not.
    pub(super) fn look(
        &mut self,
        servers: &[Option<Server>],
        trouble: &Trouble,
        now: Instant,
    ) -> Result<(), String> {
        if now < self.next_look {
            return Ok(());
        }
        self.next_look = now + GAP;
        for watcher in &mut self.watchers {
            if watcher.served(servers).is_none() || self.rng.random_bool(LEAVES) {
                watcher.move_on(servers, &mut self.rng, &mut self.lines);
            }
            let rests = self.rng.random_bool(RESTS);
            let pace = watcher.pace;
            let Some((position, server, watch)) = watcher.served(servers) else {
                continue;
            };
            if rests || trouble.paused.contains_key(&position) {
                continue;
            }
            if self.loses_one {
                self.loses_one = !watch.lose_a_mark();
            }
            let progress = watch.go_on(&server.map, PIECE, pace);
            may_go_on(&server.name, progress)?;
            tells_what_is_so(&server.name, watch.check_if_told(&server.map))?;
        }
        Ok(())
    }

    /// The herd is quiet: all read on to the end, and know what their servers answer.
    ///
    /// # Errors
    /// If somebody does not.
    pub(super) fn quiet(&mut self, servers: &[Option<Server>]) -> Result<(), String> {
        for watcher in &mut self.watchers {
            while watcher.served(servers).is_none() {
                watcher.move_on(servers, &mut self.rng, &mut self.lines);
            }
            if let Some((_, server, watch)) = watcher.served(servers) {
                may_go_on(&server.name, watch.catch_up(&server.map))?;
                tells_what_is_so(&server.name, watch.check(&server.map))?;
            }
        }
        Ok(())
    }

    /// What they have heard so far is counted, and they leave.
    pub(super) fn leave(&mut self) {
        for watcher in &mut self.watchers {
            watcher.leave(&mut self.lines);
        }
    }
}

impl Watcher {
    /// The server that it watches, if that is still the same process.
    fn served<'a>(
        &'a mut self,
        servers: &'a [Option<Server>],
    ) -> Option<(Position, &'a Server, &'a mut CheckedWatch)> {
        let (position, watch) = self.at.as_mut()?;
        let server = servers[*position].as_ref()?;
        let is_same = watch.is_of(&server.map);
        is_same.then_some((*position, server, watch))
    }

    /// Begins anew at any server, if that one is up.
    fn move_on(
        &mut self,
        servers: &[Option<Server>],
        rng: &mut SmallRng,
        lines: &mut BTreeMap<&'static str, usize>,
    ) {
        self.leave(lines);
        let position = rng.random_range(0..servers.len());
        self.at = servers[position].as_ref().map(|server| {
            let watch = CheckedWatch::begin(&server.map, self.subject.clone(), MARKS_MAX);
            (position, watch)
        });
    }

    fn leave(&mut self, lines: &mut BTreeMap<&'static str, usize>) {
        if let Some((_, watch)) = self.at.take() {
            for (word, count) in watch.counts() {
                *lines.entry(word).or_default() += count;
            }
        }
    }
}

/// Where clients are few, no watch has too many of anything.
fn may_go_on(server: &str, progress: Progress) -> Result<(), String> {
    match progress {
        Progress::Idle | Progress::More => Ok(()),
        Progress::TooSlow | Progress::TooLarge => {
            Err(format!("a watch of {server} has ended: {progress:?}"))
        }
    }
}

/// Clients are on one meridian, a degree apart.
fn subject(rng: &mut SmallRng) -> Subject {
    let client: Arc<[u8]> = format!("client{}", rng.random_range(0..6))
        .into_bytes()
        .into();
    let radius_m = rng.random_bool(0.9).then(|| rng.random_range(0.0..4e5_f64));
    let margin_m = [0.0, 1.2e5][rng.random_range(0..2)];
    let latitude = rng.random_range(-4..=4);
    match rng.random_range(0..8) {
        0 => Subject::Client(client),
        1 => Subject::Prefix(b"client1"[..].into()),
        2 => Subject::All,
        3 | 4 => {
            let place = format!("{latitude:+}+1");
            let center = Location::parse(place.as_bytes()).unwrap().coordinates();
            Subject::Area(WatchedArea::circle(center, radius_m, margin_m))
        }
        5 => {
            let (southwest, northeast) = (format!("{latitude:+}+1"), b"+9+2");
            let rectangle = Rectangle::new(southwest.as_bytes(), northeast).unwrap();
            Subject::Area(WatchedArea::sharp(Area::Rectangle(rectangle)))
        }
        _ => Subject::Around(Around {
            client,
            radius_m,
            margin_m,
        }),
    }
}
