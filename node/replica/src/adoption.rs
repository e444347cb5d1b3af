//! When this server steps in for a publisher that is gone.

use std::collections::BTreeMap;

use herd_crdt::PublisherId;
use std::time::Instant;

use super::timing::{ADOPTION_RANK_DELAY, ADOPTION_REVIEW, EARLY_ADOPTION_GAP};

/// What is due now for the orphans of one publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// First look again at what live publishers deliver: it may be that one of them delivered a
    /// record before the dead one's copy did.
    Refresh,
    /// Adopt every orphan that at most so many live servers are waited for with, though they may have it too.
    AdoptEarly {
        /// How many.
        waited_for_max: usize,
    },
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
    /// It was gone before it was silent for long.
    early: bool,
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
    /// What is due now. `gone` are all publishers that are gone and that records rely on, and whether each is gone early:
    /// superseded, and not silent for long; `ranks` is how many ranks there are. After the last rank's turn a publisher is
    /// looked at again every [`ADOPTION_REVIEW`], for records that turned up later. One that is gone early has its turns
    /// every [`EARLY_ADOPTION_GAP`] for as long as that, and then those of the ranks.
    pub fn due(
        &mut self,
        gone: &[(PublisherId, bool)],
        ranks: usize,
        now: Instant,
    ) -> Vec<(PublisherId, Due)> {
        self.watches
            .retain(|id, watch| gone.contains(&(*id, watch.early)));
        let mut due = Vec::new();
        for &(id, early) in gone {
            let fresh = Watch {
                since: now,
                refreshed: false,
                early,
                ranks_done: 0,
            };
            let watch = self.watches.entry(id).or_insert(fresh);
            let waited = now.duration_since(watch.since);
            if !early && watch.ranks_done >= ranks && waited >= ADOPTION_REVIEW {
                *watch = fresh;
            }
            if !watch.refreshed {
                watch.refreshed = true;
                due.push((id, Due::Refresh));
                continue;
            }
            let waited = now.duration_since(watch.since);
            let gap = if early {
                EARLY_ADOPTION_GAP
            } else {
                ADOPTION_RANK_DELAY
            };
            let turns = usize::try_from(waited.as_millis() / gap.as_millis());
            let turns = turns.unwrap_or(usize::MAX).saturating_add(1);
            if early {
                if turns > watch.ranks_done {
                    watch.ranks_done = turns;
                    let waited_for_max = turns - 1;
                    due.push((id, Due::AdoptEarly { waited_for_max }));
                }
                continue;
            }
            let turns = turns.min(ranks);
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
        let start = crate::testing::start();
        let mut schedule = OrphanSchedule::default();
        let mut due = |after_ms: u64| {
            schedule.due(&[(DEAD, false)], 3, start + Duration::from_millis(after_ms))
        };
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
        let start = crate::testing::start();
        let mut schedule = OrphanSchedule::default();
        assert_eq!(
            schedule.due(&[(DEAD, false)], 3, start),
            [(DEAD, Due::Refresh)]
        );
        assert_eq!(schedule.due(&[], 3, start), []);
        let later = start + Duration::from_secs(100);
        assert_eq!(
            schedule.due(&[(DEAD, false)], 3, later),
            [(DEAD, Due::Refresh)]
        );
    }

    #[test]
    fn orphans_of_the_superseded_are_adopted_early_then_in_turn() {
        let start = crate::testing::start();
        let mut schedule = OrphanSchedule::default();
        let mut due = |early: bool, after_ms: u64| {
            let now = start + Duration::from_millis(after_ms);
            let due = schedule.due(&[(DEAD, early)], 3, now);
            due.first().map(|(_, due)| *due)
        };
        let early = |waited_for_max| Some(Due::AdoptEarly { waited_for_max });
        assert_eq!(due(true, 0), Some(Due::Refresh));
        assert_eq!(due(true, 250), early(0));
        assert_eq!(due(true, 499), None);
        assert_eq!(due(true, 500), early(1));
        assert_eq!(due(true, 9_000), early(18), "for as long as any are left");
        assert_eq!(due(false, 10_000), Some(Due::Refresh));
        assert_eq!(due(false, 10_250), Some(Due::Adopt { rank_max: 0 }));
        assert_eq!(due(false, 14_000), Some(Due::Adopt { rank_max: 2 }));
    }
}
