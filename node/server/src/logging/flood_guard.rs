//! Keeps lines that are repeated from filling the log, from everywhere in the program: a stranger who can cause a log
//! line can cause it for ever.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::flood::{Flood, FloodDecision, LineKind};
use super::statistics::statistics;

/// Targets whose warnings tell of changes and not of repeats: of links, and of servers that are gone.
const CHANGES: [&str; 2] = [
    "herd_gossip::link::session",
    "herd_replica::receiving::liveness",
];

/// Fields that identify the subject of a line. Lines that differ only in other fields are repeats.
const SUBJECT_FIELDS: [&str; 12] = [
    "neighbour",
    "incarnation",
    "gone",
    "address",
    "remote",
    "provider",
    "reason",
    "error",
    "path",
    "log.target",
    "log.file",
    "log.line",
];

thread_local! {
    /// How many lines like the one that this thread is about to write were left out before it.
    static LEFT_OUT: Cell<u64> = const { Cell::new(0) };
}

/// The number that the line which this thread writes now has to tell.
pub(super) fn take_left_out() -> u64 {
    LEFT_OUT.take()
}

/// Leaves lines out. Those below the level `info` are all shown: they are asked for, and not for long.
#[derive(Debug, Default)]
pub(super) struct FloodGuard {
    flood: Mutex<Flood<Identifier>>,
    hashing: RandomState,
}

impl<S: Subscriber> Layer<S> for FloodGuard {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        LEFT_OUT.set(0);
        let kind = match *event.metadata().level() {
            Level::WARN if CHANGES.contains(&event.metadata().target()) => LineKind::News,
            Level::ERROR | Level::WARN => LineKind::Complaint,
            Level::INFO => LineKind::News,
            _ => return true,
        };
        let mut subject = Subject(self.hashing.build_hasher());
        event.record(&mut subject);
        let (place, subject) = (event.metadata().callsite(), subject.0.finish());
        let verdict = self.flood.lock().note(place, kind, subject, Instant::now());
        match verdict {
            FloodDecision::Show { left_out } => {
                LEFT_OUT.set(left_out);
                true
            }
            FloodDecision::LeaveOut => {
                statistics().repeated.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }
}

/// Hashes the subject of a line.
struct Subject<H>(H);

impl<H: Hasher> Visit for Subject<H> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = field.name();
        if !SUBJECT_FIELDS.contains(&name) {
            return;
        }
        self.0.write(name.as_bytes());
        // The same peer comes again from another port, or as another incarnation.
        let end = match name {
            "remote" => b':',
            "incarnation" | "gone" => b'/',
            _ => 0,
        };
        let mut text = Hashed {
            hasher: &mut self.0,
            end,
            ended: false,
        };
        // A value that cannot be shown is like any other of its field.
        let _ = write!(text, "{value:?}");
    }
}

/// Takes a text up to a byte.
struct Hashed<'a, H> {
    hasher: &'a mut H,
    end: u8,
    ended: bool,
}

impl<H: Hasher> fmt::Write for Hashed<'_, H> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.ended {
            return Ok(());
        }
        let bytes = text.as_bytes();
        let end = bytes.iter().rposition(|&byte| byte == self.end);
        self.ended = end.is_some();
        let taken = bytes.get(..end.unwrap_or(bytes.len()));
        self.hasher.write(taken.unwrap_or_default());
        Ok(())
    }
}
