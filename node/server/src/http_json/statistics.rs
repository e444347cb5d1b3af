//! Counts of the interface.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

/// The statuses that are told, and at the end all others together.
pub(crate) const STATUSES: [&str; 16] = [
    "200", "204", "207", "304", "400", "401", "403", "404", "405", "408", "413", "415", "429",
    "500", "503", "other",
];

/// Counts since the start. Each number only grows.
#[derive(Debug, Default)]
pub struct HttpApiStatistics {
    /// Answers, by [`STATUSES`].
    pub(crate) answers: [AtomicU64; STATUSES.len()],
    /// Reports that were taken in.
    pub reports_taken: AtomicU64,
    /// Reports that were not.
    pub reports_refused: AtomicU64,
}

impl HttpApiStatistics {
    pub(super) fn answered(&self, status: StatusCode) {
        let last = STATUSES.len() - 1;
        let place = STATUSES.iter().position(|known| *known == status.as_str());
        self.answers[place.unwrap_or(last)].fetch_add(1, Ordering::Relaxed);
    }
}
