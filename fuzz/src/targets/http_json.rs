//! A connection to HTTP/JSON, up to its end; and bodies of many reports.

use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use herd_acknowledgement::{AckLevel, Acknowledgements};
use herd_admission::Addresses;
use herd_clock::clock::SystemClock;
use herd_locations::Locations;
use herd_server::http::{Limits, serve_connection};
use herd_server::http_json::{HttpApi, HttpApiSettings, routes, split_for_fuzzing};
use herd_server::location_service::{LocationService, ServiceSettings};
use herd_server::settings::Values;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::searches::NoPlaces;

static ROUTES: LazyLock<Router> = LazyLock::new(|| {
    let values = Values::default();
    let acknowledgements = Acknowledgements::new(AckLevel::Memory, Duration::from_secs(1));
    let mut settings = ServiceSettings::new("Hill".into(), &values);
    settings.room.clients_max = Some(1_000);
    let service = LocationService::new(
        settings,
        Arc::<Locations>::default(),
        Arc::new(acknowledgements),
        Arc::new(NoPlaces),
    );
    let settings = HttpApiSettings {
        // Their events would not end.
        watchers_max: 0,
        ..HttpApiSettings::new(&values)
    };
    routes(HttpApi::new(
        settings,
        Arc::new(service),
        Arc::new(SystemClock),
        None,
        Addresses::new(None, NonZeroU32::new(1_000_000_000)),
        CancellationToken::new(),
    ))
});

pub(super) fn run(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let Ok(runtime) = runtime else {
        panic!("no runtime");
    };
    let bytes = bytes.to_vec();
    runtime.block_on(async move {
        let (mut stranger, server) = tokio::io::duplex(1 << 20);
        let shutdown = CancellationToken::new();
        let routes = ROUTES.clone();
        let serving = serve_connection(server, routes, Limits::default(), shutdown);
        let serving = tokio::spawn(serving);
        // It may have been closed already.
        let _ = stranger.write_all(&bytes).await;
        let _ = stranger.shutdown().await;
        let mut reply = Vec::new();
        let _ = stranger.read_to_end(&mut reply).await;
        assert!(reply.is_empty() || reply.starts_with(b"HTTP/1."));
        assert!(
            !reply.starts_with(b"HTTP/1.1 500"),
            "{}",
            reply.escape_ascii()
        );
        if let Err(error) = serving.await {
            panic!("the connection panicked: {error}");
        }
    });
}

/// A report of one client.
pub(super) fn run_put(body: &[u8]) {
    run_body("PUT /v1/clients/kiwi", "application/json", body);
}

/// Many reports: an array, and lines.
pub(super) fn run_batch(body: &[u8]) {
    for media_type in ["application/json", "application/x-ndjson"] {
        run_body("POST /v1/reports", media_type, body);
    }
}

/// A message of OwnTracks.
pub(super) fn run_owntracks(body: &[u8]) {
    run_body("POST /owntracks?u=ada&d=phone", "application/json", body);
}

/// A form, or a message, of apps that speak OsmAnd's protocol.
pub(super) fn run_osmand(body: &[u8]) {
    run_body("POST /osmand", "application/x-www-form-urlencoded", body);
}

/// A batch of Overland.
pub(super) fn run_overland(body: &[u8]) {
    run_body("POST /overland", "application/json", body);
}

/// One request with this body, whatever its length.
fn run_body(request: &str, media_type: &str, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {media_type}\r\n\
         content-length: {length}\r\n\r\n"
    );
    run(&[head.as_bytes(), body].concat());
}

/// The reports of a body are the same in whatever pieces it comes.
pub(super) fn run_reports(bytes: &[u8]) {
    let whole = split_for_fuzzing(bytes, usize::MAX);
    for piece in [1, 2, 7, 64] {
        assert_eq!(split_for_fuzzing(bytes, piece), whole, "by {piece}");
    }
}
