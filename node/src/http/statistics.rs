//! What is counted of HTTP connections.

use std::sync::atomic::AtomicU64;

/// Connections since the start.
#[derive(Debug, Default)]
pub struct HttpStatistics {
    /// Those that are served now.
    pub connections_open: AtomicU64,
    /// Times that as many were served as may be, so that further ones waited. Only grows.
    pub connections_full: AtomicU64,
    /// Live pages that were refused since as many were open as may be. Only grows.
    pub viewers_refused: AtomicU64,
}
