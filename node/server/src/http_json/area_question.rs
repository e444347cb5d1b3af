//! A request for many clients: of a list, an area or a box.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::api::HttpApi;
use super::caller::Caller;
use super::media_type::wants_geo_json;
use super::problem::Problem;
use super::query::Query;

/// What all requests for many clients begin with.
pub(super) struct AreaQuestion {
    pub(super) api: Arc<HttpApi>,
    pub(super) caller: Caller,
    /// The parameters, of which none is read yet.
    pub(super) query: Query,
    /// Whether the answer is to be GeoJSON.
    pub(super) wants_geo_json: bool,
}

impl FromRequestParts<Arc<HttpApi>> for AreaQuestion {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<HttpApi>) -> Result<Self, Problem> {
        Ok(AreaQuestion {
            api: Arc::clone(api),
            caller: Caller::from_request_parts(parts, api).await?,
            query: Query::of(&parts.uri),
            wants_geo_json: wants_geo_json(&parts.headers),
        })
    }
}
