//! Accepts and bounds HTTP connections.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::answering::FlushedStream;
use super::places::{Doors, Seat};
use super::requests::Requests;
use super::{HttpStatistics, Limits};
use herd_admission::AcceptFailures;
use herd_tls::TlsFault;
use herd_tls::client_port::{self, ClientPeer, ClientPortCredentials};

/// Serves `routes`, over TLS if there is any, until `shutdown`; then accepts no more, and returns when requests in flight
/// are answered or [`Limits::drain_timeout`] is over.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    (limits, tls): (Limits, Option<Arc<ClientPortCredentials>>),
    statistics: Arc<HttpStatistics>,
    shutdown: CancellationToken,
) {
    let mut doors = Doors::new(&limits, statistics.clone());
    let mut failures = AcceptFailures::default();
    let mut connections = JoinSet::new();
    loop {
        let open = connections.len();
        let count = &statistics.connections_open;
        count.store(open as u64, Ordering::Relaxed);
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => note_panic(ended),
            accepted = failures.pass(listener.accept()), if open < limits.open_max() => {
                match accepted {
                    Ok((stream, peer)) => {
                        failures.ended();
                        if let Some(seat) = doors.let_in(peer.ip()) {
                            let tls = tls.clone();
                            let serving = Serving { stream, peer, seat, limits, tls };
                            connections.spawn(serving.run(routes.clone(), statistics.clone(), shutdown.clone()));
                        }
                    }
                    Err(error) => {
                        failures.failed(&error);
                        warn!(%error, "cannot accept an HTTP connection yet; trying again");
                    }
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

/// A connection that was let in.
struct Serving {
    stream: TcpStream,
    peer: SocketAddr,
    seat: Seat,
    limits: Limits,
    tls: Option<Arc<ClientPortCredentials>>,
}

impl Serving {
    async fn run(
        self,
        routes: Router,
        statistics: Arc<HttpStatistics>,
        shutdown: CancellationToken,
    ) {
        let Serving {
            stream,
            peer,
            seat,
            limits,
            tls,
        } = self;
        if let Err(error) = prepare(&stream, &limits) {
            debug!(%peer, "an http connection may be slow, or have no write timeout: {error}");
        }
        let counts = Arc::clone(&statistics);
        let requests = Requests::new(routes, peer.ip(), seat, statistics, limits.write_timeout);
        let Some(tls) = tls else {
            serve_over(stream, requests, limits, shutdown).await;
            return;
        };
        let shaking = shake_hands(&tls, stream, &requests, &limits, &shutdown);
        match Box::pin(shaking).await {
            Ok(Some((stream, client))) => {
                let serving = serve_over(stream, requests, limits, shutdown);
                tokio::select! {
                    () = serving => {}
                    fault = distrusted(client.as_ref()) => {
                        debug!(%peer, "an http connection is cut off: {fault}");
                    }
                }
            }
            Ok(None) => {}
            Err(fault) => {
                counts.tls_failed.fetch_add(1, Ordering::Relaxed);
                debug!(%peer, "an http connection has no TLS: {fault}");
            }
        }
    }
}

fn prepare(stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    // Else the last piece of an answer, or an event, would wait until the client acknowledges the one before: 40 ms.
    stream.set_nodelay(true)?;
    // Else a client that never reads its replies would hold its place for ever.
    SockRef::from(stream).set_tcp_user_timeout(Some(limits.write_timeout))
}

/// A connection over TLS, with the certificate of its client if it had to show one.
type Encrypted = (TlsStream<TcpStream>, Option<ClientPeer>);

/// Agrees on TLS. Nothing if the server stops, a newcomer needs the place, or it takes too long.
async fn shake_hands(
    tls: &Arc<ClientPortCredentials>,
    stream: TcpStream,
    requests: &Requests,
    limits: &Limits,
    shutdown: &CancellationToken,
) -> Result<Option<Encrypted>, TlsFault> {
    let limit = match requests.is_for_probes() {
        true => limits.probe_read_timeout,
        false => limits.handshake_timeout,
    };
    tokio::select! {
        accepted = timeout(limit, client_port::accept(tls, stream)) => match accepted {
            Ok(accepted) => accepted.map(Some),
            Err(_) => Ok(None),
        },
        () = requests.answering().displaced() => Ok(None),
        () = shutdown.cancelled() => Ok(None),
    }
}

/// Resolves when the certificate of the client is no longer good, if it had to show one.
async fn distrusted(client: Option<&ClientPeer>) -> TlsFault {
    match client {
        Some(client) => client.distrusted().await,
        None => std::future::pending().await,
    }
}

/// Serves one connection to its end.
pub async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    routes: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let requests = Requests::unbounded(routes);
    serve_over(stream, requests, limits, shutdown).await;
}

async fn serve_over<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    requests: Requests,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let answering = requests.answering().clone();
    let for_probes = requests.is_for_probes();
    let read_timeout = if for_probes {
        limits.probe_read_timeout
    } else {
        limits.header_read_timeout
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(read_timeout)
        .max_buf_size(limits.head_bytes_max)
        .keep_alive(!for_probes)
        .serve_connection(
            TokioIo::new(FlushedStream::new(stream, answering.clone())),
            requests,
        );
    let mut connection = pin!(connection);
    // First the connection: a request that has come already is taken up before the connection can be displaced.
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = answering.displaced() => {
            if !answering.is_under_way() {
                return;
            }
            // Without a place only small replies are made. A large one is under way only if its client has
            // not taken its end within the write timeout.
            connection.as_mut().graceful_shutdown();
            match timeout(limits.displaced_timeout, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
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
