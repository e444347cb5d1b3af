//! How often a neighbour may come with a new incarnation. Each is known to the whole herd for a while, so
//! one that starts again and again, or two processes that outbid each other, wait for their link.

use tokio::time::Instant;

use super::timing::{JOIN_INTERVAL, JOINS_AT_ONCE_MAX};

/// A token bucket: a new incarnation takes a token, and one comes back each [`JOIN_INTERVAL`].
#[derive(Debug)]
pub struct JoinPace {
    tokens: u32,
    /// Tokens that came back are counted up to then.
    counted_to: Instant,
    /// The generation that was let in last.
    last: u64,
}

impl JoinPace {
    /// A full bucket.
    pub fn new(now: Instant) -> Self {
        JoinPace {
            tokens: JOINS_AT_ONCE_MAX,
            counted_to: now,
            last: 0,
        }
    }

    /// Whether a link to the incarnation of this generation may be made now. A link that was lost is made again at
    /// once.
    pub fn may_join(&mut self, generation: u64, now: Instant) -> bool {
        if generation == self.last {
            return true;
        }
        while self.tokens < JOINS_AT_ONCE_MAX && now >= self.counted_to + JOIN_INTERVAL {
            self.tokens += 1;
            self.counted_to += JOIN_INTERVAL;
        }
        if self.tokens == JOINS_AT_ONCE_MAX {
            self.counted_to = now;
        }
        let Some(left) = self.tokens.checked_sub(1) else {
            return false;
        };
        self.tokens = left;
        self.last = generation;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn some_restarts_in_a_row_are_free_and_the_next_ones_wait() {
        let start = Instant::now();
        let mut pace = JoinPace::new(start);
        let free = u64::from(JOINS_AT_ONCE_MAX);
        for generation in 1..=free {
            assert!(pace.may_join(generation, start));
        }
        let almost = start + JOIN_INTERVAL - Duration::from_millis(1);
        assert!(!pace.may_join(free + 1, almost));
        assert!(pace.may_join(free, almost), "the same once more");
        assert!(pace.may_join(free + 1, start + JOIN_INTERVAL));
        assert!(!pace.may_join(free + 2, start + JOIN_INTERVAL));
        // After a while all are free again, and no more than these.
        let later = start + 1_000 * JOIN_INTERVAL;
        let joins = (100..200).filter(|&generation| pace.may_join(generation, later));
        assert_eq!(joins.count(), JOINS_AT_ONCE_MAX as usize);
    }
}
