//! The paths of the live page.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::StreamExt;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use tokio::task::spawn_blocking;
use xxhash_rust::xxh3::xxh3_64;

use super::LivePages;
use super::assets::{ASSETS, Asset};
use super::find::FindError;
use super::map_tiles::MapTiles;
use super::question::PageQuestion;
use crate::http::{PeerAddress, shown_token};

/// The most names that a map is given.
const NAMES_MAX: usize = 120;

/// The rights of a page: it loads from this server and talks to it. It has no content from elsewhere but images from
/// the operator's server of tiles, no inline scripts, and no other page around it.
fn content_security_policy(tiles: Option<&MapTiles>) -> String {
    // Leaflet puts an empty image, which is a `data:` address, in the place of a tile that is not needed any more.
    let images = tiles.map(|tiles| format!(" {} data:", tiles.source()));
    let images = images.unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{images}; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// After how many seconds a page that found no room may ask again.
const RETRY_AFTER_S: &str = "10";

/// `/`, `/page/...` and `/live/...`.
pub fn routes(live: Arc<LivePages>) -> Router {
    let mut routes = Router::new()
        .route("/live/events", get(events))
        .route("/live/find", get(find))
        .route("/live/names", get(names));
    for asset in &ASSETS {
        let answer = async |State(live): State<Arc<LivePages>>, headers: HeaderMap| {
            hand_out(asset, &headers, live.settings.tiles.as_ref())
        };
        routes = routes.route(asset.path, get(answer));
    }
    routes.with_state(live)
}

fn hand_out(asset: &'static Asset, headers: &HeaderMap, tiles: Option<&MapTiles>) -> Response {
    let gzip = accepts_gzip(headers).then(|| asset.gzip()).flatten();
    let policy = content_security_policy(tiles);
    let tag = entity_tag(asset, gzip.is_some(), &policy);
    let is_known = knows(headers, &tag);
    let own = [
        (header::ETAG, tag),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    if is_known {
        return (StatusCode::NOT_MODIFIED, own).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        // Asked for again at each load, and sent again only if the program is another one.
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "Accept-Encoding"),
    ];
    match gzip {
        Some(bytes) => {
            let encoding = [(header::CONTENT_ENCODING, "gzip")];
            (headers, own, encoding, bytes).into_response()
        }
        None => (headers, own, asset.bytes).into_response(),
    }
}

/// Names the content, its encoding and its rights: after a restart with other tiles a browser is to take the new rights.
fn entity_tag(asset: &Asset, is_gzip: bool, policy: &str) -> String {
    let encoding = if is_gzip { "gzip-" } else { "" };
    let content = asset.entity_tag();
    let rights = xxh3_64(policy.as_bytes());
    format!(
        "\"{encoding}{rights:016x}-{}",
        content.trim_start_matches('"')
    )
}

/// Whether the browser has what the tag names. Proxies that compress make tags weak (RFC 9110, 8.8.3).
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter();
    let texts = lists.filter_map(|value| value.to_str().ok());
    let mut tags = texts.flat_map(|text| text.split(','));
    tags.any(|known| known.trim().trim_start_matches("W/") == tag)
}

/// Whether an answer may be compressed. A browser names gzip without a weight.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
    let texts = accepted.filter_map(|value| value.to_str().ok());
    let mut names = texts.flat_map(|text| text.split(','));
    names.any(|name| name.trim().eq_ignore_ascii_case("gzip"))
}

/// `/live/find?begins=TEXT`: the first clients whose ids begin so.
async fn find(
    State(live): State<Arc<LivePages>>,
    peer: Option<Extension<PeerAddress>>,
    uri: Uri,
) -> Response {
    // Connections that come from nowhere are those of tests.
    let address = peer.map_or(Ipv4Addr::LOCALHOST.into(), |Extension(peer)| peer.0);
    let parts = uri.query().unwrap_or_default().split('&');
    let mut beginnings = parts.filter_map(|part| part.strip_prefix("begins="));
    let beginning = percent_decode_str(beginnings.next().unwrap_or_default());
    let beginning = beginning.decode_utf8_lossy();
    match live.finder.find(&beginning, address).await {
        Ok(found) => json(&found),
        Err(error @ FindError::Busy) => {
            let retry = [(header::RETRY_AFTER, "1")];
            (StatusCode::SERVICE_UNAVAILABLE, retry, format!("{error}\n")).into_response()
        }
        Err(error @ FindError::TooLong) => {
            (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
        }
    }
}

/// `/live/names?view=S,W,N,E`: the most important places in view.
async fn names(State(live): State<Arc<LivePages>>, uri: Uri) -> Response {
    let view = match PageQuestion::parse(uri.query().unwrap_or_default()) {
        Ok(question) => question.viewport.map_view(),
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let found = spawn_blocking(move || live.names.in_view(&view, NAMES_MAX)).await;
    // The task cannot fail: it is neither cancelled nor does it panic.
    json(&found.unwrap_or_default())
}

fn json(value: &impl Serialize) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    // Texts and numbers always become JSON.
    let text = serde_json::to_string(value).unwrap_or_default();
    (headers, text).into_response()
}

async fn events(State(live): State<Arc<LivePages>>, headers: HeaderMap, uri: Uri) -> Response {
    let question = match PageQuestion::parse(uri.query().unwrap_or_default()) {
        Ok(question) => question,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let Some(stream) = live.open(question, shown_token(&headers)) else {
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
