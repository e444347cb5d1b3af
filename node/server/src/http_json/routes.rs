//! The paths and their answers.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};

use super::api::HttpApi;
use super::batch;
use super::clients;
use super::cross_origin;
use super::document::document;
use super::nearby;
use super::page::page;
use super::phones;
use super::places;
use super::problem::{Kind, Problem};
use super::watch;

/// All paths below `/v1`, and those of phones.
pub fn routes(api: Arc<HttpApi>) -> Router {
    let client = get(clients::locate)
        .put(clients::report)
        .delete(clients::forget);
    Router::new()
        .route("/v1", get(page))
        .route("/v1/", get(page))
        .route("/v1/openapi.json", get(openapi))
        .route(clients::CLIENTS_PATH, get(clients::list))
        .route("/v1/clients/{*id}", client)
        .route("/v1/nearby", get(nearby::nearby))
        .route("/v1/within", get(nearby::within))
        .route("/v1/places", get(places::places))
        .route("/v1/reports", post(batch::post_reports))
        .route("/v1/watch", get(watch::watch))
        .route("/v1/{*rest}", any(async || Problem::new(Kind::NoSuchPath)))
        .merge(phones::routes())
        .method_not_allowed_fallback(async || Problem::new(Kind::Method))
        .layer(from_fn(options))
        .layer(from_fn_with_state(Arc::clone(&api), cross_origin::guard))
        .layer(from_fn_with_state(Arc::clone(&api), count))
        .with_state(api)
}

/// The same paths where locations are not shown: nothing is told, and nothing taken in.
pub fn closed_routes() -> Router {
    let refuse = async || Problem::new(Kind::NotShown);
    let paths = ["/v1", "/v1/", "/v1/{*rest}"];
    paths
        .iter()
        .chain(&phones::PATHS)
        .fold(Router::new(), |routes, path| {
            routes.route(path, any(refuse))
        })
}

/// The description of the interface, which is made once: it stays the same.
async fn openapi() -> Response {
    static JSON: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());
    let media_type = [(header::CONTENT_TYPE, "application/json")];
    (media_type, JSON.as_str()).into_response()
}

/// Answers `OPTIONS`. The methods of the path are in the header `Allow`, which each answer has where no handler was
/// called.
async fn options(request: Request, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS;
    let response = next.run(request).await;
    match asks && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        true => StatusCode::NO_CONTENT.into_response(),
        false => response,
    }
}

async fn count(State(api): State<Arc<HttpApi>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    api.statistics.answered(response.status());
    response
}
