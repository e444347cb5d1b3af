//! The paths of phones.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use super::outcome::later;
use super::{osmand, overland, owntracks};
use crate::http_json::api::HttpApi;

/// The paths of phones.
pub(in crate::http_json) const PATHS: [&str; 4] = ["/owntracks", "/pub", "/osmand", "/overland"];

/// The paths and their answers.
pub(in crate::http_json) fn routes() -> Router<Arc<HttpApi>> {
    let [to_owntracks, to_pub, to_osmand, to_overland] = PATHS;
    Router::new()
        .route(to_owntracks, post(owntracks::owntracks))
        .route(to_pub, post(owntracks::owntracks))
        .route(to_osmand, get(osmand::osmand_get).post(osmand::osmand_post))
        .route(to_overland, post(overland::overland))
        .route_layer(from_fn(later))
}
