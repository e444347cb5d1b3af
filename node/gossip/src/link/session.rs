//! A link that is up: frames out, frames in, until one side goes silent or away.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, interval, sleep_until, timeout};
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::frame::{FRAME_BYTES_MAX, Frame, FrameError, FrameStream, Received, admit_all};
use super::handshake::{Agreement, note_refusal};
use super::offer::Protocol;
use super::refusal::{Refusal, RefusalReason};
use crate::fifo_watch::FifoReceiver;
use crate::guard::{Fault, MessageKind};
use crate::incarnation::Incarnation;
use crate::links::Links;
use crate::neighbour::Neighbour;
use crate::timing::{
    BUSY_REPORT_GAP, FALLBACK_LINK_MAX, LARGE_DELTA_BYTES, LINK_SILENCE_MAX, LINK_WRITE_TIMEOUT,
    REPORT_GAP, REPORT_INTERVAL,
};
use herd_replica::report::AppliedReport;
use herd_replica::verdict::IncarnationVerdict;
use herd_tls::{Peer, TlsFault};

/// Frames that are gathered into one flush.
const FRAMES_PER_FLUSH_MAX: usize = 16;

type Sink<S> = SplitSink<FrameStream<S>, Bytes>;
type Stream<S> = SplitStream<FrameStream<S>>;

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
            LinkLost::Replaced | LinkLost::Outdated | LinkLost::NewIncarnation | LinkLost::Stopping
        )
    }
}

/// Runs a link until it is lost, and says why.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    mut frames: FrameStream<S>,
    agreement: Agreement,
    links: &Links,
    remote: &str,
    stop: &CancellationToken,
) -> LinkLost {
    let Agreement {
        neighbour,
        incarnation,
        own_generation,
        layout,
        protocol,
        peer,
    } = agreement;
    let mut generation = links.generation();
    // A hello that went out under an earlier generation of ours made a link for that one.
    if *generation.borrow_and_update() != own_generation {
        return LinkLost::NewIncarnation;
    }
    let replaced = CancellationToken::new();
    let number = neighbour.connected(&incarnation, protocol, replaced.clone());
    links.rounds.link_made(&neighbour.config.name);
    let Protocol { version, features } = protocol;
    info!(neighbour = %incarnation.server, %incarnation, remote, version, %features, "link made");
    if let Some(observer) = &links.observer {
        observer.link_made(&incarnation.server, remote);
    }
    neighbour.kick();

    admit_all(&mut frames);
    // Nobody but the neighbour is where we connect to, or has its certificate. Who only says that it is the
    // neighbour must not keep that away.
    let is_proven = neighbour.config.dials || peer.is_some();
    // It was asked in the layout that it reads, which may be another after its next start.
    let is_fallback = neighbour.config.dials && layout != links.offer().layout();
    let (mut sink, stream) = frames.split();
    let lost = tokio::select! {
        biased;
        lost = send_frames(&mut sink, &neighbour, links) => lost,
        lost = receive_frames(stream, &neighbour, links, is_proven) => lost,
        fault = distrusted(peer.as_ref()) => LinkLost::Distrusted(fault),
        () = replaced.cancelled() => LinkLost::Replaced,
        () = outdated(links), if is_fallback => LinkLost::Outdated,
        () = generation.changed() => LinkLost::NewIncarnation,
        () = stop.cancelled() => LinkLost::Stopping,
    };

    match neighbour.disconnected(number) {
        None => {}
        Some(newer) if newer > incarnation.generation => {
            let reason = Some(RefusalReason::Superseded);
            let refusal = Frame::Refusal(Refusal {
                reason,
                known_of_other: newer,
                speaks: None,
            });
            if let Ok(bytes) = refusal.encode() {
                // The older process learns it here, or when it tries to come back.
                let _ = timeout(LINK_WRITE_TIMEOUT, sink.send(bytes)).await;
            }
        }
        Some(_) => {}
    }
    neighbour.note_trouble(lost.to_string());
    note_lost(&incarnation, remote, &lost, links);
    if let Some(observer) = &links.observer {
        observer.link_lost(&incarnation.server, remote, &lost.to_string());
    }
    lost
}

