//! Whether a request was meant for this server.
//!
//! A page from elsewhere could give its own name the address of this server, and then read the pages of this server
//! in the browser of its visitor. Such a request carries the name of the foreign page.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, Version, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};

use super::guard::OPEN_PATHS;
use herd_topology::{Host, HostPort, Topology};

/// The names that a server answers to, besides every IP address and those of loopback. No stranger can make one of
/// these names point to this server.
#[derive(Clone, Debug, Default)]
pub struct OwnNames(BTreeSet<Arc<str>>);

impl OwnNames {
    /// The names in a topology, and `further` ones, in lower case.
    #[must_use]
    pub fn new(topology: &Topology, further: &[Arc<str>]) -> Self {
        let addresses = topology
            .servers()
            .iter()
            .flat_map(|server| [&server.client, &server.peer, &server.http]);
        let names = addresses.filter_map(|address| match &address.host {
            Host::Name(name) => Some(name.clone()),
            Host::Ip(_) => None,
        });
        OwnNames(names.chain(further.iter().cloned()).collect())
    }

    fn cover(&self, host: &Host) -> bool {
        match host {
            Host::Ip(_) => true,
            Host::Name(name) => {
                &**name == "localhost" || name.ends_with(".localhost") || self.0.contains(name)
            }
        }
    }
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostRefusal {
    /// It does not say once which host it asks (RFC 9112, 3.2).
    Unclear,
    /// The header has no valid host. Health checks send such names too: the names of clusters in Envoy have bars in
    /// them.
    NoHost,
    /// It asks another host.
    Misdirected,
}

/// Passes requests for one of `names` to `routes`, and requests for health with any name. Each request must have
/// exactly one host.
pub fn for_own_names(routes: Router, names: OwnNames) -> Router {
    let names = Arc::new(names);
    routes.layer(from_fn_with_state(names, check))
}

async fn check(
    axum::extract::State(names): axum::extract::State<Arc<OwnNames>>,
    request: Request,
    next: Next,
) -> Response {
    let open = OPEN_PATHS.contains(&request.uri().path());
    let refusal = judge(&names, request.version(), request.uri(), request.headers());
    match refusal.filter(|refusal| !open || *refusal == HostRefusal::Unclear) {
        Some(HostRefusal::Unclear | HostRefusal::NoHost) => {
            let text = "a request needs one Host header, with a host and maybe a port\n";
            (StatusCode::BAD_REQUEST, text).into_response()
        }
        Some(HostRefusal::Misdirected) => {
            let text = "this server is not the host that was asked for; http_hosts (--http-hosts, \
                 HERD_HTTP_HOSTS) gives it further names\n";
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
        None => next.run(request).await,
    }
}

fn judge(
    names: &OwnNames,
    version: Version,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<HostRefusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let header = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        // No browser speaks HTTP/1.0.
        (None, _) if version < Version::HTTP_11 => Some("localhost"),
        _ => return Some(HostRefusal::Unclear),
    };
    let Some(host) = header.and_then(host_of) else {
        return Some(HostRefusal::NoHost);
    };
    // A request that is meant for a proxy.
    let in_target = uri.authority().map(|authority| host_of(authority.as_str()));
    let own = |host: &Host| names.cover(host);
    let is_own = own(&host) && in_target.is_none_or(|target| target.as_ref().is_some_and(own));
    (!is_own).then_some(HostRefusal::Misdirected)
}

/// The host in a value of `Host`, with a port or without. A name may end with the dot of the root
/// of all names.
fn host_of(text: &str) -> Option<Host> {
    let parsed = text.parse::<HostPort>();
    let parsed = parsed.or_else(|_| format!("{text}:80").parse());
    match parsed.map(|address| address.host) {
        Ok(host) => Some(host),
        Err(_) => {
            let (name, port) = text
                .split_once(".:")
                .or_else(|| Some((text.strip_suffix('.')?, "80")))?;
            let address: HostPort = format!("{name}:{port}").parse().ok()?;
            Some(address.host)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::HeaderValue;
    use axum::routing::get;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    const TOPOLOGY: &str = "cluster c\n\
         server A client a.example.org:1 peer a.internal:2 http 10.0.0.1:3\n\
         server B client b.example.org:1 peer b.internal:2 http b-http:3\n\
         link A B\n";

    fn names() -> OwnNames {
        let topology = herd_topology::parse(TOPOLOGY).unwrap();
        OwnNames::new(&topology, &["herd.example.com".into()])
    }

    #[tokio::test]
    async fn pages_need_an_own_name_and_health_does_not() {
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
        let server = TowerToHyperService::new(for_own_names(routes, names()));
        let ask = async |path: &str, hosts: &[&str]| {
            let mut request = Request::get(path);
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            let response = server.call(request.body(Body::empty()).unwrap()).await;
            response.unwrap().status().as_u16()
        };
        for path in ["/", "/status", "/metrics", "/live/events", "/nowhere"] {
            assert_eq!(ask(path, &["evil.example"]).await, 421, "{path}");
            for host in ["localhost:13000", "10.1.2.3:13000", "a.internal"] {
                assert_ne!(ask(path, &[host]).await, 421, "{path}");
            }
            let in_target = format!("http://evil.example{path}");
            assert_eq!(ask(&in_target, &["localhost"]).await, 421, "{path}");
        }
        for path in ["/healthz", "/readyz"] {
            for host in ["evil.example", "outbound|13000||herd.svc", ""] {
                assert_eq!(ask(path, &[host]).await, 200, "{path}");
            }
        }
        assert_eq!(ask("/", &["local host"]).await, 400);
        for path in ["/", "/healthz"] {
            assert_eq!(ask(path, &[]).await, 400, "{path}");
            assert_eq!(ask(path, &["localhost", "localhost"]).await, 400, "{path}");
        }
    }

    #[test]
    fn own_names_are_addresses_loopback_topology_and_settings() {
        let own = names();
        let judged = |version, hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
            }
            judge(&own, version, &Uri::from_static("/"), &headers)
        };
        for host in [
            "127.0.0.1:13000",
            "192.0.2.7",
            "[::1]:13000",
            "[2001:db8::1]",
            "localhost:13000",
            "LOCALHOST",
            "hill.localhost:80",
            "a.example.org",
            "A.Internal:13000",
            "b-http:3",
            "b-http.:3",
            "herd.example.com",
            "herd.example.com.",
        ] {
            assert_eq!(judged(Version::HTTP_11, &[host]), None, "{host}");
        }
        for host in [
            "evil.example:13000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "example.org",
            "x.a.example.org",
        ] {
            let refusal = Some(HostRefusal::Misdirected);
            assert_eq!(judged(Version::HTTP_11, &[host]), refusal, "{host}");
            assert_eq!(judged(Version::HTTP_10, &[host]), refusal, "{host}");
        }
        let unclear = Some(HostRefusal::Unclear);
        for hosts in [&[][..], &["localhost", "localhost"]] {
            assert_eq!(judged(Version::HTTP_11, hosts), unclear, "{hosts:?}");
        }
        for host in ["", "a b", "localhost:x"] {
            let refusal = Some(HostRefusal::NoHost);
            assert_eq!(judged(Version::HTTP_11, &[host]), refusal, "{host:?}");
        }
        assert_eq!(judged(Version::HTTP_10, &[]), None);
        assert_eq!(
            judged(Version::HTTP_10, &["localhost", "localhost"]),
            unclear
        );
    }
}
