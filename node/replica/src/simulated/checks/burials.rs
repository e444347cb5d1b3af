//! No copy is emptied that anybody may need: by the signs of life that a server had, counted once more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::incarnation::Incarnation;
use crate::membership::Sighting;

/// Who cannot come back has been silent for this long, as `docs/replication.md` says it,
const SUPERSEDED_SILENT_MIN: Duration = Duration::from_secs(20);
/// and whoever may be behind a partition for this long.
const SILENT_MIN: Duration = Duration::from_secs(15 * 60);

/// When each incarnation last gave a server a sign of life, or was first heard of.
#[derive(Debug, Default)]
pub(in super::super) struct SignsOfLife {
    last: BTreeMap<Incarnation, (u64, Instant)>,
}

/// A server empties its copy of what an incarnation published.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Burial {
    /// For how long the server had no sign of life of it, while it was not held up itself.
    pub(in super::super) silent: Duration,
    /// The server knows a later incarnation of the same server.
    pub(in super::super) is_superseded: bool,
    /// Entries of the server's map that rely on it.
    pub(in super::super) relying: usize,
    /// The copy holds a group that only a later version of the program reads.
    pub(in super::super) holds_unread: bool,
}

impl SignsOfLife {
    pub(in super::super) fn note(&mut self, sightings: &[Sighting], now: Instant) {
        for sighting in sightings {
            let first = (0, now);
            let known = self.last.entry(sighting.incarnation.clone());
            let known = known.or_insert(first);
            if sighting.live && sighting.heartbeat != known.0 {
                *known = (sighting.heartbeat, now);
            }
        }
    }

    /// A server that stood still knows nothing of that time.
    pub(in super::super) fn note_held_up(&mut self, time: Duration) {
        for (_, last) in self.last.values_mut() {
            *last += time;
        }
    }

    /// It was heard of then.
    pub(in super::super) fn note_heard_of(&mut self, incarnation: &Incarnation, now: Instant) {
        let known = self.last.entry(incarnation.clone());
        known.or_insert((0, now));
    }

    pub(in super::super) fn silent_for(&self, incarnation: &Incarnation, now: Instant) -> Duration {
        let last = self.last.get(incarnation);
        last.map_or(Duration::ZERO, |(_, last)| {
            now.saturating_duration_since(*last)
        })
    }
}

/// # Errors
/// The copy was still needed, or may have been.
pub(in super::super) fn is_due(burial: Burial) -> Result<(), String> {
    let silent_min = match burial.is_superseded {
        true => SUPERSEDED_SILENT_MIN,
        false => SILENT_MIN,
    };
    if burial.relying > 0 || burial.silent < silent_min || burial.holds_unread {
        return Err(format!("buried too early: {burial:?}"));
    }
    Ok(())
}

#[test]
fn early_burials_and_those_of_copies_in_use_are_found() {
    let burial = |seconds, is_superseded, relying| {
        let silent = Duration::from_secs(seconds);
        is_due(Burial {
            silent,
            is_superseded,
            relying,
            holds_unread: false,
        })
    };
    assert_eq!(burial(20, true, 0), Ok(()));
    assert_eq!(burial(900, false, 0), Ok(()));
    assert!(burial(19, true, 0).is_err());
    assert!(burial(899, false, 0).is_err());
    assert!(burial(900, true, 1).is_err());
    let unread = is_due(Burial {
        silent: SILENT_MIN,
        is_superseded: true,
        relying: 0,
        holds_unread: true,
    });
    assert!(unread.is_err());
}
