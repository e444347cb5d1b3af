//! The eraser of a simulated server: takes the steps of its cycles in virtual time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::server::Server;
use crate::changes::Change;
use crate::erasure::{Cycle, Look, Question, STEPS};
use herd_locations::Noted;

/// Locations have to be erased within this time.
pub(super) const ERASE_WITHIN: Duration = Duration::from_secs(40);

/// See the module.
pub(super) struct Eraser {
    /// When the step is over that is being waited for.
    pub(super) next: Instant,
    cycle: Option<Cycle>,
    /// The clients of the cycle.
    attended: Noted,
    /// What the publisher is to be asked.
    pub(super) question: Option<Question>,
    /// What the look found, when the publisher has answered.
    found: Option<usize>,
    /// Cycles that came to their end.
    pub(super) ended: u64,
}

impl Eraser {
    /// Of an incarnation that begins now.
    pub(super) fn begin(now: Instant) -> Self {
        Eraser {
            next: now + ERASE_WITHIN / STEPS,
            cycle: None,
            attended: Noted::default(),
            question: None,
            found: None,
            ended: 0,
        }
    }

    /// When the step is over; `None` while the publisher is being asked.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        (self.cycle.is_none() || self.found.is_some()).then_some(self.next)
    }
}

impl Server {
    /// The incarnation ends: the next one attends to the clients of a cycle that is not over.
    pub(super) fn stop_erasing(&mut self, now: Instant) {
        let eraser = std::mem::replace(&mut self.eraser, Eraser::begin(now));
        self.map.put_back_forgettings(eraser.attended);
    }

    /// The publisher has answered.
    pub(super) fn note_looked_through(&mut self, own: usize, now: Instant) {
        let found = own + self.others_that_show();
        self.eraser.found = Some(found);
        self.eraser.next = now + ERASE_WITHIN / STEPS;
    }

    /// Goes on to the next step, if it is due.
    pub(super) fn erase(&mut self, now: Instant) {
        if self.eraser.wakes_at().is_none_or(|at| now < at) {
            return;
        }
        let Some(mut cycle) = self.eraser.cycle.take() else {
            let noted = self.map.take_forgettings();
            if noted.is_empty() {
                self.eraser.next = now + ERASE_WITHIN / STEPS;
            } else {
                self.eraser.attended = noted;
                self.look(Cycle::default());
            }
            return;
        };
        let found = self.eraser.found.take().unwrap_or(0);
        // A server that waits for its disk cannot have it purged.
        let can_purge = self.waits_for_disk.is_none();
        if cycle.end_look(found) && cycle.note_purged(can_purge) {
            self.eraser.attended = Noted::default();
            self.eraser.next = now + ERASE_WITHIN / STEPS;
            self.eraser.ended += 1;
        } else {
            self.look(cycle);
        }
    }

    fn look(&mut self, mut cycle: Cycle) {
        let more = self.map.take_forgettings();
        let has_more = !more.is_empty();
        let mut attended = std::mem::take(&mut self.eraser.attended);
        attended.add(more);
        let question = match cycle.begin_look(has_more) {
            Look::ForAll => {
                let (noted, map) = (attended.clone(), Arc::clone(&self.map));
                Question::Begin(Arc::new(move |slot, hash| {
                    noted.means_hash(&map, hash) && !map.lives_in(hash, slot)
                }))
            }
            Look::ForTheRest => Question::Left,
        };
        self.eraser.attended = attended;
        self.eraser.question = Some(question);
        self.eraser.cycle = Some(cycle);
    }

    /// The number of groups of other incarnations that hold a location of a client that is attended to.
    fn others_that_show(&self) -> usize {
        let groups = self.gossip.groups();
        let others = groups.filter(|(incarnation, _)| *incarnation != self.gossip.me());
        let shown = others.filter(|(_, change)| match change {
            Change::Group {
                group: Some(group), ..
            } => (self.eraser.attended).is_shown_by(group, self.format, &self.map),
            _ => false,
        });
        shown.count()
    }
}
