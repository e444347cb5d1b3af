//! Tokens for HTTP: without one that opens HTTP, only the probes of health are answered.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;

use crate::access::{Access, TokenHash};

/// The paths that need no token: a platform's probes have none, and the answers tell nothing about clients.
pub(super) const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// The media type of a stream that does not end by itself.
const EVENT_STREAM: &[u8] = b"text/event-stream";

/// How a client is asked for its token. The second one makes a browser ask for it, as the password of any user.
pub(crate) const CHALLENGES: [&str; 2] = [
    "Bearer realm=\"herd\"",
    "Basic realm=\"herd\", charset=\"UTF-8\"",
];

/// Lets requests pass to `routes` that show a token which opens HTTP, and those for health; all, if no tokens are
/// needed.
pub fn guarded(routes: Router, access: Option<Arc<Access>>) -> Router {
    match access {
        Some(access) => routes.layer(middleware::from_fn_with_state(access, guard)),
        None => routes,
    }
}

async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    if OPEN_PATHS.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    if let Some(token) = opener(&access, request.headers()) {
        let response = next.run(request).await;
        return while_opened(response, access, token);
    }
    let forbidden = &access.statistics().requests_forbidden;
    forbidden.fetch_add(1, Ordering::Relaxed);
    // The same answer for paths that exist and paths that do not.
    let challenges = CHALLENGES.map(|challenge| (WWW_AUTHENTICATE, challenge));
    let text = "a token is needed; send it as `Authorization: Bearer TOKEN`\n";
    let mut response = (StatusCode::UNAUTHORIZED, text).into_response();
    for (name, value) in challenges {
        if let Ok(value) = value.parse() {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// The token of a request that opens HTTP.
fn opener(access: &Access, headers: &HeaderMap) -> Option<TokenHash> {
    shown_token(headers).filter(|token| opens(access, token))
}

/// The token that a request shows, known or not. One that shows two shows none.
pub(crate) fn shown_token(headers: &HeaderMap) -> Option<TokenHash> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(shown), None) = (shown.next(), shown.next()) else {
        return None;
    };
    TokenHash::of_shown(&token_of(shown.as_bytes())?)
}

fn opens(access: &Access, token: &TokenHash) -> bool {
    access.find(token).is_some_and(|grant| grant.http)
}

/// Ends events, which would go on for ever, when their token opens HTTP no more.
fn while_opened(response: Response, access: Arc<Access>, token: TokenHash) -> Response {
    let endless = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|media_type| media_type.as_bytes() == EVENT_STREAM);
    if !endless {
        return response;
    }
    response.map(|body| {
        let pieces = body.into_data_stream();
        Body::from_stream(pieces.take_while(move |_| ready(opens(&access, &token))))
    })
}

/// The token in a value of `Authorization`.
#[must_use]
pub fn token_of(value: &[u8]) -> Option<Vec<u8>> {
    let blank = value.iter().position(|&byte| byte == b' ')?;
    let (scheme, rest) = value.split_at(blank);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(rest.to_vec());
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|&byte| byte == b':')?;
    pair.get(colon + 1..).map(<[u8]>::to_vec)
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
