//! The request.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Method, Uri, header};
use axum::response::Response;
use futures_util::StreamExt as _;

use super::feed::{Feed, WatchPlace};
use super::question::WatchQuestion;
use crate::http_json::api::HttpApi;
use crate::http_json::caller::Caller;
use crate::http_json::problem::{Kind, Problem, ProblemView};

/// The media type of events.
const EVENTS: &str = "text/event-stream";

/// Tell me when it changes.
#[utoipa::path(
    get, path = "/v1/watch", tag = "watching", operation_id = "watch",
    description = "Server-sent events: `record`, `enter`, `leave` and `centre` with a record, `gone` with a client, `live` when all \
        that is so was told, and `end` with a reason. One of `client`, `prefix`, `all`, `bbox`, `near`, or `latitude` and `longitude`.",
    params(
        ("client" = Option<String>, Query, description = "One client"),
        ("prefix" = Option<String>, Query, description = "All clients whose IDs begin so"),
        ("all" = Option<String>, Query, description = "All clients"),
        ("bbox" = Option<String>, Query, description = "Those in a box, `west,south,east,north`"),
        ("latitude" = Option<f64>, Query, description = "Those around a point"),
        ("longitude" = Option<f64>, Query, description = "Those around a point"),
        ("near" = Option<String>, Query, description = "Those around a client, which may move"),
        ("radius_km" = Option<f64>, Query, minimum = 0, maximum = 20100, description = "Of an area: how far; `*` is without bound"),
        ("margin_km" = Option<f64>, Query, minimum = 0, maximum = 20100, description = "Of an area: how much farther a client has to be to leave"),
    ),
    responses(
        (status = 200, description = "Events, until the client or the server ends them", body = String, content_type = "text/event-stream"),
        (status = "default", description = "A refusal", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(in crate::http_json) async fn watch(
    State(api): State<Arc<HttpApi>>,
    caller: Caller,
    method: Method,
    uri: Uri,
) -> Result<Response, Problem> {
    let question = WatchQuestion::read(&uri)?;
    let command = question.command().ok_or(Problem::new(Kind::Malformed))?;
    let place = WatchPlace::take(&api, caller.address).ok_or(Problem::new(Kind::TooMany))?;
    let stream = api
        .service
        .watch(&caller.principal, &command, caller.address)?;
    let body = match method {
        // Nothing comes of it, and it would not end.
        Method::HEAD => Body::empty(),
        _ => {
            let feed = Feed::new(api, caller.token, stream, place);
            Body::from_stream(feed.pieces().map(Ok::<_, Infallible>))
        }
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // So that proxies hand each event on at once.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
