//! Many seeds, on all cores.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::checkers::watches::all_words_are_told;
use super::marks::every_mark_was_reached;
use super::run::{Outcome, run};
use super::scenario::Scenario;
use super::trace::Trace;
use super::watchers::Heard;

/// The first seed, in place of [`FIRST_SEED`].
const SEED_VARIABLE: &str = "HERD_SIM_SEED";
/// How many seeds, in place of [`SEEDS`].
const SEEDS_VARIABLE: &str = "HERD_SIM_SEEDS";

const FIRST_SEED: u64 = 1;

/// As many as every run of the tests has time for.
const SEEDS: u64 = 240;

/// Runs one seed on a runtime of its own.
pub(super) fn run_seed(seed: u64) -> Result<Outcome, String> {
    let run = async |scenario: &Scenario| run(scenario, &Trace::default()).await;
    on_paused_time(run(&Scenario::of(seed))).map_err(|found| format!("seed {seed}: {found}"))
}

/// Runs this to its end, on a runtime whose time is paused.
pub(super) fn on_paused_time<T>(simulation: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(simulation)
}

/// A number from the environment.
pub(super) fn variable(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}

/// Runs all seeds from `first`, on as many threads as there are cores. The first failures come first.
pub(super) fn run_seeds(first: u64, count: u64) -> (Vec<Outcome>, Vec<(u64, String)>) {
    let next = AtomicU64::new(first);
    let results = Mutex::new((Vec::new(), Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed - first >= count {
                        return;
                    }
                    let result = run_seed(seed);
                    let mut results = results.lock();
                    match result {
                        Ok(outcome) => results.0.push(outcome),
                        Err(found) => results.1.push((seed, found)),
                    }
                }
            });
        }
    });
    results.into_inner()
}

#[test]
fn no_seed_breaks_a_promise() {
    let first = variable(SEED_VARIABLE, FIRST_SEED);
    let count = variable(SEEDS_VARIABLE, SEEDS);
    let (outcomes, failures) = run_seeds(first, count);
    let passed: Duration = outcomes.iter().map(|outcome| outcome.passed).sum();
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
    println!(
        "{} seeds from {first}: {} h of the herd's time, {} reports acknowledged and {} not, {} of them outlived a \
         process or a disk",
        outcomes.len(),
        passed.as_secs() / 3_600,
        sum(|outcome| outcome.acked),
        sum(|outcome| outcome.unacknowledged),
        sum(|outcome| outcome.outlived),
    );
    let mut heard = Heard::default();
    outcomes
        .iter()
        .for_each(|outcome| heard.add(&outcome.heard));
    println!("watchers: {heard:?}");
    if let [(seed, _), ..] = failures.as_slice() {
        let found: Vec<&str> = failures.iter().map(|(_, found)| found.as_str()).collect();
        panic!(
            "{}\n{} of {count} seeds failed:\n{}\nthis one again: {SEED_VARIABLE}={seed} {SEEDS_VARIABLE}=1 \
             cargo test -p herd-replication --test simulation no_seed",
            Scenario::of(*seed),
            failures.len(),
            found.join("\n")
        );
    }
    assert_eq!(outcomes.len() as u64, count);
    if count >= SEEDS {
        every_mark_was_reached();
        assert_eq!(all_words_are_told(&heard.lines), Ok(()));
        assert!(heard.too_slow > 0, "{heard:?}");
    }
}

/// The checker of watches has something to find.
#[test]
fn a_lost_notification_of_a_watcher_is_found() {
    let is_found = |seed: &u64| {
        let scenario = Scenario {
            loses_notification: true,
            ..Scenario::of(*seed)
        };
        let found = on_paused_time(run(&scenario, &Trace::default()));
        found.is_err_and(|found| found.contains("a watcher of "))
    };
    // The others are told of a later change of the same client.
    let found: Vec<u64> = (1..=8).filter(is_found).collect();
    println!("{found:?}");
    assert!(found.len() >= 2, "{found:?}");
}
