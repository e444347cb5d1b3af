//! The paths and their answers.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Endpoints, Health};
use crate::http_json;
use crate::live;
use crate::metrics;

/// The answer to a request for locations if they are not shown.
pub(super) const LOCATIONS_NOT_SHOWN: &str = "this server does not show its herd and the locations of clients; \
     start it with --http-locations (http_locations = true, HERD_HTTP_LOCATIONS=true) to show \
     them to everyone who reaches this port\n";

/// All endpoints. An unknown path is answered with a line of text.
pub fn routes(endpoints: Endpoints) -> Router {
    let health = Arc::clone(&endpoints.health);
    let probes = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(health);
    let page = match &endpoints.page {
        Some(live) => live::routes(Arc::clone(live)),
        None => Router::new().route(
            "/",
            get(async || (StatusCode::FORBIDDEN, LOCATIONS_NOT_SHOWN)),
        ),
    };
    let page = match endpoints.shows_locations {
        true => page,
        false => page.merge(http_json::closed_routes()),
    };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .with_state(Arc::new(endpoints))
        .merge(probes)
        .merge(page)
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                "not found; try /, /v1/, /healthz, /readyz, /metrics or /status\n",
            )
        })
        .method_not_allowed_fallback(async || {
            (
                StatusCode::METHOD_NOT_ALLOWED,
                "method not allowed; use GET\n",
            )
        })
}

pub(super) async fn healthz(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    let stalled = health.stalled();
    if stalled.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        let text = format!("hangs: {}\n", stalled.join(", "));
        (StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

async fn metrics(State(endpoints): State<Arc<Endpoints>>) -> Response {
    match (endpoints.metrics)() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            let text = format!("BUG: the metrics are not text: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

async fn status(State(endpoints): State<Arc<Endpoints>>) -> Response {
    if !endpoints.shows_locations {
        return (StatusCode::FORBIDDEN, LOCATIONS_NOT_SHOWN).into_response();
    }
    match serde_json::to_vec_pretty(&(endpoints.status)()) {
        Ok(mut json) => {
            json.push(b'\n');
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, json).into_response()
        }
        // Nothing in a status can fail to become JSON.
        Err(error) => {
            let text = format!("BUG: the status is not JSON: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

pub(super) async fn readyz(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    match health.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => {
            let text = format!("not ready: {reason}\n");
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}
