//! Everything that is drawn before a history begins.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::workload::{client_ids, show_ids, steps};
use super::{Fault, Level, ServerIndex, Step, TimedFault, faults};
use crate::Topology;

/// The servers and links of a herd, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The servers' names.
    pub names: &'static [&'static str],
    /// The links; the first end connects.
    pub links: &'static [(ServerIndex, ServerIndex)],
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

/// Three of which each is linked to both others.
const TRIANGLE: Shape = Shape {
    names: &["Hill", "Jaquez", "Smith"],
    links: &[(0, 1), (1, 2), (0, 2)],
};

impl Shape {
    /// For the harness.
    pub fn topology(self) -> Topology {
        let links: Vec<(&str, &str)> = self
            .links
            .iter()
            .map(|&(a, b)| (self.names[a], self.names[b]))
            .collect();
        Topology::new(self.names, &links)
    }
}

/// The faults that this machine supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// Servers can have disks of their own, which fail.
    pub own_disks: bool,
    /// Servers' clocks can be set.
    pub clocks: bool,
}

/// Everything that a seed and a length decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// For how long clients report and things go wrong.
    pub length: Duration,
    /// The herd.
    pub shape: Shape,
    /// How safe replies are.
    pub level: Level,
    /// Whether servers keep their data on disk.
    pub has_disks: bool,
    /// Whether servers have disks of their own.
    pub has_own_disks: bool,
    /// Whether servers' clocks are set.
    pub sets_clocks: bool,
    /// The clients' IDs.
    pub clients: Vec<Vec<u8>>,
    /// The commands, in order.
    pub steps: Vec<Step>,
    /// The faults, in order.
    pub faults: Vec<TimedFault>,
}

impl Scenario {
    /// The scenario of a seed and a length: always the same, but for faults that cannot be had here.
    pub fn of(seed: u64, length: Duration, means: Means) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let shape = match rng.random_range(0..5) {
            0 => LINE,
            1 | 2 => TRIANGLE,
            _ => FIVE,
        };
        // Neighbouring seeds differ in the level, so that few seeds cover all.
        let level = Level::ALL[(seed % 4) as usize];
        let has_disks = rng.random_bool(0.75) || level.needs_disk();
        let clients = client_ids(rng.random_range(4..80));
        let steps = steps(&mut rng, shape, clients.len(), length);
        let faults = faults::faults(&mut rng, shape, length);
        // A library in every process is no matter of course: some histories go without.
        let sets_clocks = rng.random_bool(0.6) && means.clocks;
        let means = Means {
            clocks: sets_clocks,
            ..means
        };
        Scenario {
            seed,
            length,
            shape,
            level,
            has_disks,
            has_own_disks: has_disks && means.own_disks,
            sets_clocks,
            clients,
            steps,
            faults: faults::possible(faults, means, has_disks),
        }
    }

    /// How many faults of a kind it has.
    pub fn count(&self, is: impl Fn(Fault) -> bool) -> usize {
        self.faults.iter().filter(|timed| is(timed.fault)).count()
    }
}

/// Without the steps of clients, which are many.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} s", self.seed, self.length.as_secs())?;
        for (position, name) in self.shape.names.iter().enumerate() {
            writeln!(f, "server {position} is {name}")?;
        }
        for (number, (a, b)) in self.shape.links.iter().enumerate() {
            writeln!(f, "link {number} is from {a} to {b}")?;
        }
        let disks = match (self.has_disks, self.has_own_disks) {
            (false, _) => "ephemeral",
            (true, false) => "on one disk",
            (true, true) => "each on a disk of its own",
        };
        let clocks = if self.sets_clocks { "" } else { "not " };
        writeln!(f, "--ack {}, {disks}, clocks are {clocks}set", self.level)?;
        writeln!(f, "clients: {}", show_ids(&self.clients))?;
        for timed in &self.faults {
            writeln!(f, "{timed}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(20);
    const ALL: Means = Means {
        own_disks: true,
        clocks: true,
    };
    const NONE: Means = Means {
        own_disks: false,
        clocks: false,
    };

    #[test]
    fn a_seed_is_always_the_same_scenario() {
        for seed in 0..20 {
            assert_eq!(
                Scenario::of(seed, LENGTH, ALL),
                Scenario::of(seed, LENGTH, ALL)
            );
        }
    }

    #[test]
    fn fewer_tools_change_only_the_faults_that_need_them() {
        for seed in 0..20 {
            let (all, none) = (
                Scenario::of(seed, LENGTH, ALL),
                Scenario::of(seed, LENGTH, NONE),
            );
            assert_eq!(all.steps, none.steps);
            let is_impossible =
                |fault: Fault| fault.needs_own_disk() || matches!(fault, Fault::SetClock(..));
            assert_eq!(none.count(is_impossible), 0);
            let kills = |fault| matches!(fault, Fault::Kill(_) | Fault::LosePower(_));
            assert_eq!(all.count(kills), none.count(kills));
        }
    }

    #[test]
    fn seeds_have_every_kind_of_fault_and_each_ends() {
        let scenarios: Vec<Scenario> = (0..60)
            .map(|seed| Scenario::of(seed, LENGTH, ALL))
            .collect();
        let count = |is: fn(Fault) -> bool| -> usize {
            scenarios.iter().map(|scenario| scenario.count(is)).sum()
        };
        for (begin, end) in [
            (
                count(|fault| matches!(fault, Fault::Pause(_))),
                count(|fault| matches!(fault, Fault::Resume(_))),
            ),
            (
                count(|fault| matches!(fault, Fault::FreezeDisk(_))),
                count(|fault| matches!(fault, Fault::ThawDisk(_))),
            ),
            (
                count(|fault| matches!(fault, Fault::FillDisk(_))),
                count(|fault| matches!(fault, Fault::EmptyDisk(_))),
            ),
            (
                count(|fault| matches!(fault, Fault::Cut(..))),
                count(|fault| matches!(fault, Fault::Join(_))),
            ),
            (
                count(|fault| {
                    matches!(fault, Fault::Kill(_) | Fault::LosePower(_) | Fault::Stop(_))
                }),
                count(|fault| matches!(fault, Fault::Start(_) | Fault::StartFrozen(_))),
            ),
        ] {
            assert!(begin > 0);
            assert_eq!(begin, end);
        }
        for some in [
            count(|fault| matches!(fault, Fault::Wipe(_))),
            count(|fault| matches!(fault, Fault::SetClock(..))),
            count(|fault| matches!(fault, Fault::StartFrozen(_))),
        ] {
            assert!(some > 0);
        }
    }
}
