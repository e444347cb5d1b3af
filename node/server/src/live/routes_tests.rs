use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use herd_crdt::Record;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::{Figures, HerdSource, LiveSettings, LiveSources};
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
    page_with(None)
}

fn page_with(tiles: Option<MapTiles>) -> Page {
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
    let sources = LiveSources {
        locations: locations.clone(),
        herd: HerdSource {
            topology,
            links,
            replication: Arc::new(ReplicationFigures::new(std::iter::empty())),
        },
        places: EmbeddedPlaces::new().unwrap(),
        clock,
        access: None,
        statistics: Arc::default(),
    };
    let settings = LiveSettings {
        viewers_max: Values::default().viewers_max,
        tiles,
    };
    let live = LivePages::new(sources, settings, shutdown.clone());
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
    assert!(policy.contains("img-src 'self';"), "{policy}");
    let tag = response.headers()[header::ETAG].clone();
    let text = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert!(text.starts_with(b"<!doctype html>"));
    let again = page
        .ask("/", &[("if-none-match", tag.to_str().unwrap())])
        .await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert!(
        again
            .headers()
            .contains_key(header::CONTENT_SECURITY_POLICY)
    );
    let weak = format!("\"x\", W/{}", tag.to_str().unwrap());
    let again = page.ask("/", &[("if-none-match", &weak)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    // With other rights a browser that has the page takes it anew.
    let template = "https://tile.example/{z}/{x}/{y}.png".parse().unwrap();
    let page = page_with(Some(MapTiles::new(&template, "")));
    let headers = [("if-none-match", tag.to_str().unwrap())];
    assert_eq!(page.ask("/", &headers).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn files_are_compressed_for_those_who_can_read_it() {
    let page = page();
    let ask = async |encodings: &'static str| {
        let headers = [("accept-encoding", encodings)];
        let response = page.ask("/page/leaflet.js", &headers).await;
        let encoding = response.headers().get(header::CONTENT_ENCODING).cloned();
        let tag = response.headers()[header::ETAG].clone();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (encoding, tag, body)
    };
    let (none, plain_tag, plain) = ask("identity").await;
    assert!(none.is_none() && plain.starts_with(b"/* @preserve"));
    let (gzip, gzip_tag, compressed) = ask("deflate, gzip, br").await;
    assert_eq!(gzip.unwrap(), "gzip");
    assert!(compressed.len() < plain.len() / 3 && gzip_tag != plain_tag);
    let mut read = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&compressed[..]);
    std::io::Read::read_to_string(&mut decoder, &mut read).unwrap();
    assert_eq!(read.as_bytes(), plain);
}

#[tokio::test]
async fn images_are_let_through_from_the_server_of_tiles_and_nowhere_else() {
    let template = "https://{s}.tile.example/{z}/{x}/{y}.png".parse().unwrap();
    let page = page_with(Some(MapTiles::new(&template, "Them & others")));
    let response = page.ask("/", &[]).await;
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    let sources: Vec<&str> = policy.split("; ").collect();
    assert!(sources.contains(&"img-src 'self' https://*.tile.example data:"));
    assert!(sources.contains(&"connect-src 'self'") && sources.contains(&"script-src 'self'"));
    let running = tokio::spawn(page.live.clone().run(Figures::default));
    let text = page.watch("/live/events", "event: hello").await;
    assert!(text.contains(r#""tiles":{"template":"https://{s}.tile.example/{z}/{x}/{y}.png","attribution":"Them & others"}"#));
    page.shutdown.cancel();
    timeout(PATIENCE, running).await.unwrap().unwrap();
}

#[tokio::test]
async fn clients_are_found_and_places_named() {
    let page = page();
    for client in ["Van-1", "van-2", "kiwi"] {
        let record = Record::new(client.as_bytes(), b"+1+1", b"1", "Hill".into(), 0);
        page.locations.report(record.unwrap());
    }
    let ask = async |path: &str| -> serde_json::Value {
        let response = page.ask(path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    };
    let found = ask("/live/find?begins=v%61N").await;
    assert_eq!(found[0]["label"], "Van-1");
    assert_eq!(found[1]["label"], "van-2");
    assert_eq!(found.as_array().unwrap().len(), 2);
    let names = ask("/live/names?view=59.5,20.5,70.1,31.5&zoom=5").await;
    let names = names.as_array().unwrap();
    assert!(names.iter().any(|name| name["name"] == "Helsinki"));
    assert!(names.len() <= NAMES_MAX);
    let wrong = page.ask("/live/names?view=x", &[]).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
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
    assert_eq!(herd["cut_off"], true);
    assert_eq!(herd["servers"][1]["state"], "unknown");
    let state_of = |a: u64, b: u64| {
        let links = herd["links"].as_array().unwrap();
        let link = links
            .iter()
            .find(|link| (link["a"] == a) && (link["b"] == b));
        link.unwrap()["state"].clone()
    };
    // Hill knows that its own link is down, and cannot know about that of two others.
    assert_eq!(state_of(0, 1), "down");
    assert_eq!(state_of(4, 2), "unknown");
    assert_eq!(data("client")["may_forget"], true);
    assert_eq!(
        data("map")["added"][0][6],
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
    assert!(text.contains("{\"record\":null,"), "{text}");
    assert!(text.contains("\"whole\":true,\"clients\":0"), "{text}");
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
            let wanted = format!(",{step}.0,0.0,1,0,{step}");
            page.watch("/live/events", &wanted).await;
        }
    }
    text.clear();
    while !text.contains(",60.0,0.0,1,0,60") {
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
