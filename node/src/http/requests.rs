//! The requests of one connection, and whether one of them is being answered.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::HttpStatistics;
use super::guard::OPEN_PATHS;
use crate::admission::Admitted;

/// What a request gets that needs another place than its connection has.
const ONLY_HEALTH: &str =
    "too many HTTP connections: only /healthz and /readyz are answered now; try again\n";

/// Passes the requests of one connection on, and tells meanwhile that it does not wait for one.
#[derive(Clone)]
pub(super) struct Requests {
    routes: TowerToHyperService<Router>,
    probes: Option<Arc<HttpStatistics>>,
    answering: Arc<Answering>,
}

/// How many requests are being answered.
#[derive(Default)]
struct Answering {
    requests: AtomicUsize,
    admitted: Option<Arc<Admitted>>,
}

impl Requests {
    /// Requests of a connection that was let in, perhaps only for probes.
    pub(super) fn new(
        routes: Router,
        is_for_probes: bool,
        statistics: Arc<HttpStatistics>,
        admitted: Arc<Admitted>,
    ) -> Self {
        let answering = Answering {
            requests: AtomicUsize::new(0),
            admitted: Some(admitted),
        };
        Requests {
            routes: TowerToHyperService::new(routes),
            probes: is_for_probes.then_some(statistics),
            answering: Arc::new(answering),
        }
    }

    /// Requests of a connection that nothing displaces.
    pub(super) fn unbounded(routes: Router) -> Self {
        Requests {
            routes: TowerToHyperService::new(routes),
            probes: None,
            answering: Arc::default(),
        }
    }

    /// Whether nothing but health is told.
    pub(super) fn is_for_probes(&self) -> bool {
        self.probes.is_some()
    }

    /// Whether a request is being answered.
    pub(super) fn is_answering(&self) -> bool {
        self.answering.requests.load(Ordering::Acquire) > 0
    }
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_hand = InHand::new(self.answering.clone());
        if let Some(statistics) = &self.probes
            && !OPEN_PATHS.contains(&request.uri().path())
        {
            let refused = &statistics.requests_refused;
            refused.fetch_add(1, Ordering::Relaxed);
            let response = (StatusCode::SERVICE_UNAVAILABLE, ONLY_HEALTH).into_response();
            return Box::pin(async move { Ok(in_hand.until_sent(response)) });
        }
        let answer = self.routes.call(request);
        Box::pin(async move { Ok(in_hand.until_sent(answer.await?)) })
    }
}

/// One request that is being answered, for as long as this is not dropped.
struct InHand(Arc<Answering>);

impl InHand {
    fn new(answering: Arc<Answering>) -> Self {
        answering.requests.fetch_add(1, Ordering::AcqRel);
        if let Some(admitted) = &answering.admitted {
            admitted.waits(false);
        }
        InHand(answering)
    }

    /// The request is in hand until the whole body is taken to be sent.
    fn until_sent(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| {
            Body::new(HeldBody {
                body,
                _in_hand: self,
            })
        })
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let before = self.0.requests.fetch_sub(1, Ordering::AcqRel);
        if before == 1
            && let Some(admitted) = &self.0.admitted
        {
            admitted.waits(true);
        }
    }
}

struct HeldBody {
    body: Body,
    _in_hand: InHand,
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