/// Logs that a link is lost: as a warning, unless this server wanted it so, and with a word if it was the last one.
fn note_lost(incarnation: &Incarnation, remote: &str, lost: &LinkLost, links: &Links) {
    let neighbour = &incarnation.server;
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

/// Resolves when the certificate at the other end is not good any more; never, where there is none.
async fn distrusted(peer: Option<&Peer>) -> TlsFault {
    match peer {
        Some(peer) => peer.distrusted().await,
        None => std::future::pending().await,
    }
}

/// Resolves when a link in the former layout has stood for long enough, which differs from link to link.
async fn outdated(links: &Links) {
    let stands = FALLBACK_LINK_MAX.mul_f64(1.0 - links.entropy.jitter() / 2.0);
    tokio::time::sleep(stands).await;
}

async fn send_frames<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut Sink<S>,
    neighbour: &Neighbour,
    links: &Links,
) -> LinkLost {
    let mut applied = links.applied();
    applied.mark_changed();
    let mut report_due = interval(REPORT_INTERVAL);
    let mut next_report = Instant::now();
    loop {
        let first = tokio::select! {
            biased;
            // Reports are a pause apart, so they keep no message waiting.
            () = changed(&mut applied, next_report) => current_report(&mut applied, links),
            _ = report_due.tick() => current_report(&mut applied, links),
            message = neighbour.outbound.pop() => Frame::Gossip(message),
        };
        if matches!(first, Frame::Report { .. }) {
            let is_busy = links.rounds.busy_until(&neighbour.config.name).is_some();
            next_report = Instant::now() + if is_busy { BUSY_REPORT_GAP } else { REPORT_GAP };
        }
        let written = timeout(LINK_WRITE_TIMEOUT, async {
            feed(sink, &first, neighbour).await?;
            for _ in 1..FRAMES_PER_FLUSH_MAX {
                let Some(message) = neighbour.outbound.try_pop() else {
                    break;
                };
                feed(sink, &Frame::Gossip(message), neighbour).await?;
            }
            sink.flush().await.map_err(LinkLost::Io)
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(lost)) => return lost,
            Err(_) => return LinkLost::Stuck,
        }
    }
}

/// Resolves when there is something new to report, not before `not_before`. Cancel-safe.
async fn changed(applied: &mut FifoReceiver<Arc<AppliedReport>>, not_before: Instant) {
    sleep_until(not_before).await;
    applied.changed().await;
}

fn current_report(applied: &mut FifoReceiver<Arc<AppliedReport>>, links: &Links) -> Frame {
    Frame::Report {
        report: (**applied.borrow_and_update()).clone(),
        clock_ns: links.entropy.now_ns(),
    }
}

async fn feed<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut Sink<S>,
    frame: &Frame,
    neighbour: &Neighbour,
) -> Result<(), LinkLost> {
    let bytes = frame.encode().map_err(FrameError::from)?;
    if bytes.len() > FRAME_BYTES_MAX {
        // No message with as many ids as may be known is so long. One that is all the same is no reason to lose the link.
        neighbour
            .counts
            .messages_dropped
            .fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    neighbour.counts.note_sent(bytes.len());
    sink.feed(bytes).await.map_err(LinkLost::Io)
}

async fn receive_frames<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: Stream<S>,
    neighbour: &Neighbour,
    links: &Links,
    is_proven: bool,
) -> LinkLost {
    let mut has_skipped = false;
    loop {
        let bytes = match timeout(LINK_SILENCE_MAX, stream.next()).await {
            Ok(Some(Ok(bytes))) => bytes,
            // The end of a connection with TLS whose other side died without a word of TLS.
            Ok(Some(Err(error))) if error.kind() == ErrorKind::UnexpectedEof => {
                return LinkLost::Closed;
            }
            Ok(Some(Err(error))) => return LinkLost::Io(error),
            Ok(None) => return LinkLost::Closed,
            Err(_) => return LinkLost::Silent,
        };
        neighbour.counts.note_received(bytes.len());
        let reported = |server: &str, generation| links.reported_on(server, generation);
        match Received::decode(&bytes, reported) {
            Ok(Received::Gossip(content)) => {
                if let Err(fault) = take_gossip(content, bytes.len(), neighbour, links).await {
                    note_fault(fault, neighbour, links, is_proven);
                    return LinkLost::Refused(fault);
                }
            }
            Ok(Received::Report { report, clock_ns }) => {
                neighbour.set_report(links.believable(report), clock_ns);
                links.note_report();
            }
            Ok(Received::Refusal(refusal)) => {
                note_refusal(links, &refusal);
                return LinkLost::Superseded;
            }
            Ok(Received::Skipped(kind)) => {
                neighbour.counts.note_skipped();
                if !std::mem::replace(&mut has_skipped, true) {
                    info!(
                        neighbour = %neighbour.config.name, kind,
                        "the neighbour sends frames of a kind that this version does not know and may skip"
                    );
                }
            }
            Ok(Received::Hello) => return LinkLost::Unexpected,
            Err(error) => return LinkLost::Frame(error),
        }
    }
}

