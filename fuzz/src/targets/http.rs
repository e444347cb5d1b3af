//! A connection to the HTTP port, up to its end.

use std::sync::{Arc, LazyLock};

use axum::Router;
use herd_replica::readiness::Facts;
use herd_server::access::{Access, Tokens};
use herd_server::http::{Endpoints, Health, Limits, guarded, routes, serve_connection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

static ROUTES: LazyLock<Router> = LazyLock::new(|| {
    let health: Arc<Health> = Health::new(Vec::new(), Box::new(Facts::default));
    let endpoints = Endpoints {
        health,
        // Without a token neither is shown, and this server shows no locations.
        status: Box::new(|| unreachable!("BUG: shown without a token")),
        metrics: Box::new(|| unreachable!("BUG: shown without a token")),
        shows_locations: false,
        page: None,
    };
    guarded(
        routes(endpoints),
        Some(Access::new("tokens".into(), Tokens::default())),
    )
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
        let serving = tokio::spawn(serve_connection(
            server,
            ROUTES.clone(),
            Limits::default(),
            shutdown,
        ));
        // It may have been closed already.
        let _ = stranger.write_all(&bytes).await;
        let _ = stranger.shutdown().await;
        let mut reply = Vec::new();
        let _ = stranger.read_to_end(&mut reply).await;
        assert!(reply.is_empty() || reply.starts_with(b"HTTP/1."));
        if let Err(error) = serving.await {
            panic!("the connection panicked: {error}");
        }
    });
}
