//! The herd's figures over the last minutes: how many updates, and how long they were on their way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use herd_telemetry::histogram::HistogramView;

/// One figure is taken for each of these.
const FIGURE_INTERVAL: Duration = Duration::from_secs(1);

/// How many figures are kept: five minutes of them.
pub(super) const FIGURES_KEPT_MAX: usize = 300;

/// A histogram of durations since the server's start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PropagationCounts {
    /// Upper bounds in ms and counts, not added up, in ascending order.
    counts: Vec<(f64, u64)>,
}

impl PropagationCounts {
    /// Adds a histogram. All have the same buckets.
    pub fn add(&mut self, histogram: &HistogramView) {
        self.counts.resize(histogram.buckets.len(), (0.0, 0));
        for (sum, (end_s, count)) in self.counts.iter_mut().zip(&histogram.buckets) {
            *sum = (end_s * 1e3, sum.1 + count);
        }
    }
}

/// The counts of the server since its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Records that the map took in.
    pub updates: u64,
    /// Receipt here less receipt at the server that heard the client, of records from other servers.
    pub propagation: PropagationCounts,
}

/// The figures of one second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Second {
    /// Updates per second.
    pub(super) rate: f64,
    /// The median delay of updates from other servers, in ms; nothing without updates.
    pub(super) p50_ms: Option<f64>,
    /// The same of 99 in a hundred.
    pub(super) p99_ms: Option<f64>,
}

/// The figures of the last minutes. Bounded by [`FIGURES_KEPT_MAX`].
#[derive(Debug, Default)]
pub(super) struct FigureHistory {
    seconds: Mutex<KeptSeconds>,
}

#[derive(Debug, Default)]
struct KeptSeconds {
    seconds: VecDeque<Second>,
    /// How many were ever taken.
    taken: u64,
}

impl FigureHistory {
    /// Those that were taken after the first `known`, as far as they are kept, and how many were ever
    /// taken.
    #[must_use]
    pub(super) fn since(&self, known: u64) -> (Vec<Second>, u64) {
        let kept = self.seconds.lock();
        let new = kept.taken.saturating_sub(known);
        let skip = kept
            .seconds
            .len()
            .saturating_sub(usize::try_from(new).unwrap_or(usize::MAX));
        (
            kept.seconds.iter().skip(skip).copied().collect(),
            kept.taken,
        )
    }

    fn add(&self, second: Second) {
        let mut kept = self.seconds.lock();
        if kept.seconds.len() == FIGURES_KEPT_MAX {
            kept.seconds.pop_front();
        }
        kept.seconds.push_back(second);
        kept.taken += 1;
    }
}

/// Takes a figure each second until `shutdown`.
pub(super) async fn take_figures(
    history: Arc<FigureHistory>,
    figures: impl Fn() -> Figures,
    shutdown: CancellationToken,
) {
    let mut ticks = interval(FIGURE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let (mut before, mut before_at) = (figures(), Instant::now());
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let (after, after_at) = (figures(), Instant::now());
        history.add(second(&before, &after, after_at - before_at));
        (before, before_at) = (after, after_at);
    }
}

fn second(before: &Figures, after: &Figures, elapsed: Duration) -> Second {
    let updates = after.updates.saturating_sub(before.updates) as f64;
    let known = &before.propagation.counts;
    let counts: Vec<(f64, u64)> = after
        .propagation
        .counts
        .iter()
        .enumerate()
        .map(|(place, &(bound, count))| {
            let known = known.get(place).map_or(0, |&(_, count)| count);
            (bound, count.saturating_sub(known))
        })
        .collect();
    Second {
        rate: updates / elapsed.as_secs_f64().max(f64::EPSILON),
        p50_ms: at_most(&counts, 0.5),
        p99_ms: at_most(&counts, 0.99),
    }
}

/// The quantile of `share`, by linear interpolation within a bucket; the beginning of the last bucket, which has no
/// end.
fn at_most(counts: &[(f64, u64)], share: f64) -> Option<f64> {
    let all: u64 = counts.iter().map(|&(_, count)| count).sum();
    let wanted = all as f64 * share;
    let (mut sum, mut start) = (0.0, 0.0);
    for &(end, count) in counts {
        let count = count as f64;
        if count > 0.0 && sum + count >= wanted {
            let within = (wanted - sum) / count;
            return Some(if end.is_finite() {
                start + (end - start) * within
            } else {
                start
            });
        }
        sum += count;
        start = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn propagation(counts: &[u64]) -> PropagationCounts {
        let bounds = [1.0, 5.0, 25.0, f64::INFINITY];
        PropagationCounts {
            counts: bounds.into_iter().zip(counts.iter().copied()).collect(),
        }
    }

    #[test]
    fn a_second_counts_new_updates_only() {
        let before = Figures {
            updates: 1_000,
            propagation: propagation(&[500, 0, 0, 7]),
        };
        let after = Figures {
            updates: 1_300,
            propagation: propagation(&[500, 60, 40, 7]),
        };
        let figures = second(&before, &after, Duration::from_secs(2));
        assert_eq!(figures.rate, 150.0);
        // Of a hundred, the 50th is five sixths into the bucket from 1 to 5.
        assert_eq!(figures.p50_ms, Some(1.0 + 4.0 * 50.0 / 60.0));
        assert_eq!(figures.p99_ms, Some(5.0 + 20.0 * 39.0 / 40.0));
        let endless = propagation(&[0, 0, 0, 1]);
        assert_eq!(at_most(&endless.counts, 0.5), Some(25.0));
        let nothing = second(&after, &after, Duration::from_secs(1));
        assert_eq!((nothing.rate, nothing.p50_ms), (0.0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn five_minutes_are_kept_and_each_second_is_told_once() {
        let history = Arc::new(FigureHistory::default());
        let shutdown = CancellationToken::new();
        let updates = AtomicU64::new(0);
        let figures = move || Figures {
            updates: updates.fetch_add(10, Ordering::Relaxed),
            ..Figures::default()
        };
        let taking = tokio::spawn(take_figures(history.clone(), figures, shutdown.clone()));
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        let (seconds, taken) = history.since(0);
        assert_eq!((seconds.len(), taken), (10, 10));
        assert!(seconds.iter().all(|second| second.rate == 10.0));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(history.since(taken).0.len(), 2);
        tokio::time::sleep(Duration::from_secs(1_000)).await;
        assert_eq!(history.since(taken).0.len(), FIGURES_KEPT_MAX);
        shutdown.cancel();
        taking.await.unwrap();
    }
}
