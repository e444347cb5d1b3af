//! Incarnations that crowd are thinned out in time: gossip has room for the next one soon.

use std::time::{Duration, Instant};

/// For so long there may be no room: twice the least time from one thinning to the next, as `docs/replication.md` has it.
const FULL_MAX: Duration = Duration::from_secs(10);

/// Looks of a server that stands still are further apart than this.
const LOOK_GAP_MAX: Duration = Duration::from_secs(2);

/// Since when each look found that an incarnation had been turned away.
#[derive(Debug, Default)]
pub(in super::super) struct Room {
    full: Option<(Instant, Instant)>,
}

impl Room {
    /// A look: `was_full` says that an incarnation was turned away since the last one.
    ///
    /// # Errors
    /// There has been no room for long.
    pub(in super::super) fn note(&mut self, was_full: bool, now: Instant) -> Result<(), String> {
        let looked = self.full.filter(|(_, last)| now <= *last + LOOK_GAP_MAX);
        let since = looked.map_or(now, |(since, _)| since);
        self.full = was_full.then_some((since, now));
        match was_full && now > since + FULL_MAX {
            true => Err("gossip has had no room for an incarnation for long".to_owned()),
            false => Ok(()),
        }
    }
}

#[test]
fn a_gossip_that_stays_full_is_found() {
    let start = crate::testing::start();
    let second = Duration::from_secs(1);
    let mut room = Room::default();
    for seconds in 0..=10 {
        assert_eq!(room.note(true, start + seconds * second), Ok(()));
    }
    assert!(room.note(true, start + 11 * second).is_err());
    let now = start + 12 * second;
    assert_eq!(room.note(false, now), Ok(()));
    assert_eq!(room.note(true, now), Ok(()));
    let after_a_pause = now + 100 * second;
    assert_eq!(room.note(true, after_a_pause), Ok(()));
}
