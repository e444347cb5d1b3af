//! The interface without sockets: requests to its routes.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request};
use futures_util::StreamExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::access::{Access, Grant, Token, Tokens, grant_line};
use crate::location_service::{LocationService, ServiceSettings};
use crate::settings::Values;
use herd_acknowledgement::{AckLevel, Acknowledgements};
use herd_admission::Addresses;
use herd_clock::clock::WallClock;
use herd_locations::Locations;
use herd_places::{NearbyQuery, Places};

mod batches;
mod clients;
mod pages;
mod phones;
mod searches;
mod tokens;
mod watches;

/// 2018-03-02T20:52:15.182837383Z.
const NOW_NS: i64 = 1_520_023_935_182_837_383;

/// The time of the reports.
const TIME: &str = "1520023934.918963997";

struct TestClock(AtomicI64);

impl WallClock for TestClock {
    fn now_ns(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

struct NoPlaces;

#[async_trait::async_trait]
impl Places for NoPlaces {
    fn nearby_at_once(&self, query: &NearbyQuery) -> Option<Bytes> {
        Some(
            format!(
                "{{\"radius_m\":{},\"max\":{}}}",
                query.radius_m, query.results_max
            )
            .into(),
        )
    }

    async fn nearby(&self, _query: NearbyQuery) -> Bytes {
        Bytes::new()
    }
}

/// What a test may set.
struct Setup {
    api: HttpApiSettings,
    service: ServiceSettings,
    ack: AckLevel,
    token: Option<(Token, Grant)>,
    per_second: Option<NonZeroU32>,
}

struct TestApi {
    routes: TowerToHyperService<Router>,
    service: Arc<LocationService>,
    access: Option<Arc<Access>>,
    shutdown: CancellationToken,
    token: Option<Token>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The fields with mistakes of a problem.
    fn fields(&self) -> Vec<String> {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let fields = errors
            .iter()
            .map(|fault| fault["field"].as_str().unwrap().to_owned());
        fields.collect()
    }
}

fn start() -> TestApi {
    start_with(|_| {})
}

fn start_with(set: impl FnOnce(&mut Setup)) -> TestApi {
    let values = Values::default();
    let mut setup = Setup {
        api: HttpApiSettings::new(&values),
        service: ServiceSettings::new("Hill".into(), &values),
        ack: AckLevel::Memory,
        token: None,
        per_second: None,
    };
    set(&mut setup);
    let locations = Arc::<Locations>::default();
    let acknowledgements = Acknowledgements::new(setup.ack, Duration::from_millis(50));
    let service = LocationService::new(
        setup.service,
        locations,
        Arc::new(acknowledgements),
        Arc::new(NoPlaces),
    );
    let service = Arc::new(service);
    let access = setup.token.as_ref().map(|(token, grant)| {
        let text = grant_line(grant, &token.hash());
        Access::new("tokens".into(), Tokens::parse(text.as_bytes()).unwrap())
    });
    let clock = Arc::new(TestClock(AtomicI64::new(NOW_NS)));
    let shutdown = CancellationToken::new();
    let api = HttpApi::new(
        setup.api,
        Arc::clone(&service),
        clock,
        access.clone(),
        Addresses::new(None, setup.per_second),
        shutdown.clone(),
    );
    TestApi {
        routes: TowerToHyperService::new(routes(api)),
        service,
        access,
        shutdown,
        token: setup.token.map(|(token, _)| token),
    }
}

impl TestApi {
    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.routes.call(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, 64 << 20).await.unwrap();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap());
        request = request.uri(path).header("host", "127.0.0.1:13000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    async fn put(&self, path: &str, report: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.ask("PUT", path, &headers, &report.to_string()).await
    }

    async fn post(&self, media_type: &str, body: &str) -> Answer {
        self.ask("POST", "/v1/reports", &[("content-type", media_type)], body)
            .await
    }

    /// Reports a client at these degrees.
    async fn report(&self, client: &str, latitude: f64, longitude: f64) {
        let report = json!({"latitude": latitude, "longitude": longitude, "time": TIME});
        let answer = self.put(&format!("/v1/clients/{client}"), &report).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

fn ids(answer: &Answer) -> Vec<String> {
    let answer = answer.json();
    let clients = answer["clients"].as_array().unwrap().iter();
    clients
        .map(|client| client["client"].as_str().unwrap().to_owned())
        .collect()
}

/// A token with scopes for vans.
fn with_vans(setup: &mut Setup) {
    let mut grant = Grant::new("vans").unwrap();
    grant.report.add("van*").unwrap();
    grant.ask.add("van7").unwrap();
    grant.forget.add("van8").unwrap();
    setup.token = Some((Token::random(), grant));
}
