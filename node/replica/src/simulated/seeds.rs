//! Seeds: herds under faults that have to settle, each the same way each time.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::checks::copies::the_superseded_are_forgotten;
use super::checks::expiry::nothing_stays;
use super::checks::settled::is_settled;
use super::checks::survival::{no_acknowledged_report_is_lost, nothing_is_lost};
use super::erasing::forget_some;
use super::faults::{Drawn, Frame, draw, drift, flood};
use super::herd::{Herd, Report, ReportTime};
use super::server::Settings;
use super::topology::{LEAVER, TOPOLOGIES};
use herd_expiry::floor_clock::FIRST_CLOCKS_WAIT;
use herd_locations::Said;

/// The first seed, in place of 1.
const SEED_VARIABLE: &str = "HERD_REPLICA_SEED";
/// How many seeds, in place of [`SEEDS`].
const SEEDS_VARIABLE: &str = "HERD_REPLICA_SEEDS";

/// Prints what befalls each herd.
const LOG_VARIABLE: &str = "HERD_REPLICA_LOG";

/// Kinds of faults that are left out, with commas between them: the names of files in `faults`, `cut_deltas`, and
/// `expiry`. All else stays as it is, so what a kind alone shows comes to light.
const WITHOUT_VARIABLE: &str = "HERD_REPLICA_WITHOUT";

/// As many as every run of the tests has time for.
const SEEDS: u64 = 32;

/// In one of so many seeds faults last long enough for burials.
const LONG_SEEDS: u64 = 8;

/// In one of so many seeds clients report more to one server than its neighbours take in.
const FLOOD_SEEDS: u32 = 4;

/// A healed herd is left alone for this long: longer than it takes to count as gone.
const QUIET_MIN: Duration = Duration::from_secs(12);

/// From then on, what cannot come back is forgotten after this: it counts as gone, is buried, and waits to be forgotten
/// with others.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);

/// A healed herd has to be as it should after this: orphans that turn up late wait a minute, and each rank two seconds.
const QUIET_MAX: Duration = Duration::from_secs(180);

/// The same where a server went through a crowd of incarnations. A server that has forgotten some of them is offered these
/// by a neighbour that has not, before everything else: they fill the deltas until the neighbour has buried them, which
/// takes 15 minutes if the server of that name does not come back.
const QUIET_AFTER_A_CROWD_MAX: Duration = Duration::from_secs(20 * 60);

struct Outcome {
    trace: u64,
    events: u64,
    passed: Duration,
    /// How many lines watchers heard, by their first words.
    lines: BTreeMap<&'static str, usize>,
}

/// All that a seed decides before anything happens.
struct Plan {
    settings: Settings,
    is_long: bool,
    /// Processes may end.
    crashes: bool,
    /// How long faults come, and how long each lasts at most.
    episode: Duration,
    longest: Duration,
}

impl Plan {
    fn draw(rng: &mut SmallRng, seed: u64) -> Self {
        let has_disks = rng.random();
        let is_long = seed.is_multiple_of(LONG_SEEDS);
        let (episode, longest, expiry) = match is_long {
            true => (3_600, 1_800, 1_200),
            false => (60, 25, 20),
        };
        let expires = rng.random_range(0..4) == 0 && !is_left_out("expiry");
        let values_max = [usize::MAX, usize::MAX, 4, 1][rng.random_range(0..4)];
        let crashes = rng.random();
        let values_max = match is_left_out("cut_deltas") {
            true => usize::MAX,
            false => values_max,
        };
        Plan {
            settings: Settings {
                has_disks,
                crashes,
                values_max,
                expire_after: expires.then(|| Duration::from_secs(expiry)),
            },
            is_long,
            crashes,
            episode: Duration::from_secs(episode),
            longest: Duration::from_secs(longest),
        }
    }

    /// The time in a report: where records expire, some have expired.
    fn time(&self, rng: &mut SmallRng) -> ReportTime {
        match self.settings.expire_after {
            Some(after) => {
                let seconds = i64::try_from(after.as_secs()).unwrap_or(0);
                ReportTime::Ago(rng.random_range(0..seconds + seconds / 5))
            }
            None => ReportTime::Second(rng.random_range(0..6)),
        }
    }

