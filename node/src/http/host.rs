//! Whether a request was meant for this server.
//!
//! A page from elsewhere could give its own name the address of this machine, and then read, in the
//! browser of whoever looks at it, what a server on loopback shows. Such a request carries that name.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;

use super::guard::OPEN_PATHS;

/// Lets requests pass to `routes`, on a server that listens at `bound`, that ask for a name which may be its own, and
/// those for health.
pub fn for_own_names(routes: Router, bound: SocketAddr) -> Router {
    routes.layer(from_fn(move |request: Request, next: Next| async move {
        let open = OPEN_PATHS.contains(&request.uri().path());
        if open || is_meant_for(bound, request.headers()) {
            return next.run(request).await;
        }
        let text = "this server listens on loopback only, and is not the host that was asked for\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    }))
}

/// Whether the name that a request asks for may be ours: on loopback, only loopback's own names.
#[must_use]
fn is_meant_for(bound: SocketAddr, headers: &HeaderMap) -> bool {
    if !bound.ip().is_loopback() {
        return true;
    }
    let Some(host) = headers.get(header::HOST) else {
        // No browser leaves it out.
        return true;
    };
    host.to_str().is_ok_and(names_loopback)
}

fn names_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::HeaderValue;
    use axum::routing::get;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    #[tokio::test]
    async fn what_shows_the_herd_is_for_own_names_and_health_for_all() {
        let mut routes = Router::new();
        for path in [
            "/",
            "/status",
            "/metrics",
            "/live/events",
            "/healthz",
            "/readyz",
        ] {
            routes = routes.route(path, get(async || "shown"));
        }
        let bound = "127.0.0.1:13000".parse().unwrap();
        let server = TowerToHyperService::new(for_own_names(routes, bound));
        let ask = async |path: &str, host: &str| {
            let request = Request::get(path).header(header::HOST, host);
            let response = server.call(request.body(Body::empty()).unwrap()).await;
            response.unwrap().status().as_u16()
        };
        for path in ["/", "/status", "/metrics", "/live/events", "/nowhere"] {
            assert_eq!(ask(path, "evil.example").await, 421, "{path}");
            assert_ne!(ask(path, "localhost:13000").await, 421, "{path}");
        }
        for path in ["/healthz", "/readyz"] {
            assert_eq!(ask(path, "evil.example").await, 200, "{path}");
        }
    }

    #[test]
    fn on_loopback_only_its_own_names_are_served() {
        let loopback: SocketAddr = "127.0.0.1:13000".parse().unwrap();
        let everywhere: SocketAddr = "0.0.0.0:13000".parse().unwrap();
        for (host, served) in [
            ("127.0.0.1:13000", true),
            ("localhost:13000", true),
            ("LOCALHOST", true),
            ("hill.localhost:80", true),
            ("[::1]:13000", true),
            ("evil.example:13000", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            assert_eq!(is_meant_for(loopback, &headers), served, "{host}");
            assert!(is_meant_for(everywhere, &headers));
        }
        assert!(is_meant_for(loopback, &HeaderMap::new()));
    }
}
