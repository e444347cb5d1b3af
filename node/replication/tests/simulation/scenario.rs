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
    pub(super) episodes: Vec<Vec<Timed>>,
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
            episodes,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        for (position, name) in self.shape.names.iter().enumerate() {
            let neighbours: Vec<_> = self.shape.neighbours(position).collect();
            writeln!(f, "server {position} is {name}, linked to {neighbours:?}")?;
        }
        let disks = if self.has_disks { "with" } else { "without" };
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
