//! The end of a link: why, and what is done then.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::crossing::Standing;
use super::frame::{Frame, FrameError, FrameStream};
use super::refusal::{Refusal, RefusalReason};
use crate::guard::Fault;
use crate::incarnation::Incarnation;
use crate::links::Links;
use crate::neighbour::Neighbour;
use crate::timing::{GIVEN_WAY_MAX, LINK_SILENCE_MAX, LINK_WRITE_TIMEOUT};
use herd_tls::TlsFault;

/// Why a link that was up is not any more.
#[derive(Debug, thiserror::Error)]
pub enum LinkLost {
    /// The other side closed it.
    #[error("closed by the other side")]
    Closed,
    /// Nothing came for too long.
    #[error("nothing heard for {} s", LINK_SILENCE_MAX.as_secs())]
    Silent,
    /// The other side took nothing off it for too long.
    #[error("nothing could be sent for {} s", LINK_WRITE_TIMEOUT.as_secs())]
    Stuck,
    /// The connection failed.
    #[error("connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// What came is not a frame.
    #[error("cut off: {0}")]
    Frame(#[from] FrameError),
    /// A message of gossip was refused.
    #[error("cut off: {0}")]
    Refused(#[from] Fault),
    /// What came does not belong there.
    #[error("cut off: an unexpected frame of the handshake")]
    Unexpected,
    /// The other side told us that it does not want us any more.
    #[error("ended by the other side: a newer process of our name is alive")]
    Superseded,
    /// The neighbour made a newer connection, or the link is cut for a while.
    #[error("replaced by a newer connection, or cut for a while")]
    Replaced,
    /// It crossed another connection of the two, which is the link.
    #[error("another connection of the two servers is the link")]
    GaveWay,
    /// The other side's certificate is not good any more.
    #[error("cut off: {0}")]
    Distrusted(TlsFault),
    /// It was made in the layout of hello that former servers read, and is made anew: the neighbour may read a
    /// later one by now.
    #[error("made anew, for the neighbour may speak a later link protocol by now")]
    Outdated,
    /// This server goes on as another incarnation.
    #[error("this server takes a new incarnation")]
    NewIncarnation,
    /// This server stops.
    #[error("this server stops")]
    Stopping,
}

impl LinkLost {
    /// Whether this server ends the link on purpose, to make it anew or because it stops.
    fn is_wanted(&self) -> bool {
        matches!(
            self,
            LinkLost::Replaced
                | LinkLost::GaveWay
                | LinkLost::Outdated
                | LinkLost::NewIncarnation
                | LinkLost::Stopping
        )
    }
}

/// A link that runs no more.
pub(super) struct Ending<'a> {
    pub(super) neighbour: &'a Neighbour,
    pub(super) incarnation: &'a Incarnation,
    pub(super) standing: Standing,
    pub(super) remote: &'a str,
}

impl Ending<'_> {
    /// Notes that the connection of this number has ended, and takes leave of the other side. Returns why it ended.
    pub(super) async fn end<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        lost: LinkLost,
        number: u64,
        (sink, stream): (
            &mut SplitSink<FrameStream<S>, Bytes>,
            &mut SplitStream<FrameStream<S>>,
        ),
        links: &Links,
        stop: &CancellationToken,
    ) -> LinkLost {
        let newer = self.neighbour.disconnected(number);
        let lost = match newer {
            Some(newer) if newer.crosses(self.standing) => LinkLost::GaveWay,
            _ => lost,
        };
        if newer.is_none() {
            self.neighbour.note_trouble(lost.to_string());
        }
        note_lost(self.incarnation, self.remote, &lost, links);
        if let Some(observer) = &links.observer {
            observer.link_lost(&self.incarnation.server, self.remote, &lost.to_string());
        }
        match newer {
            Some(newer) if newer.generation > self.incarnation.generation => {
                // The older process learns it here, or when it tries to come back.
                let _ = timeout(LINK_WRITE_TIMEOUT, tell_superseded(sink, newer)).await;
            }
            Some(newer) => leave_to_other(stream, self.standing, newer, stop).await,
            None => {}
        }
        lost
    }
}

async fn tell_superseded<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut SplitSink<FrameStream<S>, Bytes>,
    newer: Standing,
) {
    let reason = Some(RefusalReason::Superseded);
    let refusal = Frame::Refusal(Refusal {
        reason,
        known_of_other: newer.generation,
        speaks: None,
    });
    if let Ok(bytes) = refusal.encode() {
        let _ = sink.send(bytes).await;
    }
}

/// Waits until the other end closes a connection that gave way to `kept`, where that is its turn. What comes is for the
/// link, which brings it again.
pub(super) async fn leave_to_other<T>(
    frames: &mut (impl Stream<Item = T> + Unpin),
    lost: Standing,
    kept: Standing,
    stop: &CancellationToken,
) {
    if !lost.is_closed_by_other(kept) {
        return;
    }
    let closed = async { while frames.next().await.is_some() {} };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        _ = timeout(GIVEN_WAY_MAX, closed) => {}
    }
}

/// Logs that a link is lost: as a warning, unless this server wanted it so, and with a word if it was the last one.
fn note_lost(incarnation: &Incarnation, remote: &str, lost: &LinkLost, links: &Links) {
    let neighbour = &incarnation.server;
    if let LinkLost::GaveWay = lost {
        info!(%neighbour, %incarnation, remote, reason = %lost, "connection ended");
        return;
    }
    if lost.is_wanted() {
        info!(%neighbour, %incarnation, remote, reason = %lost, "link lost");
        return;
    }
    warn!(%neighbour, %incarnation, remote, reason = %lost, "link lost");
    let neighbours = links.neighbours();
    if neighbours.len() > 1 && neighbours.iter().all(|neighbour| !neighbour.is_up()) {
        warn!(
            neighbours = neighbours.len(),
            "cut off: no link is left. Clients are served, and the rest of the herd hears of it when a link is made"
        );
    }
}
