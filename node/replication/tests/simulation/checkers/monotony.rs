//! No incarnation of a process ever goes back for a client.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use herd_crdt::Record;

use super::super::ledger::Map;
use super::Found;

/// What one process answered last.
#[derive(Debug, Default)]
pub(in super::super) struct Monotony {
    last: BTreeMap<Vec<u8>, Record>,
}

impl Monotony {
    /// Whether the process answered this when it was looked at last.
    pub(in super::super) fn has_seen_last(&self, now: &Map) -> bool {
        self.last == *now
    }

    /// The process answers this now.
    pub(in super::super) fn see(&mut self, who: &str, now: &Map) -> Found {
        for (client, before) in &self.last {
            let answer = now.get(client);
            if answer.is_none_or(|answer| answer.order(before) == Ordering::Less) {
                return Err(format!("{who} went back from {before:?} to {answer:?}"));
            }
        }
        self.last.clone_from(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{map, record};
    use super::*;

    #[test]
    fn a_lesser_answer_and_none_are_found() {
        for worse in [map(&[record("kiwi", "1")]), Map::new()] {
            let mut monotony = Monotony::default();
            assert_eq!(monotony.see("Hill", &Map::new()), Ok(()));
            assert_eq!(monotony.see("Hill", &map(&[record("kiwi", "2")])), Ok(()));
            assert_eq!(monotony.see("Hill", &map(&[record("kiwi", "3")])), Ok(()));
            assert!(monotony.see("Hill", &worse).is_err());
        }
    }
}
