//! The side of a link that accepts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::closed_counts::ClosedReason;
use super::frame::framed;
use super::handshake::answer;
use super::handshake_error::HandshakeError;
use super::network::{Connected, Network, Secured};
use super::session::{self, LinkLost};
use crate::links::Links;
use crate::timing::{HANDSHAKE_TIMEOUT, SPARE_PEER_CONNECTIONS_MAX};
use herd_admission::{AcceptFailures, Admission, Admitted};
use herd_tls::Side;

/// Connections that were displaced and have not ended yet. While there are more, none is accepted.
const ENDING_MAX: usize = 16;

/// Connections that may be open at once, beyond one for each neighbour.
pub const STRANGERS_MAX: usize = SPARE_PEER_CONNECTIONS_MAX + ENDING_MAX;

/// Takes in connections of other servers until told to stop. Those that have not shaken hands make
/// room for newcomers: a neighbour does that at once.
pub async fn serve(
    network: Arc<dyn Network>,
    links: Arc<Links>,
    strangers_per_address_max: Option<usize>,
    stop: CancellationToken,
) {
    let neighbours = links.neighbours().len();
    let admission = Admission::new(
        neighbours + SPARE_PEER_CONNECTIONS_MAX,
        strangers_per_address_max.map(|strangers| neighbours.saturating_add(strangers)),
    );
    let open_max = neighbours + STRANGERS_MAX;
    let mut failures = AcceptFailures::default();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    warn!(%error, "BUG: the task of a peer connection panicked");
                }
            }
            accepted = failures.pass(network.accept()), if connections.len() < open_max => match accepted {
                Ok(connected) => {
                    failures.ended();
                    match admission.enter(address_of(&connected.remote), Instant::now()) {
                        Ok((admitted, _met)) => {
                            let stranger = Stranger { connected, admitted };
                            let (network, links) = (network.clone(), links.clone());
                            connections.spawn(stranger.welcome(network, links, stop.clone()));
                        }
                        Err(_met) => {
                            links.closed().add(ClosedReason::Full);
                            note_closed(&connected.remote, "there are too many peer connections");
                        }
                    }
                }
                Err(error) => {
                    failures.failed(&error);
                    warn!(%error, "cannot accept a peer connection yet; trying again");
                }
            },
        }
    }
    while connections.join_next().await.is_some() {}
}

/// The address of who connected. A network that is not TCP has none, and all count as one.
fn address_of(remote: &str) -> IpAddr {
    let address = remote.parse::<SocketAddr>();
    address.map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip())
}

/// A connection that may become a link.
struct Stranger {
    connected: Connected,
    admitted: Admitted,
}

impl Stranger {
    async fn welcome(self, network: Arc<dyn Network>, links: Arc<Links>, stop: CancellationToken) {
        let Stranger {
            connected: Connected { stream, remote },
            admitted,
        } = self;
        let agreeing = async {
            let securing = network.secure(stream, Side::Accepted);
            let Secured { stream, peer } = timeout(HANDSHAKE_TIMEOUT, securing)
                .await
                .map_err(|_| HandshakeError::TimedOut)??;
            let mut frames = framed(stream);
            let agreement = answer(&mut frames, &links, peer).await?;
            Ok::<_, HandshakeError>((frames, agreement))
        };
        // First the handshake: what has come already is taken up before the connection can be
        // displaced.
        let agreed = tokio::select! {
            biased;
            agreed = agreeing => agreed,
            () = admitted.displaced() => {
                links.closed().add(ClosedReason::Displaced);
                note_closed(&remote, "it had not shaken hands when others came");
                return;
            }
            () = stop.cancelled() => return,
        };
        match agreed {
            Ok((frames, agreement)) => {
                admitted.proved();
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
}

/// Logs that a connection was closed before it became a link. The log leaves repeats out.
fn note_closed(remote: &str, reason: &str) {
    warn!(%remote, reason, "peer connection without a handshake closed");
}
