//! A watch that is folded and compared with the map, step by step: for tests and simulations, in which nothing changes
//! during a step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use herd_crdt::Record;
use herd_watch::{Budget, FoldedStream, Said, StreamFault, Subject};

use super::super::Locations;
use super::super::walk::Walk;
use super::{Listener, Progress, Watch};

/// Clients that may be inside, or marked and unread beyond the first ones. No test has so many.
const UNITS_MAX: usize = 100_000;

/// See the module. It goes on only when it has more to do, or was woken: a wake that is lost is found as a line is.
pub struct CheckedWatch {
    pub(super) watch: Watch,
    stream: FoldedStream,
    woken: Arc<Woken>,
    /// It has nothing to do until it is woken.
    sleeps: bool,
    /// It has heard something since the last check.
    has_heard: bool,
}

/// Whether a watch was woken since it fell asleep.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl CheckedWatch {
    /// Begins to watch. The watcher has room for this number of marks.
    #[must_use]
    pub fn begin(locations: &Locations, subject: Subject, marks_max: usize) -> Self {
        let shares = [0, 1].map(|_| Budget::new(UNITS_MAX).share());
        let stream = FoldedStream::new(subject.clone());
        CheckedWatch {
            watch: Watch::new(locations, subject, marks_max, shares),
            stream,
            woken: Arc::new(Woken(AtomicBool::new(false))),
            sleeps: false,
            has_heard: false,
        }
    }

    /// Whether this is the map that is watched.
    #[must_use]
    pub fn is_of(&self, locations: &Locations) -> bool {
        Arc::ptr_eq(self.watch.registration.watchers(), locations.watchers())
    }

    /// How many lines there were, by their first words.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<&'static str, usize> {
        self.stream.counts()
    }

    /// Carries on for a piece of about this number of clients, and at most so many lines.
    pub fn go_on(&mut self, locations: &Locations, piece: usize, lines_max: usize) -> Progress {
        if self.sleeps && !self.woken.0.swap(false, Ordering::Relaxed) {
            return Progress::Idle;
        }
        self.sleeps = false;
        let mut hearing = Hearing {
            locations,
            stream: &mut self.stream,
            lines_left: lines_max,
            has_heard: &mut self.has_heard,
        };
        let progress = self.watch.carry_on(locations, &mut hearing, piece);
        if progress == Progress::Idle {
            let waker = Waker::from(Arc::clone(&self.woken));
            self.sleeps = self
                .watch
                .poll_ready(&Context::from_waker(&waker))
                .is_pending();
        }
        progress
    }

    /// Reads all that there is; says how far it came.
    pub fn catch_up(&mut self, locations: &Locations) -> Progress {
        loop {
            match self.go_on(locations, usize::MAX, usize::MAX) {
                Progress::More => {}
                progress => return progress,
            }
        }
    }

    /// One client that has changed is not told of, unless it changes again. Whether there was one. For tests of checks.
    pub fn lose_a_mark(&mut self) -> bool {
        let mut marks = self.watch.registration.take_marks();
        let lost = marks.pop();
        self.watch.registration.give_back(marks);
        lost.is_some()
    }

    /// Compares what was told with the map, if all is told and anything was since the last time.
    ///
    /// # Errors
    /// See [`FoldedStream::check`].
    pub fn check_if_told(&mut self, locations: &Locations) -> Result<(), StreamFault> {
        match self.sleeps && std::mem::take(&mut self.has_heard) {
            true => self.check(locations),
            false => Ok(()),
        }
    }

    /// Compares what was told with the map. To be asked when it has caught up.
    ///
    /// # Errors
    /// See [`FoldedStream::check`].
    pub fn check(&self, locations: &Locations) -> Result<(), StreamFault> {
        self.stream.check(&located(locations))
    }
}

/// All records of a map that say where a client is.
pub(super) fn located(locations: &Locations) -> Vec<Record> {
    let mut walk = Walk::default();
    let mut located = Vec::new();
    while let Some(piece) = walk.next_piece(locations) {
        located.extend(piece);
    }
    let floor_ns = locations.floor_ns();
    located.retain(|record| !record.is_tombstone() && record.expires_ns() >= floor_ns);
    located
}

/// Takes only so many lines.
struct Hearing<'a> {
    locations: &'a Locations,
    stream: &'a mut FoldedStream,
    lines_left: usize,
    has_heard: &'a mut bool,
}

impl Listener for Hearing<'_> {
    fn may_see(&self, _: &[u8]) -> bool {
        true
    }

    fn has_room(&self) -> bool {
        self.lines_left > 0
    }

    fn hear(&mut self, said: Said<'_>) {
        self.lines_left = self.lines_left.saturating_sub(1);
        *self.has_heard = true;
        self.stream
            .hear_now(said, |client| self.locations.find(client));
    }
}
