//! How long the publisher gathers records before its next round.

use std::time::Duration;

use super::timing::{
    AWAITED_PUBLISH_GAP, FULL_ROUND_RECORDS, LARGE_PUBLISH_GAP, LARGE_ROUND_RECORDS, PUBLISH_GAP,
    PUBLISH_GAP_MIN,
};

/// From the beginning of a round that published so many `records`, and began so long after the one before, to
/// the next round at the earliest.
///
/// Longer than until the next groups are likely to be full, records need not wait; and a long round holds the
/// processor, which clients wait for. Where so many come that groups fill in no time, they gather all the
/// same: of a client that reports again meanwhile one record is published, not two.
///
/// Whoever waits for its reply sends no more meanwhile: there is nothing to gather then.
pub(crate) fn publish_gap(records: usize, interval: Duration, replies_wait: bool) -> Duration {
    if replies_wait {
        return AWAITED_PUBLISH_GAP;
    }
    if records >= LARGE_ROUND_RECORDS {
        return LARGE_PUBLISH_GAP;
    }
    let Ok(records) = u32::try_from(records) else {
        return PUBLISH_GAP;
    };
    match interval
        .saturating_mul(FULL_ROUND_RECORDS)
        .checked_div(records)
    {
        Some(full_after) if full_after >= PUBLISH_GAP_MIN => full_after.min(PUBLISH_GAP),
        _ => PUBLISH_GAP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gap where this many records come in a second, and the round before was as long ago.
    fn at_rate(per_second: usize, interval: Duration) -> Duration {
        let interval_us = usize::try_from(interval.as_micros()).unwrap();
        publish_gap(per_second * interval_us / 1_000_000, interval, false)
    }

    #[test]
    fn groups_fill_and_no_longer_than_that() {
        let gap = at_rate(100_000, PUBLISH_GAP);
        assert_eq!(gap, Duration::from_micros(3_400));
        assert_eq!(at_rate(100_000, gap), gap, "it stays");
        assert_eq!(at_rate(1_000, PUBLISH_GAP), PUBLISH_GAP);
        assert_eq!(publish_gap(0, PUBLISH_GAP, false), PUBLISH_GAP);
        // After a pause.
        assert_eq!(publish_gap(1, Duration::from_secs(9), false), PUBLISH_GAP);
    }

    #[test]
    fn what_repeats_itself_gathers() {
        let many = 600_000;
        assert_eq!(at_rate(many, PUBLISH_GAP_MIN), PUBLISH_GAP);
        assert_eq!(at_rate(many, PUBLISH_GAP), LARGE_PUBLISH_GAP);
        assert_eq!(at_rate(many, LARGE_PUBLISH_GAP), LARGE_PUBLISH_GAP);
    }

    #[test]
    fn replies_that_wait_are_not_kept() {
        for records in [0, 10, 10 * LARGE_ROUND_RECORDS] {
            assert_eq!(publish_gap(records, PUBLISH_GAP, true), AWAITED_PUBLISH_GAP);
        }
    }
}
