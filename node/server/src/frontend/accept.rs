//! Accepting clients, as many as there is room for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::codec::Protocol;
use super::connection::Connection;
use super::service::Service;
use herd_admission::AcceptFailures;
use herd_telemetry::watchdog::HEARTBEAT_INTERVAL;

/// Accepts connections and serves each in a task of its own until `shutdown` and, after that, until
/// all have finished or the drain timeout is over.
pub(super) async fn accept_connections(
    service: &Arc<Service>,
    listener: TcpListener,
    protocol: Protocol,
    shutdown: CancellationToken,
) {
    let statistics = &service.statistics;
    let mut connections = JoinSet::new();
    let mut failures = AcceptFailures::default();
    let watched = service.accepting(protocol).begin();
    loop {
        watched.heartbeat();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => note_end(ended),
            () = tokio::time::sleep(HEARTBEAT_INTERVAL) => {}
            accepted = failures.pass(listener.accept()) => match accepted {
                Ok((stream, peer)) => {
                    failures.ended();
                    let Some(open) = OpenConnection::new(service) else {
                        let open = service.settings.connections_max;
                        statistics.connections_refused.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!(
                            open,
                            "too many connections: new ones are closed at once until others end"
                        );
                        continue;
                    };
                    let Some(place) = service.addresses.enter(peer.ip(), Instant::now()) else {
                        let refused = &statistics.limits.connections_refused_address;
                        refused.fetch_add(1, Ordering::Relaxed);
                        let address = peer.ip();
                        tracing::warn!(%address, "too many connections of an address: closing new ones");
                        continue;
                    };
                    statistics.connections_accepted.fetch_add(1, Ordering::Relaxed);
                    let service = Arc::clone(service);
                    let connection = Connection::new(service, protocol, peer, place, open);
                    // Without a block around it, which would take the same memory once more.
                    connections.spawn(connection.run(stream, shutdown.child_token()));
                }
                Err(error) => {
                    statistics.accept_errors.fetch_add(1, Ordering::Relaxed);
                    failures.failed(&error);
                    tracing::warn!(%error, "cannot accept a client's connection yet; trying again");
                }
            },
        }
    }
    drop(watched);
    // From now on the system refuses connections.
    drop(listener);
    drain(service, connections).await;
}

/// Lets connections finish, then ends those that have not.
async fn drain(service: &Service, mut connections: JoinSet<()>) {
    let finished = async {
        while let Some(ended) = connections.join_next().await {
            note_end(ended);
        }
    };
    let timeout = service.settings.drain_timeout;
    if tokio::time::timeout(timeout, finished).await.is_err() {
        let left = connections.len();
        tracing::warn!(
            left,
            "stopping: clients that did not read their replies in time are cut off"
        );
        connections.abort_all();
        while let Some(ended) = connections.join_next().await {
            note_end(ended);
        }
    }
    // Those that were cut off elsewhere have been told so, and end when they wait next.
    service.in_bulk.close();
    service.in_bulk.wait().await;
}

/// One open connection, as long as this is not dropped.
pub(super) struct OpenConnection(Arc<Service>);

impl OpenConnection {
    /// One more, unless as many are open as may be.
    fn new(service: &Arc<Service>) -> Option<Self> {
        let count = &service.statistics.connections_open;
        let before = count.fetch_add(1, Ordering::Relaxed);
        let open = OpenConnection(Arc::clone(service));
        (before < service.settings.connections_max as u64).then_some(open)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let count = &self.0.statistics.connections_open;
        count.fetch_sub(1, Ordering::Relaxed);
    }
}

fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && !error.is_cancelled()
    {
        tracing::error!(%error, "BUG: the task of a client's connection panicked, and cut the client off");
    }
}
