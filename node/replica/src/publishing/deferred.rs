//! What has to wait until what superseded it is on disk.

use std::collections::{BTreeSet, VecDeque};

use herd_crdt::Death;

use crate::store::{Request, WriteNumber};
use crate::timing::DEFERRED_DEATHS_MAX;

/// What has to wait until the writes of a round are on disk.
#[derive(Default)]
pub(super) struct Deferred {
    /// In order of their writes.
    rounds: VecDeque<DeferredRound>,
    deaths: usize,
    /// Requests that one of the rounds holds: each waits once, however long the disk hangs.
    requests: BTreeSet<Request>,
}

pub(super) struct DeferredRound {
    number: WriteNumber,
    pub(super) deaths: Vec<Death>,
    pub(super) unneeded: BTreeSet<Request>,
}

impl Deferred {
    pub(super) fn push(
        &mut self,
        number: WriteNumber,
        deaths: Vec<Death>,
        mut unneeded: BTreeSet<Request>,
    ) {
        unneeded.retain(|request| self.requests.insert(request.clone()));
        if deaths.is_empty() && unneeded.is_empty() {
            return;
        }
        self.deaths += deaths.len();
        self.rounds.push_back(DeferredRound {
            number,
            deaths,
            unneeded,
        });
    }

    /// The first round that is on disk. A disk that hangs must not make the slots grow for ever: beyond
    /// [`DEFERRED_DEATHS_MAX`] the oldest are due as they are.
    pub(super) fn pop_due(&mut self, synced: WriteNumber) -> Option<DeferredRound> {
        let first = self.rounds.front()?;
        if first.number > synced && self.deaths <= DEFERRED_DEATHS_MAX {
            return None;
        }
        let mut due = self.rounds.pop_front()?;
        self.deaths -= due.deaths.len();
        for request in &due.unneeded {
            self.requests.remove(request);
        }
        if due.number > synced {
            // The request stays, and comes back with a later round.
            due.unneeded.clear();
        }
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incarnation::Incarnation;

    #[test]
    fn a_request_to_forget_waits_once_however_long_the_disk_hangs() {
        let mut deferred = Deferred::default();
        let smith = Incarnation {
            server: "Smith".into(),
            generation: 1,
        };
        let request = || BTreeSet::from([(smith.clone(), 1)]);
        for round in 1..1_000 {
            deferred.push(WriteNumber(round), Vec::new(), request());
        }
        assert_eq!(deferred.rounds.len(), 1);
        assert!(deferred.pop_due(WriteNumber(0)).is_none());
        let due = deferred.pop_due(WriteNumber(1)).unwrap();
        assert_eq!(due.unneeded, request());
        // Asked for again, it waits again.
        deferred.push(WriteNumber(1_000), Vec::new(), request());
        assert!(deferred.pop_due(WriteNumber(1_000)).is_some());
    }
}
