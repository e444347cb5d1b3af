//! Which faults a history has, drawn before it begins. Each comes with its end.

use std::ops::Range;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::scenario::Shape;
use super::{Cut, Fault, Means, ServerIndex, TimedFault};

/// How long a server stays down.
const DOWN_MS: Range<u64> = 50..4_000;

/// And sometimes: longer than a publisher may be away before others adopt its records.
const LONG_DOWN_MS: Range<u64> = 11_000..17_000;

/// How long a server stands still.
const PAUSE_MS: Range<u64> = 200..6_000;

/// How long a link is cut.
const CUT_MS: Range<u64> = 300..8_000;

/// How long a disk does not answer.
const FREEZE_MS: Range<u64> = 300..5_000;

/// How long a disk is full.
const FULL_MS: Range<u64> = 1_000..5_000;

/// Between two faults, on average at least and at most.
const GAP_MS: Range<u64> = 300..1_500;

/// How far a wall clock jumps, in seconds.
const JUMP_S: Range<i64> = -10_000..10_000;

/// The faults of one history of this length.
pub(super) fn faults(rng: &mut StdRng, shape: Shape, length: Duration) -> Vec<TimedFault> {
    let mut nemesis = Nemesis {
        shape,
        length,
        busy_until: vec![Duration::ZERO; shape.names.len()],
        cut_until: vec![Duration::ZERO; shape.links.len()],
        script: Vec::new(),
    };
    let gap_ms = rng.random_range(GAP_MS);
    // First there has to be something that can be lost.
    let mut at = Duration::from_millis(gap_ms);
    while at < length {
        nemesis.one(rng, at);
        at += Duration::from_millis(rng.random_range(0..2 * gap_ms));
    }
    let mut script = nemesis.script;
    script.sort_by_key(|timed| timed.at);
    if rng.random_bool(0.5) {
        at_the_end(rng, shape, length, &mut script);
    }
    script
}

/// All end at once at the height of it, and one may lose its disk.
fn at_the_end(rng: &mut StdRng, shape: Shape, length: Duration, script: &mut Vec<TimedFault>) {
    let servers = shape.names.len();
    let loses_power = rng.random_bool(0.3);
    let wiped = rng
        .random_bool(0.4)
        .then(|| Fault::Wipe(rng.random_range(0..servers)));
    let ends = (0..servers).map(|server| match loses_power {
        true => Fault::LosePower(server),
        false => Fault::Kill(server),
    });
    let starts = (0..servers).map(Fault::Start);
    let at = length;
    script.extend(
        ends.chain(wiped)
            .chain(starts)
            .map(|fault| TimedFault { at, fault }),
    );
}

/// Replaces faults that this machine does not support: a loss of power becomes a kill.
pub(super) fn possible(script: Vec<TimedFault>, means: Means, has_disks: bool) -> Vec<TimedFault> {
    let own_disks = means.own_disks && has_disks;
    let possible = |timed: TimedFault| {
        let fault = match timed.fault {
            Fault::LosePower(server) if !own_disks => Fault::Kill(server),
            Fault::StartFrozen(server) if !own_disks => Fault::Start(server),
            fault if fault.needs_own_disk() && !own_disks => return None,
            Fault::SetClock(..) if !means.clocks => return None,
            Fault::Wipe(_) if !has_disks => return None,
            fault => fault,
        };
        Some(TimedFault { fault, ..timed })
    };
    script.into_iter().filter_map(possible).collect()
}

struct Nemesis {
    shape: Shape,
    length: Duration,
    /// Something is wrong with a server until then.
    busy_until: Vec<Duration>,
    /// Something is wrong with a link until then.
    cut_until: Vec<Duration>,
    script: Vec<TimedFault>,
}

impl Nemesis {
    fn one(&mut self, rng: &mut StdRng, at: Duration) {
        let server = rng.random_range(0..self.shape.names.len());
        let down = self.down(rng);
        match rng.random_range(0..100) {
            0..22 => self.end(at, server, Fault::Kill(server), None, down),
            22..30 => {
                let wipe = Some(Fault::Wipe(server));
                self.end(at, server, Fault::Kill(server), wipe, down);
            }
            30..40 => self.end(at, server, Fault::LosePower(server), None, down),
            40..50 => self.end(at, server, Fault::Stop(server), None, down),
            50..60 => {
                let time = duration(rng, PAUSE_MS);
                self.during(
                    at,
                    server,
                    Fault::Pause(server),
                    Fault::Resume(server),
                    time,
                );
            }
            60..72 => {
                let link = rng.random_range(0..self.shape.links.len());
                let cut = self.cut(rng);
                let until = at + duration(rng, CUT_MS);
                self.cut_until(at, link, cut, until);
            }
            72..78 => self.part(rng, at),
            78..83 => {
                let time = duration(rng, FREEZE_MS);
                let (freeze, thaw) = (Fault::FreezeDisk(server), Fault::ThawDisk(server));
                self.during(at, server, freeze, thaw, time);
            }
            83..86 => self.frozen_start(rng, at, server),
            86..89 => self.full(rng, at, server),
            89..95 => {
                let ahead_s = match rng.random_range(0..4) {
                    0 => 0,
                    1 => rng.random_range(-20..20),
                    _ => rng.random_range(JUMP_S),
                };
                self.push(at, Fault::SetClock(server, ahead_s));
            }
            _ => self.blackout(rng, at),
        }
    }

