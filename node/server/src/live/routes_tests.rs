use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use herd_crdt::Record;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::{Figures, HerdSource};
use super::*;
use crate::settings::Values;
use herd_clock::clock::SystemClock;
use herd_gossip::entropy::Entropy;
use herd_gossip::links::{HerdView, Links};
use herd_locations::Locations;
use herd_places::EmbeddedPlaces;
use herd_replication::figures::Figures as ReplicationFigures;
use herd_topology::{PortBases, builtin};

const PATIENCE: Duration = Duration::from_secs(20);

struct Page {
    locations: Arc<Locations>,
    live: Arc<LivePages>,
    shutdown: CancellationToken,
}

/// The page of Hill, alone.
fn page() -> Page {
    let topology = Arc::new(builtin(PortBases::default()));
    let view = HerdView {
        cluster: topology.cluster().to_string(),
        me: "Hill".into(),
        servers: topology.servers().iter().map(|s| s.name.clone()).collect(),
        neighbours: Vec::new(),
    };
    let clock = Arc::new(SystemClock);
    let links = Arc::new(Links::new(view, Entropy::new(clock.clone(), 1), None));
    let locations = Arc::new(Locations::default());
    let shutdown = CancellationToken::new();
    let live = LivePages::new(
        locations.clone(),
        HerdSource {
            topology,
            links,
            replication: Arc::new(ReplicationFigures::new(std::iter::empty())),
        },
        EmbeddedPlaces::new().unwrap(),
        clock,
        (Values::default().viewers_max, Arc::default()),
        shutdown.clone(),
    );
    Page {
        locations,
        live,
        shutdown,
    }
}

impl Page {
    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let service = routes(self.live.clone());
        tower_call(service, request).await
    }

    /// The reply to `path`, up to `wanted`.
    async fn watch(&self, path: &str, wanted: &str) -> String {
        let response = self.ask(path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = response.into_body().into_data_stream();
        let mut text = String::new();
        while !text.contains(wanted) {
            let bytes = timeout(PATIENCE, body.next()).await;
            let bytes = bytes.unwrap_or_else(|_| panic!("no {wanted} in {text}"));
            text.push_str(std::str::from_utf8(&bytes.unwrap().unwrap()).unwrap());
        }
        text
    }
}

async fn tower_call(mut routes: Router, request: Request) -> Response {
    use hyper::service::Service as _;
    let _ = &mut routes;
    hyper_util::service::TowerToHyperService::new(routes)
        .call(request)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_page_is_handed_out_with_a_strict_policy_and_once() {
    let page = page();
    let response = page.ask("/", &[("host", "localhost:13000")]).await;
    assert_eq!(response.status(), StatusCode::OK);
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
    let tag = response.headers()[header::ETAG].clone();
    let text = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert!(text.starts_with(b"<!doctype html>"));
    let again = page
        .ask("/", &[("if-none-match", tag.to_str().unwrap())])
        .await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn events_tell_of_the_herd_the_clients_and_the_chosen_one() {
    let page = page();
    let running = tokio::spawn(page.live.clone().run(Figures::default));
    let id = b"<img/src=x>\xff\"\xe2\x80\xa8";
    let record = Record::new(
        id,
        b"+34.068930-118.445127",
        b"1520023934.9",
        "Hill".into(),
        0,
    );
    page.locations.report(record.unwrap());
    let client = super::super::client_text::encoded(id);
    let text = page
        .watch(&format!("/live/events?client={client}"), "event: client")
        .await;
    let text = if text.contains("event: herd") {
        text
    } else {
        text + &page.watch("/live/events", "event: herd").await
    };
    let data = |name: &str| -> serde_json::Value {
        let (_, rest) = text.split_once(&format!("event: {name}\ndata: ")).unwrap();
        serde_json::from_str(rest.lines().next().unwrap()).unwrap()
    };
    assert_eq!(data("hello")["server"], "Hill");
    let herd = data("herd");
    assert_eq!(herd["servers"][0]["state"], "here");
    assert_eq!(herd["servers"][1]["state"], "unheard");
    assert_eq!(herd["links"][0]["state"], "down");
    assert_eq!(
        data("map")["added"][0][5],
        r#"<img/src=x>\xff"\xe2\x80\xa8"#
    );
    let record = &data("client")["record"];
    assert_eq!(record["id"], client);
    assert_eq!(record["location"], "+34.068930-118.445127");
    assert_eq!(record["difference"], "-1520023934.900000000");
    assert_eq!(record["places"]["results"][0]["name"], "Bel Air");
    page.shutdown.cancel();
    timeout(PATIENCE, running).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_unknown_client_is_shown_as_unknown() {
    let page = page();
    let running = tokio::spawn(page.live.clone().run(Figures::default));
    let text = page
        .watch("/live/events?client=a2l3aQ", "event: client")
        .await;
    assert!(text.contains("{\"record\":null}"), "{text}");
    page.shutdown.cancel();
    timeout(PATIENCE, running).await.unwrap().unwrap();
}

#[tokio::test]
async fn one_page_too_many_is_refused_until_another_closes() {
    let page = page();
    let mut open = Vec::new();
    for _ in 0..Values::default().viewers_max {
        open.push(page.ask("/live/events", &[]).await);
    }
    let refused = page.ask("/live/events", &[]).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    let text = to_bytes(refused.into_body(), 1_000).await.unwrap();
    assert!(text.starts_with(b"16 pages of this server are open"));
    open.pop();
    let admitted = page.ask("/live/events", &[]).await;
    assert_eq!(admitted.status(), StatusCode::OK);
    let wrong = page.ask("/live/events?view=x", &[]).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let page = page();
    let response = page.ask("/live/events", &[]).await;
    let mut body = response.into_body().into_data_stream();
    body.next().await.unwrap().unwrap();
    page.shutdown.cancel();
    let ended = timeout(PATIENCE, async { while body.next().await.is_some() {} });
    ended.await.expect("the stream should end");
}

/// A page that takes nothing for a while is told the difference to the newest, not every step.
#[tokio::test]
async fn a_slow_page_skips_states_in_between() {
    let page = page();
    let running = tokio::spawn(page.live.clone().run(Figures::default));
    let report = |step: usize| {
        let (location, time) = (format!("+{}+0", step % 90), step.to_string());
        let record = Record::new(
            b"kiwi",
            location.as_bytes(),
            time.as_bytes(),
            "Hill".into(),
            0,
        );
        page.locations.report(record.unwrap());
    };
    report(1);
    let slow = page.ask("/live/events", &[]).await;
    let mut body = slow.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("event: map") {
        let bytes = timeout(PATIENCE, body.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    for step in 2..=60 {
        report(step);
        // Another page sees every step that a walk sees; this one reads nothing.
        if step.is_multiple_of(20) {
            let wanted = format!(",{step}.0,0.0,1,0");
            page.watch("/live/events", &wanted).await;
        }
    }
    text.clear();
    while !text.contains(",60.0,0.0,1,0") {
        let bytes = timeout(PATIENCE, body.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    assert!(
        !text.contains(",20.0,0.0,") && !text.contains(",40.0,0.0,"),
        "{text}"
    );
    page.shutdown.cancel();
    timeout(PATIENCE, running).await.unwrap().unwrap();
}
