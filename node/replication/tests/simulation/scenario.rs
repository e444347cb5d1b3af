//! What one seed stands for: a herd, how safe its replies are, how bad its network is, and the scripts of
//! its episodes.

use std::fmt;
use std::time::Duration;

use herd_acknowledgement::AckLevel;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::fate::Weather;
use super::operation::{Position, Timed};
use super::{faults, workload};

/// Fault, healing and quiet follow each other this often in one run.
const EPISODES: u32 = 2;

/// Part of the seeds in which servers speak different versions of links.
const MIXED_SEEDS: f64 = 0.25;

/// The servers and links of a herd, by position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) names: &'static [&'static str],
    pub(super) links: &'static [(Position, Position)],
}

/// The five servers and six links of the protocol.
const FIVE: Shape = Shape {
    names: &["Hill", "Jaquez", "Smith", "Campbell", "Singleton"],
    links: &[(0, 1), (0, 2), (1, 4), (2, 4), (3, 4), (2, 3)],
};

/// Three in a row: the middle one is the only way between the others.
const LINE: Shape = Shape {
    names: &["Hill", "Jaquez", "Smith"],
    links: &[(0, 1), (1, 2)],
};

/// Four in a ring.
const RING: Shape = Shape {
    names: &["Hill", "Jaquez", "Smith", "Campbell"],
    links: &[(0, 1), (1, 2), (2, 3), (0, 3)],
};

/// Everything that a seed decides.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) seed: u64,
    pub(super) shape: Shape,
    pub(super) level: AckLevel,
    pub(super) has_disks: bool,
    pub(super) weather: Weather,
    pub(super) clients: u32,
    /// Of each server, how many of its processes speak the former version of links. Later ones speak the present.
    pub(super) former_lives: Vec<u64>,
    pub(super) episodes: Vec<Vec<Timed>>,
    /// One notification of a watcher is lost in each episode: a run that has to fail.
    pub(super) loses_notification: bool,
}

impl Shape {
    pub(super) fn neighbours(self, server: Position) -> impl Iterator<Item = Position> {
        self.links.iter().filter_map(move |&(a, b)| match server {
            _ if server == a => Some(b),
            _ if server == b => Some(a),
            _ => None,
        })
    }
}

impl Scenario {
    /// The scenario of a seed: always the same.
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let shape = match rng.random_range(0..10) {
            0 => LINE,
            1 | 2 => RING,
            _ => FIVE,
        };
        // Neighbouring seeds differ in the level, so that few seeds cover all.
        let level = AckLevel::ALL[(seed % 4) as usize];
        let has_disks = level.needs_disk() || rng.random_bool(0.7);
        let weather = if rng.random_bool(0.2) {
            Weather::FINE
        } else {
            Weather {
                lost: rng.random_range(0.0..0.25),
                doubled: rng.random_range(0.0..0.25),
                late: rng.random_range(0.0..0.05),
                delay_max: Duration::from_millis(rng.random_range(1..40)),
            }
        };
        let clients = rng.random_range(3..60);
        let episodes = (0..EPISODES)
            .map(|episode| {
                let length = Duration::from_millis(rng.random_range(8_000..30_000));
                let mut script = workload::reports(&mut rng, shape, clients, episode, length);
                script.extend(faults::faults(&mut rng, shape, has_disks, length));
                script.sort_by_key(|timed| timed.at);
                script
            })
            .collect();
        Scenario {
            seed,
            shape,
            level,
            has_disks,
            weather,
            clients,
            former_lives: former_lives(seed, shape),
            episodes,
            loses_notification: false,
        }
    }
}

/// In some seeds the servers are upgraded one by one, each with a restart. Drawn apart from all else: a seed is the same
/// script with it and without it.
fn former_lives(seed: u64, shape: Shape) -> Vec<u64> {
    let mut rng = StdRng::seed_from_u64(seed.rotate_left(17));
    let is_mixed = rng.random_bool(MIXED_SEEDS);
    let lives = shape.names.iter().map(|_| rng.random_range(0..4));
    lives
        .map(|lives| if is_mixed { lives } else { 0 })
        .collect()
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        for (position, name) in self.shape.names.iter().enumerate() {
            let neighbours: Vec<_> = self.shape.neighbours(position).collect();
            writeln!(f, "server {position} is {name}, linked to {neighbours:?}")?;
        }
        let disks = if self.has_disks { "with" } else { "without" };
        writeln!(
            f,
            "processes of the former version: {:?}",
            self.former_lives
        )?;
        writeln!(f, "--ack {}, {disks} disks; {:?}", self.level, self.weather)?;
        for (number, episode) in self.episodes.iter().enumerate() {
            writeln!(f, "episode {number}:")?;
            for timed in episode {
                writeln!(f, "{timed}")?;
            }
        }
        Ok(())
    }
}
