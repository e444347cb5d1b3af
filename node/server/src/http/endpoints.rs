//! The sources of the HTTP endpoints, which the server provides.

use std::fmt;
use std::sync::Arc;

use super::Health;
use crate::live::LivePages;
use crate::status::Status;

/// Makes the content of `/status`.
pub type StatusLook = Box<dyn Fn() -> Status + Send + Sync>;

/// Makes the content of `/metrics`.
pub type MetricsLook = Box<dyn Fn() -> Result<String, fmt::Error> + Send + Sync>;

/// The sources behind the endpoints.
pub struct Endpoints {
    /// `/healthz` and `/readyz`.
    pub health: Arc<Health>,
    /// `/status`.
    pub status: StatusLook,
    /// `/metrics`, in the text form of Prometheus.
    pub metrics: MetricsLook,
    /// Whether HTTP shows the locations of clients and the inside of the herd.
    pub shows_locations: bool,
    /// The live page at `/`, if locations are shown.
    pub page: Option<Arc<LivePages>>,
}