    fn frame(&self) -> Frame<'static> {
        Frame {
            servers: TOPOLOGIES[0].servers.len(),
            links: TOPOLOGIES[0].links,
            longest: self.longest,
            expires: self.settings.expire_after.is_some(),
        }
    }

    /// What goes wrong.
    fn set_faults(&self, rng: &mut SmallRng, herd: &mut Herd) {
        herd.set_weather(rng.random_range(0.0..0.1), rng.random_range(0.0..0.2));
        if self.settings.expire_after.is_some() {
            let drift = Drawn {
                kind: "drift",
                faults: drift(rng, self.frame()),
                reports: Vec::new(),
            };
            befall(herd, Duration::ZERO, drift);
        }
        for _ in 0..rng.random_range(0..12) {
            let at = self.episode.mul_f64(rng.random());
            befall(herd, at, draw(rng, self.frame(), self.crashes));
        }
    }

    /// What clients report: some now and then, and in some seeds many at one server.
    fn set_reports(&self, rng: &mut SmallRng, herd: &mut Herd) {
        let clients = rng.random_range(1..20);
        for _ in 0..rng.random_range(1..150) {
            let report = Report {
                server: rng.random_range(0..TOPOLOGIES[0].servers.len()),
                client: rng.random_range(0..clients),
                time: self.time(rng),
                zeros: rng.random_range(0..3),
                latitude: rng.random_range(-4..=4),
                forgets: rng.random_bool(0.2),
                received_ns: rng.random_range(0..3),
            };
            herd.report_after(self.episode.mul_f64(rng.random()), report);
        }
        if rng.random_range(0..FLOOD_SEEDS) == 0 {
            let server = rng.random_range(0..TOPOLOGIES[0].servers.len());
            let neighbours = TOPOLOGIES[0].neighbours_at(server);
            let at = self.episode.mul_f64(rng.random());
            befall(herd, at, flood(rng, server, &neighbours, self.frame()));
        }
    }
}

/// Lets this happen, from then on, unless its kind is left out.
fn befall(herd: &mut Herd, at: Duration, drawn: Drawn) {
    if is_left_out(drawn.kind) {
        return;
    }
    for (time, fault) in drawn.faults {
        herd.fault_after(at + time, fault);
    }
    for (time, report) in drawn.reports {
        herd.report_after(at + time, report);
    }
}

fn is_left_out(kind: &str) -> bool {
    let kinds = std::env::var(WITHOUT_VARIABLE).unwrap_or_default();
    kinds.split(',').any(|one| one == kind)
}

/// Runs a seed. What it finds comes with all that befell the herd.
fn run(seed: u64) -> Result<Outcome, String> {
    run_with(seed, false)
}

/// The same; perhaps one notification of a watcher is lost, which has to be found.
fn run_with(seed: u64, loses_notification: bool) -> Result<Outcome, String> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let plan = Plan::draw(&mut rng, seed);
    let mut herd = Herd::new(seed, plan.settings);
    herd.run(Duration::from_secs(2));
    herd.watchers.loses_one = loses_notification;
    plan.set_faults(&mut rng, &mut herd);
    plan.set_reports(&mut rng, &mut herd);
    herd.run(plan.episode);
    let outcome = end(&plan, &mut rng, &mut herd);
    let befallen = herd.befallen.iter();
    let befallen = befallen.map(|(at, fault)| format!("  {at:?} {fault:?}"));
    let befallen: Vec<_> = befallen.collect();
    let befallen = format!("  {:?}\n{}", plan.settings, befallen.join("\n"));
    if std::env::var_os(LOG_VARIABLE).is_some() {
        println!("seed {seed}, {} events:\n{befallen}", herd.events);
    }
    outcome.map_err(|found| format!("{found}\n{befallen}"))
}

