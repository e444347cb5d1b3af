//! What goes wrong in a simulated herd, and when: each kind a file, with a function that draws it and its end.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

mod clock;
mod crash_loop;
mod liar;
mod link;
mod pause;
mod process;

pub(super) use liar::lie;

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
    /// The wall clock of a server is ahead by so much, or behind.
    Clock { server: Position, ahead_ms: i64 },
    /// A server's process stands still.
    Pause(Position),
    /// It goes on.
    Resume(Position),
    /// A server says of itself and others what is not so.
    Lie(Position),
    /// It is honest again.
    BeHonest(Position),
}

/// In which herd faults are drawn, and for how long they last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) servers: usize,
    pub(super) links: &'a [(Position, Position)],
    pub(super) longest: Duration,
}

impl Frame<'_> {
    fn time(&self, rng: &mut SmallRng) -> Duration {
        self.longest.mul_f64(rng.random())
    }

    fn server(&self, rng: &mut SmallRng) -> Position {
        rng.random_range(0..self.servers)
    }
}

/// A fault and its end, with the times from its beginning. `crashes` says whether processes may end.
pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>, crashes: bool) -> Vec<(Duration, Fault)> {
    match rng.random_range(0..100) {
        0..40 if crashes => process::draw(rng, frame),
        40..45 if crashes => crash_loop::draw(rng, frame),
        45..55 => clock::draw(rng, frame),
        55..65 => pause::draw(rng, frame),
        65..70 => liar::draw(rng, frame),
        _ => link::draw(rng, frame),
    }
}
