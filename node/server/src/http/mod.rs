//! The HTTP endpoints of a server.

mod answering;
mod endpoints;
mod guard;
mod health;
mod host;
mod limits;
mod places;
mod requests;
mod routes;
mod serve;
mod statistics;
mod until_sent;

pub use endpoints::{Endpoints, MetricsLook, StatusLook};
pub(crate) use guard::{CHALLENGES, shown_token};
pub use guard::{guarded, token_of};
pub use health::{FactsSource, Health};
pub use host::{OwnNames, for_own_names};
pub use limits::Limits;
pub(crate) use requests::PeerAddress;
pub use routes::routes;
pub use serve::{serve, serve_connection};
pub use statistics::HttpStatistics;
pub(crate) use until_sent::until_sent;
