//! The counters of a writer, for the owner's metrics.

use std::time::Duration;

/// Upper ends of the buckets of [`WriterFigures::sync_buckets`], in milliseconds; the last bucket
/// has none.
pub const SYNC_BUCKET_ENDS_MS: [u64; 8] = [1, 2, 5, 10, 25, 100, 500, 2_000];

/// The counts of a writer since it began. All but the queue's figures only rise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterFigures {
    /// Commits that succeeded.
    pub commits: u64,
    /// Writes in them, after coalescing.
    pub writes: u64,
    /// Their groups, in bytes.
    pub group_bytes: u64,
    /// Syncs that succeeded.
    pub syncs: u64,
    /// How long they took together.
    pub sync_total: Duration,
    /// How long the longest took.
    pub sync_max: Duration,
    /// How many took up to each of [`SYNC_BUCKET_ENDS_MS`] but longer than the one before, and how
    /// many longer than the last.
    pub sync_buckets: [u64; SYNC_BUCKET_ENDS_MS.len() + 1],
    /// Writes that no store can hold, and that were left out.
    pub left_out: u64,
    /// Writes that wait in the queue now.
    pub queue_writes: usize,
    /// The same in bytes.
    pub queue_bytes: usize,
}

impl WriterFigures {
    pub(super) fn count_sync(&mut self, took: Duration) {
        self.syncs += 1;
        self.sync_total += took;
        self.sync_max = self.sync_max.max(took);
        let within = |end: &u64| took <= Duration::from_millis(*end);
        let bucket = SYNC_BUCKET_ENDS_MS.iter().position(within);
        let bucket = bucket.unwrap_or(SYNC_BUCKET_ENDS_MS.len());
        if let Some(count) = self.sync_buckets.get_mut(bucket) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syncs_are_counted_by_how_long_they_took() {
        let mut figures = WriterFigures::default();
        for ms in [1, 2, 3, 100, 3_000] {
            figures.count_sync(Duration::from_millis(ms));
        }
        assert_eq!(figures.sync_buckets, [1, 1, 1, 0, 0, 1, 0, 0, 1]);
        assert_eq!(figures.sync_max, Duration::from_secs(3));
        assert_eq!(figures.sync_total, Duration::from_millis(3_106));
    }
}
