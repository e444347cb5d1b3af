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

/// A long run keeps one of this number of its inputs.
const KEPT_OF: usize = 4;

/// The maximal number of successive variations of an input of the corpus. Most changes make an input shorter or less
/// like the format of the target, so without this limit a run would soon be far from the corpus.
const GENERATIONS_MAX: u32 = 6;

/// An input of a long run, and the number of variations since the corpus.
struct Made {
    input: Vec<u8>,
    generation: u32,
}

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
        let start = one_of(&inputs, &mut chance);
        attempt(target, &mutated(start, &inputs, &mut chance));
    }
}

/// Gives a target changed inputs for the given time, others for each seed: half of them from the corpus, half from
/// its own earlier inputs. Returns their number.
///
/// # Panics
/// As [`short_run`].
pub fn long_run(target: &Target, time: Duration, seed: u64) -> u64 {
    let inputs = corpus(target.name);
    let mut made: Vec<Made> = Vec::new();
    let mut chance = Chance::new(seed);
    let started = Instant::now();
    let mut runs = 0;
    while started.elapsed() < time {
        let from = match chance.below(2) {
            0 => made.get(chance.below(made.len())),
            _ => None,
        };
        let (start, generation) = match from {
            Some(made) => (made.input.as_slice(), made.generation + 1),
            None => (one_of(&inputs, &mut chance), 1),
        };
        let input = mutated(start, &inputs, &mut chance);
        attempt(target, &input);
        runs += 1;
        if generation < GENERATIONS_MAX && chance.below(KEPT_OF) == 0 {
            let made_now = Made { input, generation };
            if made.len() < MADE_KEPT_MAX {
                made.push(made_now);
            } else {
                made[chance.below(MADE_KEPT_MAX)] = made_now;
            }
        }
    }
    runs
}

/// One of the inputs by chance; an empty one if there is none.
fn one_of<'a>(inputs: &'a [Vec<u8>], chance: &mut Chance) -> &'a [u8] {
    let input = inputs.get(chance.below(inputs.len()));
    input.map_or(&[], Vec::as_slice)
}

fn attempt(target: &Target, input: &[u8]) {
    let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    if ran.is_err() {
        panic!("{} failed for b\"{}\"", target.name, input.escape_ascii());
    }
}
