//! At which pace a server publishes what it has taken over: its earlier incarnation's records, and those of publishers
//! that are gone. There may be millions of them, and what clients report meanwhile goes first.

use std::time::{Duration, Instant};

use super::timing::{BACKLOG_GAP, BACKLOG_LAG_GROUPS_MAX, BACKLOG_WAIT_MAX};

/// When the next piece of the backlog is due. Pure: time comes in as an argument.
#[derive(Debug, Default)]
pub struct BacklogPace {
    /// When the last piece was published.
    last: Option<Instant>,
    /// Since the backlog was empty last.
    stretch: Option<Stretch>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    began: Instant,
    records: usize,
    pieces: usize,
}

/// A backlog of more than one piece is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogOut {
    /// How many records it had.
    pub records: usize,
    /// From the first piece to the last.
    pub took: Duration,
}

impl BacklogPace {
    /// Whether a piece may be published now. `lag` is by how many groups the best of the connected neighbours is behind:
    /// neighbours get all in the order in which it was published, so what is reported now comes to them behind the last
    /// piece.
    pub fn is_due(&self, lag: Option<u64>, now: Instant) -> bool {
        let Some(last) = self.last else {
            return true;
        };
        let waited = now.saturating_duration_since(last);
        let keeps_up = lag.is_none_or(|lag| lag <= BACKLOG_LAG_GROUPS_MAX);
        waited
            >= if keeps_up {
                BACKLOG_GAP
            } else {
                BACKLOG_WAIT_MAX
            }
    }

    /// So many records of the backlog were published, and so many are left. Says so when a long backlog is out.
    pub fn note_piece(&mut self, records: usize, left: usize, now: Instant) -> Option<BacklogOut> {
        let fresh = Stretch {
            began: now,
            records: 0,
            pieces: 0,
        };
        let stretch = self.stretch.get_or_insert(fresh);
        stretch.records += records;
        stretch.pieces += 1;
        self.last = Some(now);
        if left > 0 {
            return None;
        }
        let stretch = self.stretch.take().filter(|stretch| stretch.pieces > 1)?;
        Some(BacklogOut {
            records: stretch.records,
            took: now.saturating_duration_since(stretch.began),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_the_backlog_wait_longer_while_all_neighbours_lag() {
        let start = crate::testing::start();
        let mut pace = BacklogPace::default();
        assert!(pace.is_due(Some(1_000), start), "the first");
        assert_eq!(pace.note_piece(10, 20, start), None);
        let keeps_up = [None, Some(BACKLOG_LAG_GROUPS_MAX)];
        for lag in keeps_up {
            assert!(!pace.is_due(lag, start + BACKLOG_GAP / 2));
            assert!(pace.is_due(lag, start + BACKLOG_GAP));
        }
        let lags = Some(BACKLOG_LAG_GROUPS_MAX + 1);
        assert!(!pace.is_due(lags, start + BACKLOG_WAIT_MAX / 2));
        assert!(pace.is_due(lags, start + BACKLOG_WAIT_MAX), "bounded");
    }

    #[test]
    fn only_a_backlog_of_several_pieces_is_reported() {
        let start = crate::testing::start();
        let mut pace = BacklogPace::default();
        assert_eq!(pace.note_piece(10, 0, start), None);
        assert_eq!(pace.note_piece(10, 5, start), None);
        let out = BacklogOut {
            records: 15,
            took: BACKLOG_GAP,
        };
        assert_eq!(pace.note_piece(5, 0, start + BACKLOG_GAP), Some(out));
    }
}
