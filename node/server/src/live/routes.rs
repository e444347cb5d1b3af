//! The paths of the live page.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::StreamExt;

use super::LivePages;
use super::assets::{ASSETS, Asset};
use super::question::PageQuestion;

/// The rights of a page: it loads from this server and talks to it. It has no content from elsewhere, no inline
/// scripts, and no other page around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// After how many seconds a page that found no room may ask again.
const RETRY_AFTER_S: &str = "10";

/// `/`, `/page/...` and `/live/events`.
pub fn routes(live: Arc<LivePages>) -> Router {
    let mut routes = Router::new().route("/live/events", get(events));
    for asset in ASSETS {
        let answer = async |headers: HeaderMap| hand_out(asset, &headers);
        routes = routes.route(asset.path, get(answer));
    }
    routes.with_state(live)
}

fn hand_out(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let tag = asset.entity_tag();
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    if known
        .into_iter()
        .any(|known| known.as_bytes() == tag.as_bytes())
    {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        // Asked for again at each load, and sent again only if the program is another one.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, [(header::ETAG, tag)], asset.bytes).into_response()
}

async fn events(State(live): State<Arc<LivePages>>, uri: Uri) -> Response {
    let question = match PageQuestion::parse(uri.query().unwrap_or_default()) {
        Ok(question) => question,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let Some(stream) = live.open(question) else {
        let text = format!(
            "{} pages of this server are open, which is as many as it feeds; close one, or open the page \
             of another server\n",
            live.viewers_max()
        );
        let retry = [(header::RETRY_AFTER, RETRY_AFTER_S)];
        return (StatusCode::SERVICE_UNAVAILABLE, retry, text).into_response();
    };
    let body = Body::from_stream(stream.map(Ok::<_, std::convert::Infallible>));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, "text/event-stream");
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
