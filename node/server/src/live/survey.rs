//! Makes the scene of one page: from the grid how many clients are where, from the map the records of some.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use herd_crdt::{Coordinates, Record};
use herd_grid::{Census, Tally};
use herd_locations::Locations;
use herd_topology::Topology;
use tokio::task::yield_now;

use super::client_text;
use super::scene::{Dot, DotKey, Scene};
use super::viewport::PageViewport;

/// About how many clients are counted between two turns of others.
const CENSUS_PIECE: usize = 1_000;

/// Characters of an id that a dot carries.
const LABEL_CHARS_MAX: usize = 40;

/// The middle of a circle's clients is rounded to so many parts of its square, so that not every move is told.
const STEPS: f64 = 16.0;

/// Times of circles are rounded to so many seconds, for the same reason.
const CIRCLE_TIME_STEP_S: i64 = 5;

/// See the module.
pub(super) struct Surveyor {
    locations: Arc<Locations>,
    topology: Arc<Topology>,
    /// Makes keys that tell nothing of the map's own hashes.
    keys: RandomState,
}

/// A square of the census.
type Square = (u32, u32);

impl Surveyor {
    #[must_use]
    pub(super) fn new(locations: Arc<Locations>, topology: Arc<Topology>) -> Self {
        Surveyor {
            locations,
            topology,
            keys: RandomState::new(),
        }
    }

    /// The scene of a viewport; `see` is shown each record that is a dot of its own.
    pub(super) async fn scene(
        &self,
        viewport: PageViewport,
        see: impl FnMut(DotKey, &Record),
    ) -> Scene {
        let mut census = viewport.census();
        while !self.locations.carry_on_census(&mut census, CENSUS_PIECE) {
            yield_now().await;
        }
        let clients = self.locations.len();
        match census.all() {
            Some(all) => Scene {
                clients,
                counted: false,
                dots: self.dots_of(all.to_vec(), see),
            },
            None => Scene {
                clients,
                counted: true,
                dots: self.dots_of_squares(&census, see),
            },
        }
    }

    fn dots_of(
        &self,
        mut hashes: Vec<u64>,
        mut see: impl FnMut(DotKey, &Record),
    ) -> BTreeMap<DotKey, Dot> {
        let mut dots = BTreeMap::new();
        self.locations.look_up(&mut hashes, |hash, record| {
            let key = self.keys.hash_one(hash);
            see(key, record);
            dots.extend(self.dot_of(record).map(|dot| (key, dot)));
        });
        dots
    }

    fn dots_of_squares(
        &self,
        census: &Census,
        see: impl FnMut(DotKey, &Record),
    ) -> BTreeMap<DotKey, Dot> {
        let squares = census.squares().iter();
        let (alone, crowds): (Vec<_>, Vec<_>) = squares.partition(|(_, tally)| tally.clients == 1);
        let named = alone.iter().flat_map(|(_, tally)| &tally.named);
        let mut dots = self.dots_of(named.copied().collect(), see);
        let mut times = self.times_of(&crowds);
        for (&square, tally) in crowds {
            let (middle, degrees) = census.middle_of(square);
            let center = rounded(tally.center(), middle, degrees);
            let dot = Dot {
                latitude: center.latitude_degrees,
                longitude: center.longitude_degrees,
                count: tally.clients,
                server: None,
                time_s: times
                    .get_mut(&square)
                    .and_then(|times_s| middle_time_s(times_s)),
                label: "".into(),
            };
            dots.insert(self.keys.hash_one((square, degrees.to_bits())), dot);
        }
        dots
    }

    /// Of each square, the times of the clients that are named.
    fn times_of(&self, crowds: &[(&Square, &Tally)]) -> HashMap<Square, Vec<i64>> {
        let pairs = crowds
            .iter()
            .flat_map(|&(&square, tally)| tally.named.iter().map(move |&hash| (hash, square)));
        let square_of: HashMap<u64, Square> = pairs.collect();
        let mut hashes: Vec<u64> = square_of.keys().copied().collect();
        let mut times = HashMap::<Square, Vec<i64>>::new();
        self.locations.look_up(&mut hashes, |hash, record| {
            if let Some(&square) = square_of.get(&hash) {
                times.entry(square).or_default().push(time_s(record));
            }
        });
        times
    }

    fn dot_of(&self, record: &Record) -> Option<Dot> {
        let at = record.location()?.coordinates();
        let server = self.topology.index_of(record.server());
        Some(Dot {
            latitude: at.latitude_degrees,
            longitude: at.longitude_degrees,
            count: 1,
            server: server.and_then(|place| u16::try_from(place).ok()),
            time_s: Some(time_s(record)),
            label: client_text::label(record.client(), LABEL_CHARS_MAX).into_boxed_str(),
        })
    }
}

fn time_s(record: &Record) -> i64 {
    record
        .time()
        .ns()
        .div_euclid(herd_crdt::NANOSECONDS_PER_SECOND)
}

fn middle_time_s(times_s: &mut [i64]) -> Option<i64> {
    times_s.sort_unstable();
    let middle = times_s.get(times_s.len() / 2)?;
    Some(middle.div_euclid(CIRCLE_TIME_STEP_S) * CIRCLE_TIME_STEP_S)
}

/// The middle of a circle's clients in steps, and within the inner half of its square: so circles of squares side by side
/// do not cover each other.
fn rounded(center: Coordinates, middle: Coordinates, degrees: f64) -> Coordinates {
    let step = degrees / STEPS;
    let near = |value: f64, middle: f64| {
        let steps = ((value - middle) / step).round();
        middle + steps.clamp(-STEPS / 4.0, STEPS / 4.0) * step
    };
    Coordinates {
        latitude_degrees: near(center.latitude_degrees, middle.latitude_degrees),
        longitude_degrees: near(center.longitude_degrees, middle.longitude_degrees),
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
