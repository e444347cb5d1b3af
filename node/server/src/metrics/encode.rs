//! Families of figures to the text form of Prometheus.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::family::{Family, Labels};

/// The media type of the text of [`render`].
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// All families, as Prometheus reads them, each figure with the name of the herd: one Prometheus may watch several.
///
/// # Errors
/// None in practice: writing to a `String` does not fail.
pub fn render(cluster: &str, families: Vec<Family>) -> Result<String, fmt::Error> {
    let label = ("cluster".into(), cluster.to_owned().into());
    let mut registry = Registry::with_labels(std::iter::once(label));
    registry.register_collector(Box::new(Arc::new(Families(families))));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0 {
            match family {
                Family::Counter(name, help, figures) => {
                    let kind = MetricType::Counter;
                    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
                    for (labels, value) in figures {
                        labelled(&mut family, labels, |metric| {
                            metric.encode_counter::<NoLabelSet, f64, f64>(value, None)
                        })?;
                    }
                }
                Family::Gauge(name, help, figures) => {
                    let kind = MetricType::Gauge;
                    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
                    for (labels, value) in figures {
                        labelled(&mut family, labels, |metric| metric.encode_gauge(value))?;
                    }
                }
                Family::Histogram(name, help, figures) => {
                    let kind = MetricType::Histogram;
                    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
                    for (labels, view) in figures {
                        labelled(&mut family, labels, |metric| {
                            let (sum, count) = (view.sum_s, view.count);
                            metric.encode_histogram::<NoLabelSet>(sum, count, &view.buckets, None)
                        })?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Encodes one figure with its labels.
fn labelled(
    family: &mut MetricEncoder<'_>,
    labels: &Labels,
    encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    let labels: Vec<(&str, &str)> = labels
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    encode(&mut family.encode_family(&labels)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use herd_telemetry::histogram::HistogramView;

    #[test]
    fn every_kind_is_written_as_prometheus_reads_it() {
        let of = |name: &str| vec![("server", name.to_owned())];
        let view = HistogramView::new(
            vec![(0.5, 2), (f64::INFINITY, 1)],
            Duration::from_millis(3_500),
        );
        let families = vec![
            Family::Counter("herd_read_bytes", "Bytes.", vec![(Vec::new(), 7.0)]),
            Family::Gauge(
                "herd_lag_groups",
                "Groups.",
                vec![(of("Hill"), 0.0), (of("a\"b"), -1.5)],
            ),
            Family::Histogram("herd_wait_seconds", "Waits.", vec![(of("Hill"), view)]),
        ];
        let text = render("c\"d", families).unwrap();
        assert_eq!(
            text,
            "# HELP herd_read_bytes_total Bytes.\n\
             # TYPE herd_read_bytes_total counter\n\
             herd_read_bytes_total{cluster=\"c\\\"d\"} 7.0\n\
             # HELP herd_lag_groups Groups.\n\
             # TYPE herd_lag_groups gauge\n\
             herd_lag_groups{cluster=\"c\\\"d\",server=\"Hill\"} 0.0\n\
             herd_lag_groups{cluster=\"c\\\"d\",server=\"a\\\"b\"} -1.5\n\
             # HELP herd_wait_seconds Waits.\n\
             # TYPE herd_wait_seconds histogram\n\
             herd_wait_seconds_bucket{cluster=\"c\\\"d\",server=\"Hill\",le=\"0.5\"} 2\n\
             herd_wait_seconds_bucket{cluster=\"c\\\"d\",server=\"Hill\",le=\"+Inf\"} 3\n\
             herd_wait_seconds_sum{cluster=\"c\\\"d\",server=\"Hill\"} 3.5\n\
             herd_wait_seconds_count{cluster=\"c\\\"d\",server=\"Hill\"} 3\n"
        );
    }
}
