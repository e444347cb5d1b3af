//! Histograms of durations, counted with relaxed atomics: scrapes read them without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most buckets of a histogram, the one without an end included.
const BUCKETS_MAX: usize = 20;

/// Upper ends of the buckets for durations from microseconds to seconds.
pub const LATENCY_ENDS: &[Duration] = &[
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(10),
];

/// Upper ends of the buckets for durations from milliseconds to minutes.
pub const TRAVEL_ENDS: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(600),
];

const _: () = assert!(LATENCY_ENDS.len() < BUCKETS_MAX && TRAVEL_ENDS.len() < BUCKETS_MAX);

/// See the module. Cheap to add to, from any number of tasks.
#[derive(Debug)]
pub struct Histogram {
    ends: &'static [Duration],
    counts: [AtomicU64; BUCKETS_MAX],
    sum_ns: AtomicU64,
}

/// The content of a histogram at some moment.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramView {
    /// The upper end of each bucket in seconds, infinity last, and how many fell into it alone.
    pub buckets: Vec<(f64, u64)>,
    /// All of them together.
    pub count: u64,
    /// How long they took together, in seconds.
    pub sum_s: f64,
}

/// A histogram for durations from microseconds to seconds.
impl Default for Histogram {
    fn default() -> Self {
        Histogram::new(LATENCY_ENDS)
    }
}

impl Histogram {
    /// An empty one whose buckets have these upper ends, in rising order.
    #[must_use]
    pub fn new(ends: &'static [Duration]) -> Self {
        Histogram {
            ends,
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            sum_ns: AtomicU64::new(0),
        }
    }

    /// Counts `count` durations of the same length.
    pub fn observe(&self, took: Duration, times: u64) {
        if times == 0 {
            return;
        }
        let bucket = self.ends.partition_point(|&end| end < took);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(times, Ordering::Relaxed);
        }
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sum_ns
            .fetch_add(took_ns.saturating_mul(times), Ordering::Relaxed);
    }

    /// Its present content.
    #[must_use]
    pub fn view(&self) -> HistogramView {
        let ends = self.ends.iter().map(Duration::as_secs_f64);
        let counts = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        HistogramView::new(
            ends.chain([f64::INFINITY]).zip(counts).collect(),
            Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)),
        )
    }
}

impl HistogramView {
    /// A view of these buckets, each with its upper end in seconds and its own count.
    #[must_use]
    pub fn new(buckets: Vec<(f64, u64)>, sum: Duration) -> Self {
        HistogramView {
            count: buckets.iter().map(|(_, count)| count).sum(),
            buckets,
            sum_s: sum.as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(LATENCY_ENDS);
        histogram.observe(Duration::ZERO, 1);
        histogram.observe(Duration::from_micros(10), 2);
        histogram.observe(Duration::from_micros(11), 4);
        histogram.observe(Duration::from_secs(11), 8);
        histogram.observe(Duration::from_secs(1), 0);
        let view = histogram.view();
        assert_eq!(view.buckets.len(), LATENCY_ENDS.len() + 1);
        assert_eq!(view.buckets[0], (0.000_01, 3));
        assert_eq!(view.buckets[1], (0.000_025, 4));
        assert_eq!(view.buckets[18], (f64::INFINITY, 8));
        assert_eq!(view.count, 15);
        assert!((view.sum_s - 88.000_064).abs() < 1e-9, "{}", view.sum_s);
    }

    #[test]
    fn ends_rise() {
        for ends in [LATENCY_ENDS, TRAVEL_ENDS] {
            assert!(ends.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