/// A message was refused. The link of a neighbour that is known to have sent it is cut for a while.
fn note_fault(fault: Fault, neighbour: &Neighbour, links: &Links, is_proven: bool) {
    let pause = neighbour.pause_after_fault(links.entropy.jitter());
    if is_proven {
        neighbour.cut_for(pause);
    }
    if neighbour.is_fault_news() {
        warn!(
            neighbour = %neighbour.config.name, reason = %fault, cut = is_proven, pause_ms = pause.as_millis() as u64,
            "a message of gossip was refused and changed nothing; the link is cut"
        );
    }
}

/// A message of gossip, in a frame of this length: checked, noted, and handed to chitchat.
async fn take_gossip(
    content: &[u8],
    frame_bytes: usize,
    neighbour: &Neighbour,
    links: &Links,
) -> Result<(), Fault> {
    let own: Incarnation = links.incarnation();
    let checked = links.guard.check(content, &links.standpoint(&own));
    if matches!(checked, Err(Fault::Own)) {
        // The neighbour may only pass on a lie. If the herd believes it, it takes all that this incarnation publishes for
        // old, and this server refuses what neighbours say: a later incarnation begins anew.
        links.note_verdict(IncarnationVerdict::Overstated(own.generation));
    }
    let checked = checked?;
    if let Some(heartbeat) = checked.own_heartbeat {
        links.note_claimed(own.generation, heartbeat);
    }
    neighbour
        .counts
        .note_message_received(checked.delta_bytes.is_some());
    let name = &neighbour.config.name;
    if let Some(bytes) = checked.delta_bytes {
        links.rounds.note_delta(name, bytes);
        // More may come, and this side's rounds bring it.
        if bytes >= LARGE_DELTA_BYTES && neighbour.config.dials {
            neighbour.kick();
        }
    }
    match checked.kind {
        MessageKind::Syn => links.rounds.theirs_began(name),
        MessageKind::SynAck => neighbour.note_delta(frame_bytes),
        MessageKind::Ack => {}
    }
    let from = neighbour.gossip_address;
    links.inbox.hand_in_checked(from, checked).await
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use chitchat::ChitchatMessage;

    use super::super::frame::framed;
    use super::*;
    use crate::digests::{Entry, syn_ack_of};
    use crate::entropy::Entropy;
    use crate::links::HerdView;
    use crate::neighbour::NeighbourConfig;
    use herd_clock::clock::SystemClock;
    use herd_replica::report::Applied;

    #[test]
    fn no_report_is_believed_beyond_what_was_published() {
        let view = HerdView {
            cluster: "test".to_owned(),
            me: "Hill".into(),
            servers: vec!["Hill".into(), "Smith".into()],
            neighbours: Vec::new(),
        };
        let links = Links::new(view, Entropy::new(Arc::new(SystemClock), 0), None);
        let own = links.incarnation();
        let other = Incarnation {
            server: "Smith".into(),
            generation: 1,
        };
        let all = Applied {
            merged: u64::MAX,
            durable: u64::MAX,
        };
        let lie = || AppliedReport::new([(own.clone(), all), (other.clone(), all)]);
        assert_eq!(links.believable(lie()).of(&own), Applied::default());
        links.note_published(own.generation, 7);
        let believed = links.believable(lie());
        let published = Applied {
            merged: 7,
            durable: 7,
        };
        assert_eq!(believed.of(&own), published);
        assert_eq!(believed.of(&other), all, "that is for others to know");
        let forgotten = [other.clone()].into();
        links.ids.lock().forget(&forgotten, std::iter::empty());
        assert_eq!(links.reported_on("Smith", 1), None);
        assert!(links.reported_on("Smith", 2).is_some());
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_is_dropped_and_the_link_stays() {
        let config = NeighbourConfig {
            name: "Smith".into(),
            address: "Smith".to_owned(),
            dials: true,
        };
        let neighbour = Neighbour::new(config, "[::1]:1".parse().unwrap());
        let ids: Vec<Incarnation> = (0..4_000)
            .map(|generation| Incarnation {
                server: "Smith".into(),
                generation,
            })
            .collect();
        let entries = ids.iter().map(|incarnation| Entry {
            incarnation,
            heartbeat: 1,
            last_gc_version: 0,
            version: 1,
        });
        let long = Frame::Gossip(syn_ack_of(entries).unwrap());
        let short = Frame::Gossip(ChitchatMessage::BadCluster);
        let (near, far) = duplex(1_024);
        let (mut sink, _) = framed(near).split();
        feed(&mut sink, &long, &neighbour).await.unwrap();
        feed(&mut sink, &short, &neighbour).await.unwrap();
        sink.flush().await.unwrap();
        let first = framed(far).next().await.unwrap().unwrap();
        assert_eq!(first, short.encode().unwrap());
        assert_eq!(neighbour.counts.messages_dropped.load(Ordering::Relaxed), 1);
    }
}
