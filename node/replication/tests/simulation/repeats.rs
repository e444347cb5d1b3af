//! A seed that is run again gives the same trace.

use super::run::{Outcome, run};
use super::scenario::Scenario;
use super::seeds::{on_paused_time, variable};
use super::trace::{Trace, compare};
use super::watchers::Heard;

/// How many seeds are run twice, in place of [`SEEDS`].
const SEEDS_VARIABLE: &str = "HERD_SIM_REPEATED_SEEDS";
/// The first of them.
const SEED_VARIABLE: &str = "HERD_SIM_SEED";

const SEEDS: u64 = 16;

/// On a thread of its own: hash maps are seeded by the thread.
fn trace_of(seed: u64) -> std::thread::JoinHandle<Vec<String>> {
    std::thread::spawn(move || {
        on_paused_time(async {
            let trace = Trace::begin();
            let outcome = run(&Scenario::of(seed), &trace).await;
            // As with the bytes of frames. In which order marks are read is drawn too.
            let outcome = outcome.map(|outcome| Outcome {
                bytes: 0,
                heard: Heard::default(),
                ..outcome
            });
            trace.add(|| format!("{outcome:?}"));
            trace.lines()
        })
    })
}

#[test]
fn a_seed_gives_the_same_trace_again() {
    let first = variable(SEED_VARIABLE, 1);
    let mut differing = Vec::new();
    for seed in first..first + variable(SEEDS_VARIABLE, SEEDS) {
        let [one, other] = [trace_of(seed), trace_of(seed)].map(|run| run.join().unwrap());
        assert!(one.len() > 100, "seed {seed}: {} lines", one.len());
        if let Err(found) = compare(&one, &other) {
            differing.push(format!("seed {seed}: {found}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
