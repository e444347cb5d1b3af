//! What goes wrong, and when. Each fault comes with its end, or lasts until the herd is healed at the end of
//! the episode.

use std::time::Duration;

use herd_storage::{CommitFault, Crash};
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::operation::{Cut, DiskFault, Operation, Position, Timed};
use super::scenario::Shape;

/// The least time that a cut lasts, and the longest.
const CUT_MS: std::ops::Range<u64> = 300..20_000;

/// How long a server stays down.
const DOWN_MS: std::ops::Range<u64> = 50..18_000;

/// How long a disk stalls.
const STALL_MS: std::ops::Range<u64> = 50..4_000;

/// The faults of one episode.
pub(super) fn faults(
    rng: &mut StdRng,
    shape: Shape,
    has_disks: bool,
    length: Duration,
) -> Vec<Timed> {
    let mut injector = Injector {
        shape,
        has_disks,
        down_until: vec![Duration::ZERO; shape.names.len()],
        cut_until: vec![Duration::ZERO; shape.links.len()],
        script: Vec::new(),
    };
    let mean_gap_ms = rng.random_range(600..6_000);
    let mut at = Duration::ZERO;
    loop {
        at += Duration::from_millis(rng.random_range(0..2 * mean_gap_ms));
        if at >= length {
            return injector.script;
        }
        injector.one(rng, at);
    }
}

struct Injector {
    shape: Shape,
    has_disks: bool,
    /// A server is down until then.
    down_until: Vec<Duration>,
    /// Something is wrong with a link until then.
    cut_until: Vec<Duration>,
    script: Vec<Timed>,
}

impl Injector {
    fn one(&mut self, rng: &mut StdRng, at: Duration) {
        let server = rng.random_range(0..self.shape.names.len());
        match rng.random_range(0..100) {
            0..26 => {
                let link = rng.random_range(0..self.shape.links.len());
                self.cut(rng, at, link);
            }
            26..36 => self.part(rng, at),
            36..62 => {
                let crash = self.crash(rng);
                let down = duration(rng, DOWN_MS);
                self.down(at, server, Operation::Crash { server, crash }, down);
            }
            62..66 => self.blackout(rng, at),
            66..76 => {
                let down = duration(rng, DOWN_MS);
                self.down(at, server, Operation::Stop { server }, down);
            }
            76..86 => {
                let ahead_s = match rng.random_range(0..4) {
                    0 => 0,
                    1 => rng.random_range(-20..20),
                    _ => rng.random_range(-20_000..20_000),
                };
                self.push(at, Operation::SetClock { server, ahead_s });
            }
            86..96 if self.has_disks => {
                let for_ms = rng.random_range(STALL_MS);
                self.push(at, Operation::Stall { server, for_ms });
            }
            96..100 if self.has_disks => {
                let fault = match rng.random_range(0..3) {
                    0 => DiskFault::Sync,
                    1 => DiskFault::Commit(CommitFault::Full),
                    _ => DiskFault::Commit(CommitFault::Io),
                };
                self.push(at, Operation::FailDisk { server, fault });
            }
            _ => {}
        }
    }

    fn push(&mut self, at: Duration, operation: Operation) {
        self.script.push(Timed { at, operation });
    }

    /// Cuts a link that is whole, for a while.
    fn cut(&mut self, rng: &mut StdRng, at: Duration, link: usize) {
        let cut = match rng.random_range(0..3) {
            0 => Cut::Off,
            1 => Cut::Silent,
            _ => Cut::SilentOneWay,
        };
        let until = at + duration(rng, CUT_MS);
        self.cut_until_then(rng, at, link, cut, until);
    }

    fn cut_until_then(
        &mut self,
        rng: &mut StdRng,
        at: Duration,
        link: usize,
        cut: Cut,
        until: Duration,
    ) {
        if self.cut_until[link] >= at {
            return;
        }
        self.cut_until[link] = until;
        let (a, b) = self.shape.links[link];
        let (from, to) = if rng.random_bool(0.5) { (a, b) } else { (b, a) };
        self.push(at, Operation::Cut { from, to, cut });
        self.push(until, Operation::Join { from, to });
    }

    /// Parts the servers into two sides that do not hear of each other.
    fn part(&mut self, rng: &mut StdRng, at: Duration) {
        let side: Vec<bool> = self.shape.names.iter().map(|_| rng.random()).collect();
        let cut = if rng.random() { Cut::Off } else { Cut::Silent };
        let until = at + duration(rng, CUT_MS);
        for link in 0..self.shape.links.len() {
            let (a, b) = self.shape.links[link];
            if side[a] != side[b] {
                self.cut_until_then(rng, at, link, cut, until);
            }
        }
    }

    /// Ends a server that is up, and starts it again after a while.
    fn down(&mut self, at: Duration, server: Position, end: Operation, down: Duration) {
        if self.down_until[server] >= at {
            return;
        }
        self.down_until[server] = at + down;
        self.push(at, end);
        self.push(at + down, Operation::Start { server });
    }

    fn crash(&self, rng: &mut StdRng) -> Crash {
        let seed = rng.random();
        match rng.random_range(0..100) {
            0..35 => Crash::Process,
            35..60 => Crash::Tear { seed },
            60..85 => Crash::Reorder { seed },
            _ => Crash::Wipe,
        }
    }

    /// All machines lose power at once; their disks live.
    fn blackout(&mut self, rng: &mut StdRng, at: Duration) {
        for server in 0..self.shape.names.len() {
            let seed = rng.random();
            let crash = if rng.random() {
                Crash::Tear { seed }
            } else {
                Crash::Reorder { seed }
            };
            let down = duration(rng, DOWN_MS);
            self.down(at, server, Operation::Crash { server, crash }, down);
        }
    }
}

fn duration(rng: &mut StdRng, ms: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.random_range(ms))
}
