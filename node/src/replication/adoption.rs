//! When this server steps in for a publisher that is gone.

use std::collections::BTreeMap;

use herd_crdt::PublisherId;
use tokio::time::Instant;

use super::timing::{ADOPTION_RANK_DELAY, ADOPTION_REVIEW};

/// What is due now for the orphans of one publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// First look again at what live publishers deliver: it may be that one of them delivered a
    /// record before the dead one's copy did.
    Refresh,
    /// Adopt every orphan for which this server's rank is at most this.
    Adopt {
        /// The greatest rank whose turn has come.
        rank_max: usize,
    },
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    since: Instant,
    refreshed: bool,
    /// Ranks below this have had their turn.
    ranks_done: usize,
}

/// The publishers that are gone while records rely on them, each with its own count of ranks. Pure:
/// time comes in as an argument.
#[derive(Debug, Default)]
pub struct OrphanSchedule {
    watches: BTreeMap<PublisherId, Watch>,
}

impl OrphanSchedule {
    /// What is due now. `gone` are all publishers that are gone and that records rely on; `ranks` is
    /// how many ranks there are. After the last rank's turn a publisher is looked at again every
    /// [`ADOPTION_REVIEW`], for records that turned up later.
    pub fn due(
        &mut self,
        gone: &[PublisherId],
        ranks: usize,
        now: Instant,
    ) -> Vec<(PublisherId, Due)> {
        self.watches.retain(|id, _| gone.contains(id));
        let mut due = Vec::new();
        for &id in gone {
            let fresh = Watch {
                since: now,
                refreshed: false,
                ranks_done: 0,
            };
            let watch = self.watches.entry(id).or_insert(fresh);
            let waited = now.duration_since(watch.since);
            if watch.ranks_done >= ranks && waited >= ADOPTION_REVIEW {
                *watch = fresh;
            }
            if !watch.refreshed {
                watch.refreshed = true;
                due.push((id, Due::Refresh));
                continue;
            }
            let waited = now.duration_since(watch.since);
            let turns = waited.as_millis() / ADOPTION_RANK_DELAY.as_millis();
            let turns = usize::try_from(turns)
                .unwrap_or(usize::MAX)
                .saturating_add(1)
                .min(ranks);
            if turns > watch.ranks_done {
                watch.ranks_done = turns;
                due.push((
                    id,
                    Due::Adopt {
                        rank_max: turns - 1,
                    },
                ));
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DEAD: PublisherId = PublisherId(7);

    #[test]
    fn each_rank_has_its_turn_after_a_look_at_the_living() {
        let start = Instant::now();
        let mut schedule = OrphanSchedule::default();
        let mut due =
            |after_ms: u64| schedule.due(&[DEAD], 3, start + Duration::from_millis(after_ms));
        assert_eq!(due(0), [(DEAD, Due::Refresh)]);
        assert_eq!(due(250), [(DEAD, Due::Adopt { rank_max: 0 })]);
        assert_eq!(due(500), []);
        assert_eq!(due(2_000), [(DEAD, Due::Adopt { rank_max: 1 })]);
        assert_eq!(due(2_250), []);
        assert_eq!(due(9_000), [(DEAD, Due::Adopt { rank_max: 2 })]);
        assert_eq!(due(10_000), []);
        assert_eq!(due(60_000), [(DEAD, Due::Refresh)]);
        assert_eq!(due(60_250), [(DEAD, Due::Adopt { rank_max: 0 })]);
    }

    #[test]
    fn a_publisher_that_comes_back_starts_over() {
        let start = Instant::now();
        let mut schedule = OrphanSchedule::default();
        assert_eq!(schedule.due(&[DEAD], 3, start), [(DEAD, Due::Refresh)]);
        assert_eq!(schedule.due(&[], 3, start), []);
        let later = start + Duration::from_secs(100);
        assert_eq!(schedule.due(&[DEAD], 3, later), [(DEAD, Due::Refresh)]);
    }
}
