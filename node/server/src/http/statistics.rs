//! Counts of HTTP connections.

use std::sync::atomic::AtomicU64;

/// Connections since the start.
#[derive(Debug, Default)]
pub struct HttpStatistics {
    /// Those that are served now.
    pub connections_open: AtomicU64,
    /// Connections that came when the limit was reached. Only grows.
    pub connections_full: AtomicU64,
    /// Connections that came when the limit of their address was reached. Only grows.
    pub connections_full_address: AtomicU64,
    /// Connections that waited for a request and were closed to make room. Only grows.
    pub connections_displaced: AtomicU64,
    /// Connections that were closed at once, since not even a place for probes was free. Only grows.
    pub connections_refused: AtomicU64,
    /// Connections that did not agree on TLS. Only grows.
    pub tls_failed: AtomicU64,
    /// Requests that were refused, since their connection had a place for probes. Only grows.
    pub requests_refused: AtomicU64,
    /// Live pages that were refused because the limit was reached. Only grows.
    pub viewers_refused: AtomicU64,
}
