//! The figures of `/metrics`, in the text form of Prometheus.
//!
//! Nothing here is on the way of a command: each part of the server counts for itself, with relaxed atomics
//! and at most once for each batch, and a scrape reads what they counted. A recorder that everything
//! reports to (the crate `metrics`) would keep each single duration until the next scrape; so only the
//! encoder of `prometheus-client` is used.
//!
//! Labels name servers of the topology and words of this program, never a client: their number is bounded.

mod commands;
mod encode;
mod family;
mod guards;
mod http_json;
pub(crate) mod process;
mod replication;
mod searches;
mod source;
mod watches;

pub use encode::{CONTENT_TYPE, render};
pub use family::Family;
pub use source::{MetricsParts, MetricsSource};
