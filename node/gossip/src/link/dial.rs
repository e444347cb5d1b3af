//! Connects to a neighbour, and connects again, while there is no link to it. Both ends of a link do.

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

impl DialError {
    fn is_linked(&self) -> bool {
        matches!(self, DialError::Handshake(error) if error.is_linked())
    }

    fn is_unknown_there(&self) -> bool {
        matches!(self, DialError::Handshake(error) if error.is_unknown_there())
    }
}

/// Makes a link to `neighbour` whenever there is none, until told to stop. The neighbour's name is resolved for each
/// attempt, for pods change their address; where the answer is that of before, the neighbour itself may find this server.
pub async fn keep_connected(
    neighbour: Arc<Neighbour>,
    links: Arc<Links>,
    network: Arc<dyn Network>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(RECONNECT_PAUSE_MIN, RECONNECT_PAUSE_MAX);
    let mut log = FailureLog::default();
    if !links.dials_once() && !neighbour.config.leads {
        // Servers of former releases leave it to the other one.
        return stop.cancelled().await;
    }
    while !stop.is_cancelled() {
        let waited_since = Instant::now();
        tokio::select! {
            biased;
            // First: a link that this server ends because it stops is not made again.
            () = stop.cancelled() => return,
            () = may_dial(&neighbour, &links) => {}
        }
        if waited_since.elapsed() > LINK_SILENCE_MAX {
            // A link that the neighbour had made stood.
            backoff.reset();
            log = FailureLog::default();
        }
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
            // The link that there is has another loop of its own.
            Err(error) if error.is_linked() && neighbour.is_up() => continue,
            Err(error) => {
                neighbour.note_known(!error.is_unknown_there());
                log.note(&neighbour, &error);
            }
        }
        let pause = backoff.next_pause(links.entropy.jitter());
        tokio::select! {
            biased;
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Resolves when there is no link, and none is kept down.
async fn may_dial(neighbour: &Neighbour, links: &Links) {
    loop {
        if links.dials_once() {
            neighbour.unlinked().await;
        }
        match neighbour.cut_left() {
            Some(left) => tokio::time::sleep(left).await,
            None => return,
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
        () = stop.cancelled() => return Ok(LinkLost::Stopping),
        agreed = agree(neighbour, links, network) => agreed?,
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
    let Connected { stream, remote } = tokio::select! {
        biased;
        // The neighbour was faster.
        () = neighbour.linked(), if links.dials_once() => Err(HandshakeError::Linked)?,
        connected = connecting => connected.map_err(|_| DialError::TimedOut)??,
    };
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
