//! Counts about tokens.

use std::sync::atomic::AtomicU64;

/// Counts since the start. Each number only grows.
#[derive(Debug, Default)]
pub struct AccessStatistics {
    /// `AUTH` commands with a token that is known.
    pub tokens_accepted: AtomicU64,
    /// `AUTH` commands with anything else.
    pub tokens_refused: AtomicU64,
    /// Commands that no token shown before allows.
    pub commands_forbidden: AtomicU64,
    /// HTTP requests without a token that allows them.
    pub requests_forbidden: AtomicU64,
    /// Changed files that were taken.
    pub files_taken: AtomicU64,
    /// Changed files that were not: they could not be read, or lines are wrong.
    pub files_refused: AtomicU64,
}
