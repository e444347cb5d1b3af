//! Counts of the operations, over all interfaces.

use std::sync::atomic::AtomicU64;

use herd_protocol::EndReason;
use herd_telemetry::histogram::Histogram;

/// Counts since the start. Each number only grows.
#[derive(Debug, Default)]
pub struct ServiceStatistics {
    /// Reports that were not told as taken in, since they did not become as safe as promised in time.
    pub unconfirmed: AtomicU64,
    /// Questions for places for which the provider took too long.
    pub places_timeouts: AtomicU64,
    /// Questions for places that were not let wait, since too many waited.
    pub whatsat_refused: AtomicU64,
    /// Reports of new clients that were refused, since too many are known.
    pub clients_refused: AtomicU64,
    /// The same, since those that are known take too many bytes.
    pub client_bytes_refused: AtomicU64,
    /// Reports that were refused, since the client ID is too long here.
    pub client_ids_refused: AtomicU64,
    /// Searches for clients in an area.
    pub searches: SearchStatistics,
    /// Watches.
    pub watches: WatchStatistics,
}

/// Counts of watches.
#[derive(Debug, Default)]
pub struct WatchStatistics {
    /// Watches that have begun.
    pub begun: AtomicU64,
    /// Watches that have ended with a last line, by [`EndReason`].
    pub ended: [AtomicU64; EndReason::ALL.len()],
    /// Lines that were told, without those of the server itself.
    pub told: AtomicU64,
    /// Clients that were looked at, since they were there at the beginning or have changed.
    pub looked: AtomicU64,
    /// Watches that were refused, since too many watch.
    pub refused: AtomicU64,
    /// The same, since too many of the address do.
    pub refused_address: AtomicU64,
    /// Watches that have ended, since more clients had changed than a watcher may leave unread.
    pub too_slow: AtomicU64,
    /// Watches that have ended, since more clients are inside than all watchers together may remember; or were refused,
    /// since there was no room for the ID that they name.
    pub too_large: AtomicU64,
    /// How long it took until all that was so at the beginning was told.
    pub first_states: Histogram,
}

/// Counts of searches for clients in an area.
#[derive(Debug, Default)]
pub struct SearchStatistics {
    /// Clients that were looked up, since they might be in the area.
    pub candidates: AtomicU64,
    /// Clients that were told.
    pub hits: AtomicU64,
    /// Searches that did not end at once, and went on among others.
    pub long: AtomicU64,
    /// Searches that were refused, since too many went on, or since the answers of all took too much memory.
    pub refused: AtomicU64,
    /// How long searches took, from the question to its answer.
    pub durations: Histogram,
}
