//! A server's gossip is replaced again and again: its process lives, and takes many incarnations.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame};

/// So many in a row: more than gossip knows of one server.
const INCARNATIONS: u32 = 80;

/// From one to the next.
const LIFE_MS: std::ops::Range<u64> = 100..1_000;

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let server = frame.server(rng);
    let mut at = Duration::ZERO;
    let faults = (0..INCARNATIONS).map(|_| {
        at += Duration::from_millis(rng.random_range(LIFE_MS));
        (at, Fault::BeginAnew(server))
    });
    faults.collect()
}
