//! Web pages from elsewhere: what they may do (Fetch Standard, "HTTP extensions").
//!
//! A page makes its visitor's browser send requests, and the browser says from which page they are. It lets the page
//! read an answer, or send more than forms can, only if the server allows it. A page of this server itself is not from
//! elsewhere.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::api::HttpApi;
use super::phones;
use super::problem::{Kind, Problem};

/// What a page that is let in may do.
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, DELETE, POST");

/// Headers that it may send.
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, If-None-Match, Last-Event-ID");

/// Headers that it may read.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("ETag, Retry-After");

/// For how long a browser need not ask again, in seconds.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("600");

/// Every origin.
const ANY: &str = "*";

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    /// A program, a page of this server, or a person.
    Here,
    /// A page from elsewhere that was let in; what to tell its browser.
    LetIn(HeaderValue),
    /// A page from elsewhere.
    Elsewhere,
}

/// Passes on what may be done, with the headers for a page that was let in.
pub(super) async fn guard(
    State(api): State<Arc<HttpApi>>,
    request: Request,
    next: Next,
) -> Response {
    let mut from = origin_of(request.headers(), &api.settings.cors_origins);
    // A browser adds its user's password to a form without asking the server, and these paths take forms: a page that is
    // let in would report with the rights of whoever looks at it.
    if matches!(from, From::LetIn(_)) && phones::PATHS.contains(&request.uri().path()) {
        from = From::Elsewhere;
    }
    let may_write = !changes_nothing(request.method());
    let is_preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match &from {
        From::Elsewhere if may_write => Problem::new(Kind::FromElsewhere).into_response(),
        From::LetIn(_) if is_preflight => {
            let headers = [
                (header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
                (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S),
            ];
            (StatusCode::NO_CONTENT, headers).into_response()
        }
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    if let From::LetIn(origin) = from {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    }
    if !api.settings.cors_origins.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    response
}

/// Whether a browser itself sends the request for a page, and not a program. Where reports come by GET, a page could
/// make one with an image, of which not all browsers say whose page it is on.
pub(super) fn is_of_browser(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if let Some(site) = site {
        return !matches!(site, b"none" | b"same-origin");
    }
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
    agent.is_some_and(|agent| agent.starts_with(b"Mozilla/"))
}

fn changes_nothing(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn origin_of(headers: &HeaderMap, allowed: &[Arc<str>]) -> From {
    let Some(origin) = headers.get(header::ORIGIN) else {
        // An older browser says it in this way only.
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        return match site {
            Some(b"cross-site" | b"same-site") => From::Elsewhere,
            _ => From::Here,
        };
    };
    let text = origin.to_str().unwrap_or_default();
    if is_own(text, headers) {
        return From::Here;
    }
    let is_allowed = |known: &Arc<str>| &**known == ANY || known.eq_ignore_ascii_case(text);
    match allowed.iter().any(is_allowed) {
        true if allowed.iter().any(|known| &**known == ANY) => {
            From::LetIn(HeaderValue::from_static(ANY))
        }
        true => From::LetIn(origin.clone()),
        false => From::Elsewhere,
    }
}

/// Whether the origin is the host that was asked.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let without_port = |text: &str| text.strip_suffix(default_port).unwrap_or(text).to_owned();
    host.is_some_and(|host| without_port(host).eq_ignore_ascii_case(&without_port(authority)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(headers: &[(&'static str, &'static str)], allowed: &[&str]) -> From {
        let allowed: Vec<Arc<str>> = allowed.iter().map(|&origin| origin.into()).collect();
        origin_of(&header_map(headers), &allowed)
    }

    fn header_map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let headers = headers.iter().map(|&(name, value)| {
            (
                header::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        HeaderMap::from_iter(headers)
    }

    #[test]
    fn programs_and_own_pages_are_from_here() {
        let host = ("host", "127.0.0.1:13000");
        for origin in ["http://127.0.0.1:13000", "https://127.0.0.1:13000"] {
            assert_eq!(
                from(&[host, ("origin", origin)], &[]),
                From::Here,
                "{origin}"
            );
        }
        assert_eq!(from(&[host], &[]), From::Here);
        assert_eq!(
            from(&[host, ("sec-fetch-site", "same-origin")], &[]),
            From::Here
        );
        let standard = [
            ("host", "herd.example"),
            ("origin", "https://HERD.example:443"),
        ];
        assert_eq!(from(&standard, &[]), From::Here);
    }

    #[test]
    fn other_pages_are_from_elsewhere_unless_let_in() {
        let host = ("host", "127.0.0.1:13000");
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:13001",
            "null",
            "file://127.0.0.1:13000",
            "",
        ] {
            assert_eq!(
                from(&[host, ("origin", origin)], &["http://maps.example"]),
                From::Elsewhere,
                "{origin}"
            );
        }
        assert_eq!(
            from(&[host, ("sec-fetch-site", "cross-site")], &["*"]),
            From::Elsewhere
        );
        let maps = [host, ("origin", "http://maps.example")];
        let own = From::LetIn(HeaderValue::from_static("http://maps.example"));
        assert_eq!(
            from(&maps, &["http://a.example", "http://Maps.example"]),
            own
        );
        assert_eq!(
            from(&maps, &["*"]),
            From::LetIn(HeaderValue::from_static("*"))
        );
    }

    #[test]
    fn a_request_that_a_browser_sends_for_a_page_is_told() {
        for (headers, expected) in [
            (&[][..], false),
            (&[("user-agent", "OsmAnd")], false),
            (&[("user-agent", "Mozilla/5.0")], true),
            (
                &[("user-agent", "Mozilla/5.0"), ("sec-fetch-site", "none")],
                false,
            ),
            (&[("sec-fetch-site", "cross-site")], true),
        ] {
            assert_eq!(is_of_browser(&header_map(headers)), expected, "{headers:?}");
        }
    }
}
