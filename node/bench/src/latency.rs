//! Latencies, with three digits each, however many there are.

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest latency that is told apart from longer ones: an hour.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;

const LATENCY_NS_MIN: u64 = 1;

const DIGITS: u8 = 3;

/// Any number of latencies in about 300 KiB.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

/// Percentiles of latencies, in microseconds. All 0 without latencies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// The least.
    pub min_us: f64,
    /// The mean.
    pub mean_us: f64,
    /// Half of them are at most this.
    pub p50_us: f64,
    /// Nine of ten are at most this.
    pub p90_us: f64,
    /// 99 of a hundred are at most this.
    pub p99_us: f64,
    /// 999 of a thousand are at most this.
    pub p999_us: f64,
    /// The greatest.
    pub max_us: f64,
}

impl Latencies {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "constants that fit each other; a test makes one"
        )]
        let histogram = Histogram::new_with_bounds(LATENCY_NS_MIN, LATENCY_NS_MAX, DIGITS)
            .expect("BUG: bounds of latencies");
        Latencies(histogram)
    }

    /// Adds one; one of more than an hour counts as an hour.
    pub fn record(&mut self, latency_ns: u64) {
        self.0.saturating_record(latency_ns);
    }

    /// Adds all of another.
    pub fn add(&mut self, other: &Self) {
        // The same bounds everywhere, so there is no error to be had.
        let added = self.0.add(&other.0);
        debug_assert!(added.is_ok(), "BUG: latencies of different bounds");
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their percentiles.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let us = |ns: u64| ns as f64 / 1e3;
        let at = |percent| us(self.0.value_at_percentile(percent));
        Percentiles {
            min_us: us(self.0.min()),
            mean_us: self.0.mean() / 1e3,
            p50_us: at(50.0),
            p90_us: at(90.0),
            p99_us: at(99.0),
            p999_us: at(99.9),
            max_us: us(self.0.max()),
        }
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_all_parts() {
        let (mut even, mut odd) = (Latencies::new(), Latencies::new());
        for us in 1..=1_000 {
            let part = if us % 2 == 0 { &mut even } else { &mut odd };
            part.record(us * 1_000);
        }
        even.add(&odd);
        assert_eq!(even.len(), 1_000);
        let told = even.percentiles();
        for (told, expected) in [
            (told.min_us, 1.0),
            (told.mean_us, 500.5),
            (told.p50_us, 500.0),
            (told.p90_us, 900.0),
            (told.p99_us, 990.0),
            (told.p999_us, 999.0),
            (told.max_us, 1_000.0),
        ] {
            assert!(
                (told / expected - 1.0).abs() < 0.005,
                "{told} for {expected}"
            );
        }
    }

    #[test]
    fn percentiles_range_from_zero_to_an_hour() {
        let mut latencies = Latencies::new();
        assert!(latencies.is_empty());
        assert_eq!(latencies.percentiles().p99_us, 0.0);
        latencies.record(u64::MAX);
        let hour_us = LATENCY_NS_MAX as f64 / 1e3;
        assert!((latencies.percentiles().p50_us / hour_us - 1.0).abs() < 0.005);
    }
}