/// Heals the herd, and asks all that must be true of it then.
fn end(plan: &Plan, rng: &mut SmallRng, herd: &mut Herd) -> Result<Outcome, String> {
    let is_one_gone = plan.crashes && rng.random();
    let gone = is_one_gone.then(|| rng.random_range(0..TOPOLOGIES[0].servers.len()));
    // Not if it leaves another alone for good.
    let gone = gone.filter(|&gone| !TOPOLOGIES[herd.topology].needs(gone));
    herd.heal(gone);
    let mut passed = plan.episode + settle(herd)?;
    herd.watchers.quiet(&herd.servers)?;
    let disks_are_back = plan.settings.has_disks && gone.is_none();
    if herd.keeps_all && (!plan.crashes || disks_are_back) {
        nothing_is_lost(herd)?;
    }
    if disks_are_back && herd.topology != LEAVER {
        no_acknowledged_report_is_lost(herd)?;
    }
    passed += forget_some(herd, herd.clock.seed)?;
    if plan.is_long {
        herd.run(FORGOTTEN_AFTER);
        passed += FORGOTTEN_AFTER;
        let mut servers = herd.servers.iter().flatten();
        servers.try_for_each(the_superseded_are_forgotten)?;
    }
    if let Some(after) = plan.settings.expire_after {
        let quiet = 2 * after + FIRST_CLOCKS_WAIT;
        herd.run(quiet);
        passed += quiet;
        let mut servers = herd.servers.iter().flatten();
        servers.try_for_each(|server| nothing_stays(server.map.len()))?;
        herd.watchers.quiet(&herd.servers)?;
    }
    if let Some(found) = herd.found.first() {
        return Err(found.clone());
    }
    herd.watchers.leave();
    Ok(Outcome {
        lines: std::mem::take(&mut herd.watchers.lines),
        trace: herd.trace(),
        events: herd.events,
        passed,
    })
}

/// Waits until a healed herd is as it should be; says how long that took.
fn settle(herd: &mut Herd) -> Result<Duration, String> {
    let mut quiet = Duration::ZERO;
    let quiet_max = match herd.generations.has_crowd() {
        true => QUIET_AFTER_A_CROWD_MAX,
        false => QUIET_MAX,
    };
    loop {
        let step = Duration::from_secs(4);
        herd.run(step);
        quiet += step;
        match is_settled(herd) {
            Ok(()) if quiet > QUIET_MIN => return Ok(quiet),
            Err(found) if quiet > quiet_max => return Err(found),
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
    let mut lines = BTreeMap::<_, usize>::new();
    let mut failures = Vec::new();
    for seed in first..first + count {
        match run(seed) {
            Ok(outcome) => {
                events += outcome.events;
                passed += outcome.passed;
                for (word, count) in outcome.lines {
                    *lines.entry(word).or_default() += count;
                }
            }
            Err(found) => failures.push(format!("seed {seed}: {found}")),
        }
    }
    let hours = passed.as_secs() / 3_600;
    println!("{count} seeds from {first}: {hours} h of the herd's time, {events} events");
    println!("watchers: {lines:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let is_told = |word: &&str| lines.contains_key(word);
    assert!(
        count < SEEDS || Said::WORDS.iter().all(is_told),
        "{lines:?}"
    );
}

#[test]
fn a_lost_notification_of_a_watcher_is_found() {
    let is_found = |seed: &u64| {
        let found = run_with(*seed, true).err();
        found.is_some_and(|found| found.contains("a watcher of "))
    };
    // The others are told of a later change of the same client.
    let found: Vec<u64> = (1..=7).filter(is_found).collect();
    println!("{found:?}");
    assert!(found.len() >= 2, "{found:?}");
}

#[test]
fn a_seed_is_the_same_course_of_events_each_time() {
    for seed in 1..=4 {
        let [one, other] = [run(seed), run(seed)].map(|run| run.map(|run| run.trace));
        assert_eq!(one, other, "seed {seed}");
        assert_ne!(one.ok(), run(seed + 1).ok().map(|run| run.trace));
    }
}