    fn down(&self, rng: &mut StdRng) -> Duration {
        let may_be_long = self.length > Duration::from_millis(2 * LONG_DOWN_MS.end);
        let is_long = rng.random_bool(0.1);
        duration(
            rng,
            if is_long && may_be_long {
                LONG_DOWN_MS
            } else {
                DOWN_MS
            },
        )
    }

    fn push(&mut self, at: Duration, fault: Fault) {
        self.script.push(TimedFault { at, fault });
    }

    /// Reserves a server for this time, if it has no other fault now and at the end of it. Returns whether it did.
    fn take(&mut self, at: Duration, server: ServerIndex, time: Duration) -> bool {
        let free = self.busy_until[server] < at && at + time < self.length;
        if free {
            self.busy_until[server] = at + time;
        }
        free
    }

    fn during(
        &mut self,
        at: Duration,
        server: ServerIndex,
        begin: Fault,
        end: Fault,
        time: Duration,
    ) {
        if self.take(at, server, time) {
            self.push(at, begin);
            self.push(at + time, end);
        }
    }

    /// Ends a process, and begins another after a while.
    fn end(
        &mut self,
        at: Duration,
        server: ServerIndex,
        end: Fault,
        then: Option<Fault>,
        down: Duration,
    ) {
        if self.take(at, server, down) {
            self.push(at, end);
            if let Some(then) = then {
                self.push(at, then);
            }
            self.push(at + down, Fault::Start(server));
        }
    }

    /// A server begins while its disk does not answer.
    fn frozen_start(&mut self, rng: &mut StdRng, at: Duration, server: ServerIndex) {
        let time = duration(rng, FREEZE_MS);
        if self.take(at, server, time) {
            self.push(at, Fault::Kill(server));
            self.push(at, Fault::FreezeDisk(server));
            self.push(at, Fault::StartFrozen(server));
            self.push(at + time, Fault::ThawDisk(server));
        }
    }

    /// A disk runs full; with room again, its server begins anew.
    fn full(&mut self, rng: &mut StdRng, at: Duration, server: ServerIndex) {
        let time = duration(rng, FULL_MS);
        if self.take(at, server, time) {
            self.push(at, Fault::FillDisk(server));
            self.push(at + time, Fault::EmptyDisk(server));
            self.push(at + time, Fault::Kill(server));
            self.push(at + time, Fault::Start(server));
        }
    }

    fn cut(&self, rng: &mut StdRng) -> Cut {
        match rng.random_range(0..4) {
            0 => Cut::Off,
            1 => Cut::Silent,
            2 => Cut::SilentForth,
            _ => Cut::SilentBack,
        }
    }

    /// Cuts a link that is whole.
    fn cut_until(&mut self, at: Duration, link: usize, cut: Cut, until: Duration) {
        if self.cut_until[link] >= at {
            return;
        }
        self.cut_until[link] = until;
        self.push(at, Fault::Cut(link, cut));
        self.push(until.min(self.length), Fault::Join(link));
    }

    /// Parts the servers into two sides that do not hear of each other.
    fn part(&mut self, rng: &mut StdRng, at: Duration) {
        let side: Vec<bool> = self.shape.names.iter().map(|_| rng.random()).collect();
        let cut = if rng.random() { Cut::Off } else { Cut::Silent };
        let until = at + duration(rng, CUT_MS);
        for (link, &(a, b)) in self.shape.links.iter().enumerate() {
            if side[a] != side[b] {
                self.cut_until(at, link, cut, until);
            }
        }
    }

    /// All that can end at once; one may lose its disk.
    fn blackout(&mut self, rng: &mut StdRng, at: Duration) {
        let loses_power = rng.random_bool(0.4);
        let servers = self.shape.names.len();
        let wiped = rng.random_range(0..2 * servers);
        for server in 0..servers {
            let end = match loses_power {
                true => Fault::LosePower(server),
                false => Fault::Kill(server),
            };
            let wipe = (server == wiped).then_some(Fault::Wipe(server));
            let down = duration(rng, DOWN_MS);
            self.end(at, server, end, wipe, down);
        }
    }
}

fn duration(rng: &mut StdRng, ms: Range<u64>) -> Duration {
    Duration::from_millis(rng.random_range(ms))
}
