//! Seeds: herds under faults that have to settle, each the same way each time.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::checks::copies::the_superseded_are_forgotten;
use super::checks::settled::is_settled;
use super::checks::survival::nothing_is_lost;
use super::faults::{Frame, Position, draw};
use super::herd::{Herd, Report};

/// The first seed, in place of 1.
const SEED_VARIABLE: &str = "HERD_REPLICA_SEED";
/// How many seeds, in place of [`SEEDS`].
const SEEDS_VARIABLE: &str = "HERD_REPLICA_SEEDS";

/// As many as every run of the tests has time for.
const SEEDS: u64 = 24;

const NAMES: [&str; 5] = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];
const LINKS: [(Position, Position); 6] = [(0, 1), (0, 2), (1, 4), (2, 4), (3, 4), (2, 3)];

/// In one of so many seeds faults last long enough for burials.
const LONG_SEEDS: u64 = 8;

/// A healed herd is left alone for this long: longer than it takes to count as gone.
const QUIET_MIN: Duration = Duration::from_secs(12);

/// From then on, what cannot come back is forgotten after this: it counts as gone, is buried, and waits to be forgotten
/// with others.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);

/// A healed herd has to be as it should after this: orphans that turn up late wait a minute, and each rank two seconds.
const QUIET_MAX: Duration = Duration::from_secs(180);

struct Outcome {
    trace: u64,
    events: u64,
    passed: Duration,
}

fn run(seed: u64) -> Result<Outcome, String> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let has_disks = rng.random::<bool>();
    let mut herd = Herd::new(seed, &NAMES, &LINKS, has_disks);
    let is_long = seed.is_multiple_of(LONG_SEEDS);
    let (episode, longest) = match is_long {
        true => (Duration::from_secs(3_600), Duration::from_secs(1_800)),
        false => (Duration::from_secs(60), Duration::from_secs(25)),
    };
    let crashes = rng.random::<bool>();
    herd.set_weather(rng.random_range(0.0..0.1), rng.random_range(0.0..0.2));
    herd.run(Duration::from_secs(2));
    let frame = Frame {
        servers: NAMES.len(),
        links: &LINKS,
        longest,
    };
    for _ in 0..rng.random_range(0..12) {
        let at = episode.mul_f64(rng.random());
        for (time, fault) in draw(&mut rng, frame, crashes) {
            herd.fault_after(at + time, fault);
        }
    }
    let clients = rng.random_range(1..20);
    for _ in 0..rng.random_range(1..150) {
        let report = Report {
            server: rng.random_range(0..NAMES.len()),
            client: rng.random_range(0..clients),
            second: rng.random_range(0..6),
            zeros: rng.random_range(0..3),
            latitude: rng.random_range(-4..=4),
            forgets: rng.random_bool(0.2),
            received_ns: rng.random_range(0..3),
        };
        herd.report_after(episode.mul_f64(rng.random()), report);
    }
    herd.run(episode);
    let is_one_gone = crashes && rng.random();
    let gone = is_one_gone.then(|| rng.random_range(0..NAMES.len()));
    herd.heal(gone);
    let mut passed = episode + settle(&mut herd)?;
    if !crashes || has_disks && gone.is_none() {
        nothing_is_lost(&herd)?;
    }
    if is_long {
        herd.run(FORGOTTEN_AFTER);
        passed += FORGOTTEN_AFTER;
        let mut servers = herd.servers.iter().flatten();
        servers.try_for_each(the_superseded_are_forgotten)?;
    }
    if let Some(found) = herd.found.first() {
        return Err(found.clone());
    }
    Ok(Outcome {
        trace: herd.trace(),
        events: herd.events,
        passed,
    })
}

/// Waits until a healed herd is as it should be; says how long that took.
fn settle(herd: &mut Herd) -> Result<Duration, String> {
    let mut quiet = Duration::ZERO;
    loop {
        let step = Duration::from_secs(4);
        herd.run(step);
        quiet += step;
        match is_settled(herd) {
            Ok(()) if quiet > QUIET_MIN => return Ok(quiet),
            Err(found) if quiet > QUIET_MAX => return Err(found),
            _ => {}
        }
    }
}

fn variable(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn herds_settle_after_whatever_befell_them() {
    let first = variable(SEED_VARIABLE, 1);
    let count = variable(SEEDS_VARIABLE, SEEDS);
    let (mut events, mut passed) = (0, Duration::ZERO);
    let mut failures = Vec::new();
    for seed in first..first + count {
        match run(seed) {
            Ok(outcome) => {
                events += outcome.events;
                passed += outcome.passed;
            }
            Err(found) => failures.push(format!("seed {seed}: {found}")),
        }
    }
    let hours = passed.as_secs() / 3_600;
    println!("{count} seeds from {first}: {hours} h of the herd's time, {events} events");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_seed_is_the_same_course_of_events_each_time() {
    for seed in 1..=4 {
        let [one, other] = [run(seed), run(seed)].map(|run| run.map(|run| run.trace));
        assert_eq!(one, other, "seed {seed}");
        assert_ne!(one.ok(), run(seed + 1).ok().map(|run| run.trace));
    }
}
