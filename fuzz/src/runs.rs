//! Runs of one target.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::time::Instant;

use crate::Target;
use crate::chance::Chance;
use crate::corpus::corpus;
use crate::mutation::mutated;

/// Inputs that a long run goes on from, beside the corpus.
const MADE_KEPT_MAX: usize = 256;

/// Of so many inputs that a long run makes, it keeps one.
const KEPT_OF: usize = 4;

/// Gives a target its corpus, then `runs` changed inputs, the same every time.
///
/// # Panics
/// If the target does, with the input as a text that a test can hold.
pub fn short_run(target: &Target, runs: u32) {
    let inputs = corpus(target.name);
    for input in &inputs {
        attempt(target, input);
    }
    let seed = target.name.bytes().fold(7_u64, |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let mut chance = Chance::new(seed);
    for _ in 0..runs {
        attempt(target, &mutated(&inputs, &mut chance));
    }
}

/// Gives a target changed inputs for so long, others for each seed, and changes those further. Returns how many.
///
/// # Panics
/// As [`short_run`].
pub fn long_run(target: &Target, time: Duration, seed: u64) -> u64 {
    let mut inputs = corpus(target.name);
    let from_corpus = inputs.len();
    let mut chance = Chance::new(seed);
    let started = Instant::now();
    let mut runs = 0;
    while started.elapsed() < time {
        let input = mutated(&inputs, &mut chance);
        attempt(target, &input);
        runs += 1;
        if chance.below(KEPT_OF) == 0 {
            if inputs.len() < from_corpus + MADE_KEPT_MAX {
                inputs.push(input);
            } else {
                let replaced = from_corpus + chance.below(MADE_KEPT_MAX);
                inputs[replaced] = input;
            }
        }
    }
    runs
}

fn attempt(target: &Target, input: &[u8]) {
    let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    if ran.is_err() {
        panic!("{} failed for b\"{}\"", target.name, input.escape_ascii());
    }
}
