//! A server is upgraded to a version that writes groups which the others cannot read yet; one that restarts later is
//! upgraded too.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Fault, Frame};

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let servers = rng.random_range(1..=frame.servers);
    let upgrades = (0..servers).map(|_| {
        let server = frame.server(rng);
        (frame.time(rng), Fault::Upgrade(server))
    });
    upgrades.collect()
}
