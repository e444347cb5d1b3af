//! Why there is no result.

use super::plan::InvalidPlan;

/// A load that did not come about.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The plan makes no sense. Nothing was sent.
    #[error(transparent)]
    Invalid(#[from] InvalidPlan),
    /// A server could not be reached. Nothing was measured.
    #[error("cannot connect to {server}: {reason}; is a server running there?")]
    Unreachable {
        /// Its address.
        server: String,
        /// The error of the system.
        reason: String,
    },
    /// The clients that look-ups ask for could not be reported first. Nothing was measured.
    #[error("cannot report all clients to {server} before the look-ups: {reason}")]
    NotFilled {
        /// Its address.
        server: String,
        /// The failure.
        reason: String,
    },
    /// It was stopped before measuring began.
    #[error("stopped before anything was measured")]
    Stopped,
    /// The load generator failed.
    #[error("the load generator failed: {0}; this is a defect")]
    Failed(String),
}
