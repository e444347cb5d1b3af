//! What goes wrong in a simulated herd, and when: each kind a file, with a function that draws it and its end.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

mod clock;
mod crash_loop;
mod drift;
mod flood;
mod garbling;
mod hanging_disk;
mod incarnations;
mod liar;
mod link;
mod pause;
mod process;
mod slow_disk;
mod topology;
mod upgrade;

use super::herd::{Report, ReportTime};

pub(super) use drift::draw as drift;
pub(super) use flood::flood;
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
    /// A wall clock gains so many thousandths of the time from now on, or loses them.
    Drift { server: Position, gains: i64 },
    /// A server's process stands still.
    Pause(Position),
    /// It goes on.
    Resume(Position),
    /// A server says of itself and others what is not so.
    Lie(Position),
    /// It is honest again.
    BeHonest(Position),
    /// Groups are garbled on their way.
    Garble { from: Position, to: Position },
    /// They are not any more.
    PassWhole { from: Position, to: Position },
    /// Everything reaches a server so late.
    Delay { server: Position, time: Duration },
    /// After its next start a server's disk does not answer for so long.
    Hang { server: Position, time: Duration },
    /// It answers, if that process still runs.
    Answer { server: Position, life: u64 },
    /// A sync of a server's disk takes so long.
    Slow { server: Position, time: Duration },
    /// The gossip of a server is replaced: another incarnation begins.
    BeginAnew(Position),
    /// A server starts anew with the later group format.
    Upgrade(Position),
    /// There is another topology, for servers that are changed from now on.
    Topology(usize),
    /// A server takes it.
    Change(Position),
}

/// In which herd faults are drawn, and for how long they last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) servers: usize,
    pub(super) links: &'a [(Position, Position)],
    pub(super) longest: Duration,
    /// Records expire.
    pub(super) expires: bool,
}

impl Frame<'_> {
    fn time(&self, rng: &mut SmallRng) -> Duration {
        self.longest.mul_f64(rng.random())
    }

    /// The time in a report that is not old, by the number of the report.
    fn present(&self, number: u32) -> ReportTime {
        match self.expires {
            true => ReportTime::Ago(0),
            false => ReportTime::Second(6 + number),
        }
    }

    fn server(&self, rng: &mut SmallRng) -> Position {
        rng.random_range(0..self.servers)
    }
}

/// A fault of one kind, with the times from its beginning.
#[derive(Debug)]
pub(super) struct Drawn {
    /// The name of the kind's file.
    pub(super) kind: &'static str,
    /// Its beginning and its end.
    pub(super) faults: Vec<(Duration, Fault)>,
    /// What clients report meanwhile.
    pub(super) reports: Vec<(Duration, Report)>,
}

/// Draws a fault of some kind. `crashes` says whether processes may end.
pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>, crashes: bool) -> Drawn {
    let mut reports = Vec::new();
    let (kind, faults) = match rng.random_range(0..100) {
        0..20 if crashes => ("process", process::draw(rng, frame)),
        20..25 if crashes => ("crash_loop", crash_loop::draw(rng, frame, &mut reports)),
        25..31 if crashes => ("hanging_disk", hanging_disk::draw(rng, frame)),
        31..37 if crashes => ("topology", topology::draw(rng, frame)),
        37..42 if crashes => ("upgrade", upgrade::draw(rng, frame)),
        42..48 => ("slow_disk", slow_disk::draw(rng, frame, crashes)),
        48..56 => ("clock", clock::draw(rng, frame)),
        56..60 => ("drift", drift::draw(rng, frame)),
        60..67 => ("pause", pause::draw(rng, frame)),
        67..74 => ("liar", liar::draw(rng, frame)),
        74..79 => ("garbling", garbling::draw(rng, frame)),
        79..85 => ("incarnations", incarnations::draw(rng, frame)),
        _ => ("link", link::draw(rng, frame)),
    };
    Drawn {
        kind,
        faults,
        reports,
    }
}
