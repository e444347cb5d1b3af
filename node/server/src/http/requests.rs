//! The requests of one connection, and which of them are answered in full.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::HttpStatistics;
use super::answering::Answering;
use super::guard::OPEN_PATHS;
use super::places::Seat;
use super::until_sent::until_sent;

/// The answer to a request that needs another place than its connection has.
const ONLY_HEALTH: &str =
    "too many HTTP connections: only /healthz and /readyz are answered now; try again\n";

/// Where the connection of a request comes from: an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);

/// Passes the requests of one connection on, and tells meanwhile that it does not wait for one.
#[derive(Clone)]
pub(super) struct Requests {
    routes: TowerToHyperService<Router>,
    peer: PeerAddress,
    is_for_probes: bool,
    statistics: Arc<HttpStatistics>,
    answering: Arc<Answering>,
}

impl Requests {
    /// Requests of a connection that was let in.
    pub(super) fn new(
        routes: Router,
        peer: IpAddr,
        seat: Seat,
        statistics: Arc<HttpStatistics>,
        send_timeout: Duration,
    ) -> Self {
        Requests {
            routes: TowerToHyperService::new(routes),
            peer: PeerAddress(peer),
            is_for_probes: seat.is_for_probes,
            statistics,
            answering: Answering::new(Some(seat.admitted), send_timeout),
        }
    }

    /// Requests of a connection that nothing displaces.
    pub(super) fn unbounded(routes: Router) -> Self {
        Requests {
            routes: TowerToHyperService::new(routes),
            peer: PeerAddress(Ipv4Addr::LOCALHOST.into()),
            is_for_probes: false,
            statistics: Arc::default(),
            answering: Answering::new(None, Duration::MAX),
        }
    }

    /// Whether nothing but health is told.
    pub(super) fn is_for_probes(&self) -> bool {
        self.is_for_probes
    }

    pub(super) fn answering(&self) -> &Arc<Answering> {
        &self.answering
    }

    /// The answer to a request for which there is no room, unless it is about health: that answer is small.
    fn refusal(&self, request: &Request<Incoming>, has_place: bool) -> Option<Response<Body>> {
        let has_room = has_place && !self.is_for_probes;
        if has_room || OPEN_PATHS.contains(&request.uri().path()) {
            return None;
        }
        let refused = &self.statistics.requests_refused;
        refused.fetch_add(1, Ordering::Relaxed);
        Some((StatusCode::SERVICE_UNAVAILABLE, ONLY_HEALTH).into_response())
    }
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let has_place = self.answering.begins();
        let in_hand = InHand(self.answering.clone());
        if let Some(refusal) = self.refusal(&request, has_place) {
            return Box::pin(async move { Ok(until_sent(refusal, in_hand)) });
        }
        request.extensions_mut().insert(self.peer);
        let answer = self.routes.call(request);
        Box::pin(async move { Ok(until_sent(answer.await?, in_hand)) })
    }
}

/// One request that is being answered, for as long as this is not dropped: until the whole body is taken to be sent.
struct InHand(Arc<Answering>);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.ends();
    }
}
