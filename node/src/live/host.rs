//! Whether a request was meant for this server.
//!
//! A page from elsewhere could give its own name the address of this machine, and then read, in the
//! browser of whoever looks at it, what a server on loopback shows. Such a request carries that name.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

/// Whether the name that a request asks for may be ours: on loopback, only loopback's own names.
#[must_use]
pub(super) fn is_meant_for(bound: SocketAddr, headers: &HeaderMap) -> bool {
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
    use axum::http::HeaderValue;

    use super::*;

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
