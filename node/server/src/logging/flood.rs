//! How often a line may be repeated: pure, with the time as an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use herd_clock::rate_limiter::RateLimiter;

/// Once its lines at once are used up, a subject has a line in each such time.
const SUBJECT_GAP: Duration = Duration::from_secs(10);

/// The same for a place in the program, about all its subjects.
const PLACE_GAP: Duration = Duration::from_secs(2);

/// How many times the lines of one subject a place in the program has at once.
const PLACE_SUBJECTS: u32 = 10;

/// Subjects of one place that are told apart; those beyond share one.
const SUBJECTS_MAX: usize = 64;

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// Something is wrong: a repeat tells nothing new.
    Complaint,
    /// Something has changed: a link is made or lost, say.
    News,
}

impl LineKind {
    /// Lines about one subject that are shown at once.
    const fn lines(self) -> u32 {
        match self {
            LineKind::Complaint => 10,
            LineKind::News => 100,
        }
    }

    fn subject_limiter(self, now: Instant) -> RateLimiter {
        RateLimiter::new(self.lines(), SUBJECT_GAP * self.lines(), now)
    }

    fn call_site_limiter(self, now: Instant) -> RateLimiter {
        let lines = self.lines() * PLACE_SUBJECTS;
        RateLimiter::new(lines, PLACE_GAP * lines, now)
    }
}

/// The decision about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FloodDecision {
    /// It is shown, and says how many like it were left out before it.
    Show {
        /// That number.
        left_out: u64,
    },
    /// It is left out.
    LeaveOut,
}

/// Remembers how often each place in the program spoke about each subject.
#[derive(Debug)]
pub(super) struct Flood<P> {
    places: HashMap<P, CallSite>,
}

#[derive(Debug)]
struct CallSite {
    kind: LineKind,
    all: RateLimiter,
    subjects: HashMap<u64, Subject>,
    /// Left out of subjects that are forgotten or were never told apart.
    left_out: u64,
}

#[derive(Debug)]
struct Subject {
    limiter: RateLimiter,
    left_out: u64,
}

impl<P> Default for Flood<P> {
    fn default() -> Self {
        Flood {
            places: HashMap::new(),
        }
    }
}

impl<P: Hash + Eq> Flood<P> {
    /// Notes a line of `place` about `subject`. All lines of a place are of one kind.
    pub(super) fn note(
        &mut self,
        place: P,
        kind: LineKind,
        subject: u64,
        now: Instant,
    ) -> FloodDecision {
        let place = self.places.entry(place).or_insert_with(|| CallSite {
            kind,
            all: kind.call_site_limiter(now),
            subjects: HashMap::new(),
            left_out: 0,
        });
        place.note(subject, now)
    }
}

impl CallSite {
    fn note(&mut self, subject: u64, now: Instant) -> FloodDecision {
        self.make_room(subject, now);
        let is_known = self.subjects.contains_key(&subject);
        // Strangers can make up subjects; beyond the bound all of them are one.
        let key = if is_known || self.subjects.len() < SUBJECTS_MAX {
            subject
        } else {
            0
        };
        let subject = self.subjects.entry(key).or_insert_with(|| Subject {
            limiter: self.kind.subject_limiter(now),
            left_out: 0,
        });
        if subject.limiter.left(now) == 0 || self.all.left(now) == 0 {
            subject.left_out += 1;
            return FloodDecision::LeaveOut;
        }
        subject.limiter.spend(1, now);
        self.all.spend(1, now);
        let left_out = std::mem::take(&mut subject.left_out) + std::mem::take(&mut self.left_out);
        FloodDecision::Show { left_out }
    }

    /// Forgets subjects that are quiet again, if there are too many to know a new one.
    fn make_room(&mut self, subject: u64, now: Instant) {
        if self.subjects.len() < SUBJECTS_MAX || self.subjects.contains_key(&subject) {
            return;
        }
        let forgotten = &mut self.left_out;
        self.subjects.retain(|_, known| {
            let is_quiet = known.limiter.is_whole(now);
            if is_quiet {
                *forgotten += known.left_out;
            }
            !is_quiet
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: LineKind = LineKind::Complaint;
    const LINES: usize = KIND.lines() as usize;

    fn shown(flood: &mut Flood<u8>, subjects: impl Iterator<Item = u64>, now: Instant) -> usize {
        subjects
            .filter(|&subject| flood.note(1, KIND, subject, now) != FloodDecision::LeaveOut)
            .count()
    }

    #[test]
    fn repeats_are_left_out_and_the_next_line_counts_them() {
        let mut flood = Flood::default();
        let now = Instant::now();
        let repeats = std::iter::repeat_n(7, 1_000);
        assert_eq!(shown(&mut flood, repeats, now), LINES);
        // Neither another subject nor another place suffers.
        assert_eq!(
            flood.note(1, KIND, 8, now),
            FloodDecision::Show { left_out: 0 }
        );
        assert_eq!(
            flood.note(2, KIND, 7, now),
            FloodDecision::Show { left_out: 0 }
        );
        let later = now + SUBJECT_GAP;
        let left_out = 1_000 - LINES as u64;
        assert_eq!(
            flood.note(1, KIND, 7, later),
            FloodDecision::Show { left_out }
        );
        assert_eq!(flood.note(1, KIND, 7, later), FloodDecision::LeaveOut);
    }

    #[test]
    fn made_up_subjects_neither_fill_the_log_nor_the_memory() {
        let mut flood = Flood::default();
        let now = Instant::now();
        let lines = shown(&mut flood, 1..100_000, now);
        assert_eq!(lines, SUBJECTS_MAX + LINES);
        assert!(flood.places[&1].subjects.len() <= SUBJECTS_MAX + 1);
        let later = now + PLACE_GAP * KIND.lines() * PLACE_SUBJECTS;
        // Subjects are forgotten, and the lines that were left out of them are told all the same.
        let (mut told, mut more) = (0, 0);
        for subject in 200_000..200_010 {
            if let FloodDecision::Show { left_out } = flood.note(1, KIND, subject, later) {
                (told, more) = (told + left_out, more + 1);
            }
        }
        assert_eq!(more, 10);
        assert_eq!(told, 99_999 - lines as u64);
    }
}
