//! Figures of one name, as the encoder takes them, and short constructors.

use std::sync::atomic::{AtomicU64, Ordering};

use herd_telemetry::histogram::HistogramView;

/// The labels of one figure: names and values.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Figures of one name, with their meaning. The name ends in the unit; a counter's gets `_total` behind it.
#[derive(Clone, Debug)]
pub enum Family {
    /// Numbers that only rise, from the start of the server.
    Counter(&'static str, &'static str, Vec<(Labels, f64)>),
    /// Numbers as they are now.
    Gauge(&'static str, &'static str, Vec<(Labels, f64)>),
    /// Durations by how long they were.
    Histogram(&'static str, &'static str, Vec<(Labels, HistogramView)>),
}

pub(super) fn counter(name: &'static str, help: &'static str, value: &AtomicU64) -> Family {
    Family::Counter(name, help, vec![(Vec::new(), load(value))])
}

pub(super) fn gauge(name: &'static str, help: &'static str, value: f64) -> Family {
    Family::Gauge(name, help, vec![(Vec::new(), value)])
}

pub(super) fn load(value: &AtomicU64) -> f64 {
    value.load(Ordering::Relaxed) as f64
}

pub(super) fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

pub(super) fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}
