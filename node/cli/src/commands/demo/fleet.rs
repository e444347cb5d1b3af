//! Vans that drive along the streets of a grid. Pure.

use std::time::Duration;

use rand::{Rng, RngExt as _};

/// The middle of the city: Berlin, in degrees.
const CENTER_DEG: (f64, f64) = (52.5200, 13.4050);

/// How far the streets go from the middle, in metres, to the north and to the east: all of it is land.
const REACH_M: f64 = 3_000.0;

/// The distance between two streets, in metres.
const BLOCK_M: f64 = 200.0;

/// The speeds of vans, in metres per second.
const SPEED_M_S: std::ops::Range<f64> = 6.0..14.0;

/// One degree of latitude, in metres, on a sphere of 6,371.0088 km.
const DEGREE_M: f64 = 111_195.08;

/// Four ways out of a crossing: steps to the north and to the east.
const WAYS: [(f64, f64); 4] = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)];

/// One van.
#[derive(Clone, Debug)]
struct Van {
    /// Metres to the north and to the east of the middle of the city, at the last crossing.
    crossing_m: (f64, f64),
    /// An index of [`WAYS`].
    way: usize,
    /// Metres behind that crossing, less than [`BLOCK_M`].
    behind_m: f64,
    speed_m_s: f64,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    vans: Vec<Van>,
}

impl Fleet {
    /// `count` vans, each at some crossing.
    pub(super) fn new(count: usize, rng: &mut impl Rng) -> Self {
        let blocks = (REACH_M / BLOCK_M) as i32;
        let mut vans = Vec::with_capacity(count);
        for _ in 0..count {
            let mut street = || f64::from(rng.random_range(-blocks..=blocks)) * BLOCK_M;
            let crossing_m = (street(), street());
            let mut van = Van {
                crossing_m,
                way: 0,
                behind_m: 0.0,
                speed_m_s: rng.random_range(SPEED_M_S),
            };
            van.turn(rng);
            vans.push(van);
        }
        Fleet { vans }
    }

    /// All vans drive on for this time.
    pub(super) fn advance(&mut self, time: Duration, rng: &mut impl Rng) {
        for van in &mut self.vans {
            van.behind_m += van.speed_m_s * time.as_secs_f64();
            while van.behind_m >= BLOCK_M {
                van.behind_m -= BLOCK_M;
                let (north, east) = WAYS[van.way];
                van.crossing_m.0 += north * BLOCK_M;
                van.crossing_m.1 += east * BLOCK_M;
                van.turn(rng);
            }
        }
    }

    /// Where each van is, as a report writes it.
    pub(super) fn locations(&self) -> impl Iterator<Item = String> {
        self.vans.iter().map(|van| {
            let (latitude, longitude) = van.degrees();
            format!("{latitude:+.6}{longitude:+.6}")
        })
    }
}

impl Van {
    /// Takes one of the ways out of the crossing that stay in the city, the one back only if there is no other; half of
    /// the time straight on.
    fn turn(&mut self, rng: &mut impl Rng) {
        let stays = |way: usize| {
            let (north, east) = WAYS[way];
            let (y, x) = self.crossing_m;
            (y + north * BLOCK_M).abs() <= REACH_M && (x + east * BLOCK_M).abs() <= REACH_M
        };
        if stays(self.way) && rng.random_bool(0.5) {
            return;
        }
        let back = (self.way + 2) % WAYS.len();
        let ways: Vec<usize> = (0..WAYS.len())
            .filter(|&way| way != back && stays(way))
            .collect();
        self.way = match ways.len() {
            0 => back,
            count => ways[rng.random_range(0..count)],
        };
    }

    /// Latitude and longitude, in degrees.
    fn degrees(&self) -> (f64, f64) {
        let (north, east) = WAYS[self.way];
        let north_m = self.crossing_m.0 + north * self.behind_m;
        let east_m = self.crossing_m.1 + east * self.behind_m;
        let (latitude, longitude) = CENTER_DEG;
        let per_degree_m = DEGREE_M * latitude.to_radians().cos();
        (
            latitude + north_m / DEGREE_M,
            longitude + east_m / per_degree_m,
        )
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use herd_crdt::Location;

    #[test]
    fn vans_stay_in_the_city_and_drive_at_the_speed_of_cars() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut fleet = Fleet::new(50, &mut rng);
        for _ in 0..2_000 {
            let before: Vec<_> = fleet.vans.iter().map(Van::degrees).collect();
            fleet.advance(Duration::from_secs(1), &mut rng);
            for (van, before) in fleet.vans.iter().zip(before) {
                let after = van.degrees();
                let north_m = (after.0 - before.0) * DEGREE_M;
                let east_m = (after.1 - before.1) * DEGREE_M * CENTER_DEG.0.to_radians().cos();
                let driven_m = north_m.hypot(east_m);
                assert!(driven_m <= SPEED_M_S.end + 1e-6, "{driven_m}");
                let farthest_m = (after.0 - CENTER_DEG.0).abs() * DEGREE_M;
                assert!(farthest_m <= REACH_M + 1e-6, "{farthest_m}");
            }
        }
        for location in fleet.locations() {
            assert!(Location::parse(location.as_bytes()).is_ok(), "{location}");
        }
    }
}
