//! Incarnations that others end follow each other ever more slowly: a neighbour that lies does not keep the herd busy.

use std::time::{Duration, Instant};

use crate::life::Ended;

/// One that lasted for this long was not ended in a hurry, as `docs/bounds.md` says it.
const LASTING: Duration = Duration::from_secs(60);
/// The least pause before the next one, after the first of those that were.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// The incarnations of one process.
#[derive(Debug)]
pub(in super::super) struct Pace {
    began: Instant,
    /// One was ended by others since one lasted.
    is_hurried: bool,
}

impl Pace {
    pub(in super::super) fn begin(now: Instant) -> Self {
        Pace {
            began: now,
            is_hurried: false,
        }
    }

    /// An incarnation begins.
    pub(in super::super) fn note_begun(&mut self, now: Instant) {
        self.began = now;
    }

    /// One has ended, and the next begins after this pause.
    ///
    /// # Errors
    /// That is too soon.
    pub(in super::super) fn note_ended(
        &mut self,
        end: &Ended,
        pause: Duration,
        now: Instant,
    ) -> Result<(), String> {
        let by_others = matches!(
            end,
            Ended::Superseded(_) | Ended::MustExceed(_) | Ended::Overstated | Ended::BuriedBy(_)
        );
        if !by_others {
            return Ok(());
        }
        self.is_hurried &= now.duration_since(self.began) <= LASTING;
        let was_hurried = std::mem::replace(&mut self.is_hurried, true);
        match was_hurried && pause < PAUSE_MIN {
            true => Err(format!("the next incarnation begins too soon: {end:?}")),
            false => Ok(()),
        }
    }
}

#[test]
fn incarnations_that_follow_each_other_in_a_hurry_are_found() {
    let start = crate::testing::start();
    let second = Duration::from_secs(1);
    let mut pace = Pace::begin(start);
    let none = Duration::ZERO;
    let end = Ended::Overstated;
    assert_eq!(pace.note_ended(&end, none, start + second), Ok(()));
    pace.note_begun(start + second);
    let own = pace.note_ended(&Ended::StoreBack, none, start + second);
    assert_eq!(own, Ok(()));
    let now = start + 2 * second;
    assert_eq!(pace.note_ended(&end, second, now), Ok(()));
    assert!(pace.note_ended(&end, none, now).is_err());
    let lasted = start + second + LASTING + second;
    assert_eq!(pace.note_ended(&end, none, lasted), Ok(()));
}
