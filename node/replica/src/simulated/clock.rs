//! The wall clocks of a herd: each may be ahead, and may run too fast or too slowly.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Instant;

use herd_crdt::ServerName;
use uuid::Uuid;

use crate::incarnation::{Incarnation, next_generation};

/// A wall clock showed this at the start of a simulation: it never goes back beyond the epoch.
const START_MS: i64 = 1_700_000_000_000;

const NS_PER_MS: i64 = 1_000_000;

/// The time of a herd, as one server sees it.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    /// Of the herd.
    pub(super) seed: u64,
    pub(super) start: Instant,
    pub(super) now: Instant,
    /// By how much the server's wall clock is ahead.
    pub(super) ahead_ns: i64,
}

/// How far one wall clock is from the truth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wall {
    /// By how much it was ahead then,
    ahead_ns: i64,
    since: Instant,
    /// and how much it gains since, in parts per thousand.
    gains: i64,
}

impl Clock {
    /// Since the herd began.
    pub(super) fn since_start_ns(self) -> i64 {
        let since_start = self.now.saturating_duration_since(self.start);
        i64::try_from(since_start.as_nanos()).unwrap_or(i64::MAX)
    }

    /// The true time, in ns since the epoch.
    pub(super) fn true_ns(self) -> i64 {
        START_MS * NS_PER_MS + self.since_start_ns()
    }

    /// The server's wall clock, in ns since the epoch.
    pub(super) fn wall_ns(self) -> i64 {
        self.true_ns().saturating_add(self.ahead_ns)
    }

    /// An incarnation that begins now, and exceeds this generation.
    pub(super) fn incarnation(self, server: &ServerName, exceed: u64) -> Incarnation {
        let mut chance = DefaultHasher::new();
        (self.seed, self.since_start_ns(), server).hash(&mut chance);
        let chance = chance.finish();
        let shown_ms = u64::try_from(self.wall_ns() / NS_PER_MS).unwrap_or(0);
        let from_clock = shown_ms << 16 | 7 << 12 | chance >> 52;
        let id = Uuid::from_u64_pair(from_clock, chance);
        Incarnation {
            server: server.clone(),
            generation: next_generation(id, exceed),
        }
    }
}

impl Wall {
    /// A clock that is right.
    pub(super) fn right(now: Instant) -> Self {
        Wall {
            ahead_ns: 0,
            since: now,
            gains: 0,
        }
    }

    pub(super) fn ahead_ns(&self, now: Instant) -> i64 {
        let passed = now.saturating_duration_since(self.since).as_nanos();
        let passed_ns = i64::try_from(passed).unwrap_or(i64::MAX);
        self.ahead_ns + passed_ns / 1_000 * self.gains
    }

    pub(super) fn jump_to(&mut self, ahead_ms: i64, now: Instant) {
        self.ahead_ns = ahead_ms * NS_PER_MS;
        self.since = now;
    }

    pub(super) fn drift(&mut self, gains: i64, now: Instant) {
        self.ahead_ns = self.ahead_ns(now);
        self.since = now;
        self.gains = gains;
    }
}
