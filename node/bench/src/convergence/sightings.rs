//! Which records were reported, and where they were seen.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::plan::ConvergencePlan;
use super::report::ConvergenceReport;
use crate::latency::Latencies;

/// Into how many parts of equal length a run is divided, so that a growing lag shows.
pub(super) const SLICES: usize = 6;

/// How many errors are kept in words.
const SAMPLES_MAX: usize = 5;

/// A record that a server was not yet seen to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnseenRecord {
    /// Its number among those of the run.
    pub(super) number: u64,
    /// The server that it was reported to.
    pub(super) from: usize,
    pub(super) sent: Instant,
}

/// The arrivals over one way, or in one part of the run.
#[derive(Clone, Debug, Default)]
pub(super) struct WaySightings {
    pub(super) latencies: Latencies,
    /// Records that did not arrive in time.
    pub(super) never: u64,
}

/// Shared by all tasks of a run.
pub(super) struct Sightings {
    plan: Rc<ConvergencePlan>,
    start: Cell<Instant>,
    state: RefCell<State>,
    /// One for each server: something is to be looked for, or nothing more will be.
    news: Vec<Notify>,
    is_over: Cell<bool>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// For each server the records that it was not yet seen to know, oldest first.
    open: Vec<VecDeque<UnseenRecord>>,
    pub(super) pairs: BTreeMap<(usize, usize), WaySightings>,
    pub(super) slices: [WaySightings; SLICES],
    pub(super) reports: u64,
    pub(super) refused: u64,
    pub(super) connections_failed: u64,
    pub(super) samples: Vec<String>,
}

impl Sightings {
    pub(super) fn new(plan: Rc<ConvergencePlan>, start: Instant) -> Self {
        let servers = plan.servers.len();
        let state = State {
            open: vec![VecDeque::new(); servers],
            ..State::default()
        };
        Sightings {
            plan,
            start: Cell::new(start),
            state: RefCell::new(state),
            news: std::iter::repeat_with(Notify::new).take(servers).collect(),
            is_over: Cell::new(false),
        }
    }

    pub(super) fn begin(&self, start: Instant) {
        self.start.set(start);
    }

    /// A record is on its way to the server `from`.
    pub(super) fn sent(&self, open: UnseenRecord) {
        let mut state = self.state.borrow_mut();
        state.reports += 1;
        for (server, queue) in state.open.iter_mut().enumerate() {
            if server != open.from {
                queue.push_back(open);
            }
        }
        drop(state);
        self.wake();
    }

    /// A record was refused, or its reply is missing.
    pub(super) fn withdrawn(&self, number: u64) {
        let mut state = self.state.borrow_mut();
        for queue in &mut state.open {
            queue.retain(|open| open.number != number);
        }
    }

    /// At most `count` of the records that `server` was not yet seen to know, oldest first.
    pub(super) fn open_at(&self, server: usize, count: usize, to: &mut Vec<UnseenRecord>) {
        to.clear();
        if let Some(queue) = self.state.borrow().open.get(server) {
            to.extend(queue.iter().take(count));
        }
    }

    /// `server` was seen to know a record.
    pub(super) fn seen(&self, server: usize, open: UnseenRecord, now: Instant) {
        let latency = now.saturating_duration_since(open.sent);
        let latency_ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.close(server, open, |seen| seen.latencies.record(latency_ns));
    }

    /// `server` was not seen to know a record in time.
    pub(super) fn never(&self, server: usize, open: UnseenRecord) {
        self.close(server, open, |seen| seen.never += 1);
    }

    fn close(&self, server: usize, open: UnseenRecord, note: impl Fn(&mut WaySightings)) {
        let slice = self.slice(open.sent);
        let mut state = self.state.borrow_mut();
        let Some(queue) = state.open.get_mut(server) else {
            return;
        };
        let Some(place) = queue.iter().position(|other| other.number == open.number) else {
            // Withdrawn meanwhile.
            return;
        };
        queue.remove(place);
        note(state.pairs.entry((open.from, server)).or_default());
        if let Some(seen) = state.slices.get_mut(slice) {
            note(seen);
        }
    }

    fn slice(&self, sent: Instant) -> usize {
        let since_s = sent
            .saturating_duration_since(self.start.get())
            .as_secs_f64();
        let part = since_s / self.plan.duration.as_secs_f64().max(1e-9);
        ((part * SLICES as f64) as usize).min(SLICES - 1)
    }

    pub(super) fn refused(&self, reply: String) {
        self.state.borrow_mut().refused += 1;
        self.sample(format!("refused: {reply}"));
    }

    pub(super) fn connection_failed(&self, server: &str, reason: &impl std::fmt::Display) {
        self.state.borrow_mut().connections_failed += 1;
        self.sample(format!("connection to {server}: {reason}"));
    }

    fn sample(&self, message: String) {
        let mut state = self.state.borrow_mut();
        if state.samples.len() < SAMPLES_MAX && !state.samples.contains(&message) {
            state.samples.push(message);
        }
    }

    /// No more records will be sent.
    pub(super) fn no_more(&self) {
        self.is_over.set(true);
        self.wake();
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    fn wake(&self) {
        for news in &self.news {
            news.notify_one();
        }
    }

    /// Waits until there may be something new for a server.
    pub(super) async fn news(&self, server: usize) {
        match self.news.get(server) {
            Some(news) => news.notified().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn report(&self, stopped_early: bool) -> ConvergenceReport {
        ConvergenceReport::new(&self.plan, &self.state.borrow(), stopped_early)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::plan::tests::plan;
    use super::*;

    #[test]
    fn a_record_is_looked_for_everywhere_else_until_it_is_seen() {
        let start = Instant::now();
        let sightings = Sightings::new(Rc::new(plan()), start);
        let at = |ms| start + Duration::from_millis(ms);
        let open = |number, ms| UnseenRecord {
            number,
            from: 1,
            sent: at(ms),
        };
        for (number, ms) in [(0, 0), (1, 2_900), (2, 2_950)] {
            sightings.sent(open(number, ms));
        }
        let mut found = Vec::new();
        sightings.open_at(1, 9, &mut found);
        assert_eq!(found, []);
        sightings.open_at(0, 2, &mut found);
        assert_eq!(found, [open(0, 0), open(1, 2_900)]);
        sightings.seen(0, open(0, 0), at(4));
        sightings.seen(0, open(0, 0), at(9));
        sightings.never(2, open(1, 2_900));
        sightings.withdrawn(2);
        sightings.seen(0, open(2, 2_950), at(3_000));
        sightings.open_at(0, 9, &mut found);
        assert_eq!(found, [open(1, 2_900)]);

        let state = sightings.state.borrow();
        assert_eq!(state.pairs[&(1, 0)].latencies.len(), 1);
        assert_eq!(state.pairs[&(1, 2)].never, 1);
        assert_eq!(state.slices[0].latencies.len(), 1);
        assert_eq!(state.slices[SLICES - 1].never, 1);
    }
}
