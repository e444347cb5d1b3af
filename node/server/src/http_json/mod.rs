//! The HTTP/JSON interface, version 1: the operations of [`LocationService`](crate::location_service::LocationService)
//! for everything that speaks HTTP.
//!
//! It turns requests into operations, and results into JSON. Rules of limits, clock skew, tokens, acknowledgement and
//! expiry are the service's, and none is here. Begin with [`routes()`]; [`HttpApi`] is what all requests share, a `Caller`
//! says who asks, a `Problem` is a refusal.

mod answer;
mod api;
mod area_question;
mod batch;
mod body;
mod caller;
mod clients;
mod cross_origin;
mod decimal;
mod document;
mod media_type;
mod nearby;
mod page;
mod phones;
mod places;
mod problem;
mod query;
mod record_view;
mod report;
mod rfc3339;
mod routes;
mod statistics;
mod watch;

pub use api::{HttpApi, HttpApiSettings};
pub use batch::split_for_fuzzing;
pub use document::document;
pub use routes::{closed_routes, routes};
pub use statistics::HttpApiStatistics;
pub(crate) use statistics::STATUSES;

#[cfg(test)]
mod tests;
