//! What goes wrong in a simulated herd, and when.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

/// A server, by its position in the herd.
pub(super) type Position = usize;

/// One thing that goes wrong, or is mended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// A server's process ends without warning.
    Crash(Position),
    /// A server that is down starts.
    Start(Position),
    /// A link ends, and none is made.
    Cut { from: Position, to: Position },
    /// Nothing arrives in one direction, and nobody is told.
    Silence { from: Position, to: Position },
    /// All is well again between two neighbours.
    Join { from: Position, to: Position },
}

/// A fault of a link, and its end.
pub(super) fn of_link(
    rng: &mut SmallRng,
    links: &[(Position, Position)],
    longest: Duration,
) -> (Fault, Fault, Duration) {
    let (a, b) = links[rng.random_range(0..links.len())];
    let (from, to) = if rng.random() { (a, b) } else { (b, a) };
    let fault = match rng.random() {
        true => Fault::Cut { from, to },
        false => Fault::Silence { from, to },
    };
    let time = longest.mul_f64(rng.random());
    (fault, Fault::Join { from, to }, time)
}

/// A crash of a server, and its restart.
pub(super) fn of_server(
    rng: &mut SmallRng,
    servers: usize,
    longest: Duration,
) -> (Fault, Fault, Duration) {
    let server = rng.random_range(0..servers);
    let time = longest.mul_f64(rng.random());
    (Fault::Crash(server), Fault::Start(server), time)
}
