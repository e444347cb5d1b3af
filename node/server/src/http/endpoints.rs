//! What the HTTP endpoints show, put together by the server.

use std::fmt;
use std::sync::Arc;

use super::Health;
use crate::live::LivePages;
use crate::status::Status;

/// Looks for what `/status` says.
pub type StatusLook = Box<dyn Fn() -> Status + Send + Sync>;

/// Looks for what `/metrics` says.
pub type MetricsLook = Box<dyn Fn() -> Result<String, fmt::Error> + Send + Sync>;

/// What stands behind the endpoints.
pub struct Endpoints {
    /// `/healthz` and `/readyz`.
    pub health: Arc<Health>,
    /// `/status`.
    pub status: StatusLook,
    /// `/metrics`, in the text form of Prometheus.
    pub metrics: MetricsLook,
    /// Whether whoever reaches HTTP may see where clients are, and the inside of the herd.
    pub shows_locations: bool,
    /// The live page at `/`, if locations are shown.
    pub page: Option<Arc<LivePages>>,
}
