//! Accepts and bounds HTTP connections.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::{HttpStatistics, Limits};

/// The pause after the system refused a connection, most likely for want of descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves `routes` until `shutdown`; then accepts no more, and returns when requests in flight are
/// answered or [`Limits::drain_timeout`] is over.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    statistics: Arc<HttpStatistics>,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let open = connections.len() as u64;
        statistics.connections_open.store(open, Ordering::Relaxed);
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => note_panic(ended),
            (stream, slot) = accept(&listener, &slots) => {
                connections.spawn(connection(
                    stream,
                    slot,
                    routes.clone(),
                    limits,
                    shutdown.clone(),
                ));
                if slots.available_permits() == 0 {
                    statistics.connections_full.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
    drop(listener);
    let drained = timeout(limits.drain_timeout, async {
        while let Some(ended) = connections.join_next().await {
            note_panic(ended);
        }
    });
    if drained.await.is_err() {
        warn!(
            connections = connections.len(),
            "stopping: HTTP connections that did not finish in time are cut off"
        );
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(%error, "BUG: the task of an HTTP connection panicked, and cut it off");
    }
}

/// The next connection, once there is a free slot for it.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, Option<Slot>) {
    // Never closed, so there is always a permit in the end.
    let slot = slots.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                warn!(%error, "cannot accept an HTTP connection yet; trying again");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

type Slot = OwnedSemaphorePermit;

async fn connection(
    stream: TcpStream,
    _slot: Option<Slot>,
    routes: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    // Without it, a client that never reads its replies would hold its slot for ever.
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(limits.write_timeout)) {
        debug!("an http connection has no write timeout: {error}");
    }
    serve_connection(stream, routes, limits, shutdown).await;
}

/// Serves one connection to its end.
pub async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    routes: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        .max_buf_size(limits.head_bytes_max)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!("an http connection ended early: {error}");
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
