//! Counts of the limits.

use std::sync::atomic::AtomicU64;

/// How often a limit was met, since the start. Each number only grows.
#[derive(Debug, Default)]
pub struct LimitStatistics {
    /// Connections that were closed at once, since too many of their address were open.
    pub connections_refused_address: AtomicU64,
    /// Connections that were closed, since they were silent for too long.
    pub connections_idle: AtomicU64,
    /// Connections that were closed, since a line took too long.
    pub connections_half_line: AtomicU64,
    /// Waits of a connection that used up its own commands of a second.
    pub pauses_connection: AtomicU64,
    /// Waits of a connection because its address used up its commands of a second.
    pub pauses_address: AtomicU64,
    /// Waits of a connection with replies to be sent, since those of all connections took too many bytes.
    pub pauses_replies: AtomicU64,
}
