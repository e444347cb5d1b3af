//! The side of a link that accepts.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::closed_counts::ClosedReason;
use super::frame::framed;
use super::handshake::{HandshakeError, answer};
use super::network::{Connected, Network, Secured};
use super::session::{self, LinkLost};
use crate::replication::links::Links;
use crate::replication::timing::{HANDSHAKE_TIMEOUT, SPARE_PEER_CONNECTIONS_MAX};
use crate::tls::Side;

/// After an error of `accept`, such as too many open files, others get a chance to close some.
const ACCEPT_ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Takes in connections of other servers until told to stop.
pub async fn serve(network: Arc<dyn Network>, links: Arc<Links>, stop: CancellationToken) {
    let connections_max = links.neighbours().len() + SPARE_PEER_CONNECTIONS_MAX;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = network.accept() => match accepted {
                Ok(connected) if connections.len() < connections_max => {
                    let (network, links) = (network.clone(), links.clone());
                    connections.spawn(welcome(connected, network, links, stop.clone()));
                }
                Ok(Connected { remote, .. }) => {
                    links.closed().add(ClosedReason::Full);
                    note_closed(&remote, "there are too many peer connections");
                }
                Err(error) => {
                    warn!(%error, "cannot accept a peer connection, trying on");
                    tokio::time::sleep(ACCEPT_ERROR_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    warn!(%error, "BUG: the task of a peer connection panicked");
                }
            }
            () = stop.cancelled() => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn welcome(
    connected: Connected,
    network: Arc<dyn Network>,
    links: Arc<Links>,
    stop: CancellationToken,
) {
    let Connected { stream, remote } = connected;
    let agreeing = async {
        let securing = network.secure(stream, Side::Accepted);
        let Secured { stream, peer } = timeout(HANDSHAKE_TIMEOUT, securing)
            .await
            .map_err(|_| HandshakeError::TimedOut)??;
        let mut frames = framed(stream);
        let agreement = answer(&mut frames, &links, peer).await?;
        Ok::<_, HandshakeError>((frames, agreement))
    };
    let agreed = tokio::select! {
        agreed = agreeing => agreed,
        () = stop.cancelled() => return,
    };
    match agreed {
        Ok((frames, agreement)) => {
            let lost = session::run(frames, agreement, &links, &remote, &stop).await;
            if let LinkLost::Distrusted(fault) = lost {
                warn!(%remote, reason = %fault, "link cut");
            }
        }
        Err(error) => {
            links.closed().add(ClosedReason::of(&error));
            note_closed(&remote, &error.to_string());
        }
    }
}

/// Logs that a connection was closed before it became a link. The log leaves repeats out.
fn note_closed(remote: &str, reason: &str) {
    warn!(%remote, reason, "peer connection without a handshake closed");
}
