//! The topology is changed, server by server: links go and come, and a server joins or leaves.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame};

use super::super::topology::{NAMES, TOPOLOGIES};

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let topology = rng.random_range(0..TOPOLOGIES.len());
    let mut faults = vec![(Duration::ZERO, Fault::Topology(topology))];
    for server in 0..NAMES.len() {
        let at = frame.time(rng);
        faults.push((at, Fault::Change(server)));
    }
    faults
}
