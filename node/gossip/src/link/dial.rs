//! The side of a link that connects, and connects again.

use std::sync::Arc;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::frame::{FrameStream, framed};
use super::handshake::{Agreement, initiate};
use super::handshake_error::HandshakeError;
use super::network::{ConnectError, Connected, LinkStream, Network, Secured};
use super::offer::Layout;
use super::session::{self, LinkLost};
use crate::links::Links;
use crate::neighbour::Neighbour;
use crate::timing::{
    CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, LINK_SILENCE_MAX, RECONNECT_LOG_INTERVAL,
    RECONNECT_PAUSE_MAX, RECONNECT_PAUSE_MIN,
};
use herd_replica::backoff::Backoff;
use herd_tls::Side;

/// An attempt that did not end in a link.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("cannot connect within {} s", CONNECT_TIMEOUT.as_secs())]
    TimedOut,
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

/// Keeps the link to `neighbour` up until told to stop. The neighbour's name is resolved for each
/// attempt, for pods change their address.
pub async fn keep_connected(
    neighbour: Arc<Neighbour>,
    links: Arc<Links>,
    network: Arc<dyn Network>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(RECONNECT_PAUSE_MIN, RECONNECT_PAUSE_MAX);
    let mut log = FailureLog::default();
    while !stop.is_cancelled() {
        let started = Instant::now();
        match dial(&neighbour, &links, &*network, &stop).await {
            Ok(LinkLost::Stopping) => return,
            Ok(lost) => {
                if let LinkLost::Distrusted(fault) = lost {
                    warn!(neighbour = %neighbour.config.name, reason = %fault, "link cut");
                }
                log = FailureLog::default();
                // A link that fails as soon as it is made is as good as none.
                if started.elapsed() > LINK_SILENCE_MAX {
                    backoff.reset();
                }
            }
            Err(error) => log.note(&neighbour, &error),
        }
        let pause = backoff
            .next_pause(links.entropy.jitter())
            .max(neighbour.cut_left().unwrap_or_default());
        tokio::select! {
            biased;
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Makes the link once, and runs it until it is lost.
async fn dial(
    neighbour: &Arc<Neighbour>,
    links: &Links,
    network: &dyn Network,
    stop: &CancellationToken,
) -> Result<LinkLost, DialError> {
    let (frames, agreement, remote) = tokio::select! {
        biased;
        agreed = agree(neighbour, links, network) => agreed?,
        () = stop.cancelled() => return Ok(LinkLost::Stopping),
    };
    Ok(session::run(frames, agreement, links, &remote, stop).await)
}

/// A connection over which both sides have agreed on a link, and the address at its other end.
type Agreed = (FrameStream<Box<dyn LinkStream>>, Agreement, String);

/// Asks the neighbour in the newest layout of hello, and over a second connection in the former one if it reads
/// no other. Nothing of that is remembered: the next process of the neighbour may read both.
async fn agree(
    neighbour: &Arc<Neighbour>,
    links: &Links,
    network: &dyn Network,
) -> Result<Agreed, DialError> {
    match ask(neighbour, links, network, links.offer().layout()).await {
        Err(DialError::Handshake(HandshakeError::SpeaksFormer)) => {
            ask(neighbour, links, network, Layout::Former).await
        }
        asked => asked,
    }
}

/// Connects, and shakes hands in this layout.
async fn ask(
    neighbour: &Arc<Neighbour>,
    links: &Links,
    network: &dyn Network,
    layout: Layout,
) -> Result<Agreed, DialError> {
    let connecting = timeout(CONNECT_TIMEOUT, network.connect(&neighbour.config.address));
    let Connected { stream, remote } = connecting.await.map_err(|_| DialError::TimedOut)??;
    let securing = network.secure(stream, Side::Dialled);
    let Secured { stream, peer } = timeout(HANDSHAKE_TIMEOUT, securing)
        .await
        .map_err(|_| HandshakeError::TimedOut)?
        .map_err(HandshakeError::from)?;
    let mut frames = framed(stream);
    let agreement = initiate(&mut frames, links, neighbour, peer, layout).await?;
    Ok((frames, agreement, remote))
}

/// Logs the first failure, every other reason, and a reminder now and then.
#[derive(Default)]
struct FailureLog {
    last: Option<(String, Instant)>,
}

impl FailureLog {
    fn note(&mut self, neighbour: &Neighbour, error: &DialError) {
        let reason = error.to_string();
        neighbour.note_trouble(reason.clone());
        let now = Instant::now();
        let is_news = self.last.as_ref().is_none_or(|(last_reason, logged)| {
            *last_reason != reason || now.duration_since(*logged) >= RECONNECT_LOG_INTERVAL
        });
        if !is_news {
            return;
        }
        let (name, address) = (&neighbour.config.name, &neighbour.config.address);
        let refused = matches!(
            error,
            DialError::Handshake(
                HandshakeError::Refused { .. }
                    | HandshakeError::NoCommonVersion(_)
                    | HandshakeError::SpeaksFormer
                    | HandshakeError::RefusedByOther(_)
                    | HandshakeError::StolenName { .. }
                    | HandshakeError::SpeaksTls
                    | HandshakeError::Tls(_)
            )
        );
        if refused {
            warn!(neighbour = %name, %address, %reason, "link refused, trying on");
        } else {
            info!(neighbour = %name, %address, %reason, "neighbour not reached, trying on");
        }
        self.last = Some((reason, now));
    }
}
