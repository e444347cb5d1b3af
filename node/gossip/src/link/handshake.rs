//! The handshake of a link: who is there, and may they come in?
//!
//! The side that connected sends a [`Hello`]; the other answers with one of its own in the same layout, or with a
//! [`Refusal`] and the end of the connection. What the two then speak follows from both hellos ([`Offer::agree`]).

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};

use super::frame::{Frame, FrameError, FrameStream, Greeting};
use super::handshake_error::HandshakeError;
use super::hello::Hello;
use super::offer::{Layout, NoCommonVersion, Offer, Protocol, VersionRange};
use super::refusal::{Refusal, RefusalReason};
use crate::incarnation::Incarnation;
use crate::links::Links;
use crate::neighbour::Neighbour;
use crate::timing::HANDSHAKE_TIMEOUT;
use herd_replica::verdict::IncarnationVerdict;
use herd_tls::{Peer, fault_of};

/// How much of a name goes to the log; no name of a server is longer.
const NAME_CHARS_MAX: usize = 64;

/// The two ends of a link agree.
#[derive(Debug)]
pub struct Agreement {
    /// Who is at the other end.
    pub neighbour: Arc<Neighbour>,
    /// Which incarnation of it.
    pub incarnation: Incarnation,
    /// Our generation, as our hello said it.
    pub own_generation: u64,
    /// The layout of both hellos.
    pub layout: Layout,
    /// What the link speaks.
    pub protocol: Protocol,
    /// Who its certificate says it is, which is who it says it is; nothing where connections prove
    /// nothing.
    pub peer: Option<Peer>,
}

/// Shakes hands on a connection that this server made to `neighbour`, which it asks in `layout`. A `peer` whose
/// certificate is for another server is told nothing.
///
/// # Errors
/// See [`HandshakeError`]; [`HandshakeError::SpeaksFormer`], if the neighbour wants to be asked in
/// [`Layout::Former`].
pub async fn initiate<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut FrameStream<S>,
    links: &Links,
    neighbour: &Arc<Neighbour>,
    peer: Option<Peer>,
    layout: Layout,
) -> Result<Agreement, HandshakeError> {
    within(HANDSHAKE_TIMEOUT, async {
        check_name(links, &neighbour.config.name, peer.as_ref())?;
        let offer = links.offer().within(layout);
        let offer = offer.ok_or(HandshakeError::SpeaksFormer)?;
        let own = own_hello(links, &neighbour.config.name, layout, offer);
        let own_generation = own.generation;
        send(frames, Frame::Hello(own)).await?;
        let hello = receive_answer(frames, links, layout).await?;
        let partner = admit(frames, links, hello, Some(neighbour), peer.as_ref()).await?;
        Ok(partner.agreed(own_generation, layout, peer))
    })
    .await
}

/// Shakes hands on a connection that another server made to this one.
///
/// # Errors
/// See [`HandshakeError`].
pub async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut FrameStream<S>,
    links: &Links,
    peer: Option<Peer>,
) -> Result<Agreement, HandshakeError> {
    within(HANDSHAKE_TIMEOUT, async {
        // Who is no neighbour gets to say nothing.
        if let Some(peer) = &peer
            && !is_neighbour(links, peer)
        {
            let refusal = Refusal {
                reason: Some(RefusalReason::Certificate),
                known_of_other: 0,
                speaks: None,
            };
            let _ = send(frames, Frame::Refusal(refusal)).await;
            return Err(HandshakeError::Stranger(peer.names_shown()));
        }
        let hello = match receive(frames).await {
            Ok(Greeting::Hello(hello)) => hello,
            Ok(Greeting::Refusal(_)) => return Err(HandshakeError::NotHello),
            Err(HandshakeError::Frame(FrameError::UnknownLayout(_))) => {
                return Err(refuse_later_layout(frames, links).await);
            }
            Err(error) => return Err(error),
        };
        let layout = hello.layout;
        let partner = admit(frames, links, hello, None, peer.as_ref()).await?;
        let own = own_hello(links, &partner.neighbour.config.name, layout, partner.offer);
        let own_generation = own.generation;
        send(frames, Frame::Hello(own)).await?;
        Ok(partner.agreed(own_generation, layout, peer))
    })
    .await
}

/// Tells a server of a later program, whose hello this one cannot read, what it may say instead.
async fn refuse_later_layout<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut FrameStream<S>,
    links: &Links,
) -> HandshakeError {
    let refusal = Refusal {
        reason: Some(RefusalReason::ProtocolVersion),
        known_of_other: 0,
        speaks: spoken_to(Layout::Ranged, links),
    };
    let _ = send(frames, Frame::Refusal(refusal)).await;
    HandshakeError::NoCommonVersion(NoCommonVersion {
        own: links.offer().versions,
        theirs: None,
    })
}

/// The versions of this server, for a refusal that nothing in common is spoken. A server that asked in a layout of
/// which this one speaks no version is told none: it may take no more bytes than it knows.
fn spoken_to(layout: Layout, links: &Links) -> Option<VersionRange> {
    let offer = links.offer().within(layout)?;
    Some(offer.versions)
}

/// What the other side says of our incarnation.
pub fn note_refusal(links: &Links, refusal: &Refusal) {
    let own = links.incarnation().generation;
    if refusal.known_of_other <= own || !links.is_plausible(refusal.known_of_other) {
        // It was meant for an incarnation that we have left behind, or makes no sense.
        return;
    }
    links.note_verdict(if refusal.reason == Some(RefusalReason::Superseded) {
        IncarnationVerdict::Superseded(refusal.known_of_other)
    } else {
        IncarnationVerdict::MustExceed(refusal.known_of_other)
    });
}

async fn within<T>(
    time: Duration,
    handshake: impl Future<Output = Result<T, HandshakeError>>,
) -> Result<T, HandshakeError> {
    tokio::time::timeout(time, handshake)
        .await
        .unwrap_or(Err(HandshakeError::TimedOut))
}

fn own_hello(links: &Links, to: &str, layout: Layout, offer: Offer) -> Hello {
    let me = links.incarnation();
    Hello {
        layout,
        offer,
        cluster: links.view.cluster.clone(),
        from: me.server.to_string(),
        to: to.to_owned(),
        generation: me.generation,
        known_of_other: links.known_generation(to),
    }
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut FrameStream<S>,
    frame: Frame,
) -> Result<(), HandshakeError> {
    let bytes = frame.encode().map_err(FrameError::from)?;
    frames.send(bytes).await.map_err(ended)
}

/// Why a connection failed: TLS may know better.
fn ended(error: std::io::Error) -> HandshakeError {
    match fault_of(&error) {
        Some(fault) => HandshakeError::Tls(fault),
        // Over TLS, an end without a word of it.
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => HandshakeError::Ended(None),
        None => HandshakeError::Ended(Some(error)),
    }
}

/// The first two bytes of each record of a TLS handshake or alert. As the length of a frame they are
/// far too much.
const TLS_RECORDS: [[u8; 2]; 2] = [[0x16, 0x03], [0x15, 0x03]];

/// What the side that was connected to says to our hello, which had this layout.
async fn receive_answer<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut FrameStream<S>,
    links: &Links,
    layout: Layout,
) -> Result<Hello, HandshakeError> {
    match receive(frames).await? {
        Greeting::Hello(hello) if hello.layout == layout => Ok(hello),
        Greeting::Hello(_) => Err(HandshakeError::OtherLayout),
        Greeting::Refusal(refusal) => {
            note_refusal(links, &refusal);
            let Refusal { reason, speaks, .. } = refusal;
            Err(match (reason, speaks) {
                (Some(RefusalReason::ProtocolVersion), Some(theirs)) => {
                    HandshakeError::NoCommonVersion(NoCommonVersion {
                        own: links.offer().versions,
                        theirs: Some(theirs),
                    })
                }
                // Whoever reads this layout says what it speaks.
                (Some(RefusalReason::ProtocolVersion), None) if layout == Layout::Ranged => {
                    HandshakeError::SpeaksFormer
                }
                _ => HandshakeError::RefusedByOther(reason),
            })
        }
    }
}

async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut FrameStream<S>,
) -> Result<Greeting, HandshakeError> {
    let bytes = match frames.next().await {
        Some(Ok(bytes)) => bytes,
        Some(Err(error)) => {
            let read = frames.read_buffer();
            if TLS_RECORDS.iter().any(|start| read.starts_with(start)) {
                return Err(HandshakeError::SpeaksTls);
            }
            return Err(ended(error));
        }
        None => return Err(HandshakeError::Ended(None)),
    };
    Greeting::decode(&bytes).map_err(|error| match error {
        FrameError::NotGreeting(_) => HandshakeError::NotHello,
        error => HandshakeError::Frame(error),
    })
}

/// Who is at the other end, once it is let in.
struct Partner {
    neighbour: Arc<Neighbour>,
    incarnation: Incarnation,
    /// What our hello says to it.
    offer: Offer,
    protocol: Protocol,
}

impl Partner {
    fn agreed(self, own_generation: u64, layout: Layout, peer: Option<Peer>) -> Agreement {
        Agreement {
            neighbour: self.neighbour,
            incarnation: self.incarnation,
            own_generation,
            layout,
            protocol: self.protocol,
            peer,
        }
    }
}

/// Lets the other side in, or tells it why not.
async fn admit<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut FrameStream<S>,
    links: &Links,
    hello: Hello,
    expected: Option<&Arc<Neighbour>>,
    peer: Option<&Peer>,
) -> Result<Partner, HandshakeError> {
    match judge(links, &hello, expected, peer) {
        Ok(partner) => {
            links.note_known(&partner.incarnation);
            let own = links.incarnation().generation;
            if hello.known_of_other > own && links.is_plausible(hello.known_of_other) {
                links.note_verdict(IncarnationVerdict::MustExceed(hello.known_of_other));
            }
            Ok(partner)
        }
        Err(reason) => {
            let is_version = reason == RefusalReason::ProtocolVersion;
            let refusal = Refusal {
                reason: Some(reason),
                known_of_other: links
                    .known_generation(&hello.from)
                    .max(links.live_generation(&hello.from)),
                speaks: is_version.then(|| spoken_to(hello.layout, links)).flatten(),
            };
            // It will see the connection end in any case.
            let _ = send(frames, Frame::Refusal(refusal)).await;
            if reason == RefusalReason::Certificate {
                check_name(links, &hello.from, peer)?;
            }
            Err(if is_version {
                HandshakeError::NoCommonVersion(NoCommonVersion {
                    own: links.offer().versions,
                    theirs: Some(hello.offer.versions),
                })
            } else {
                HandshakeError::Refused {
                    from: hello.from.chars().take(NAME_CHARS_MAX).collect(),
                    reason,
                }
            })
        }
    }
}

/// Whether a certificate is for a neighbour of ours.
fn is_neighbour(links: &Links, peer: &Peer) -> bool {
    let mut neighbours = links.neighbours().iter();
    neighbours.any(|neighbour| peer.is(&links.view.cluster, &neighbour.config.name))
}

/// Whether the certificate at the other end, if there has to be one, is for the server `name` of this
/// herd.
fn check_name(links: &Links, name: &str, peer: Option<&Peer>) -> Result<(), HandshakeError> {
    match peer {
        Some(peer) if !peer.is(&links.view.cluster, name) => Err(HandshakeError::StolenName {
            from: name.chars().take(NAME_CHARS_MAX).collect(),
            certified: peer.names_shown(),
        }),
        _ => Ok(()),
    }
}

fn judge(
    links: &Links,
    hello: &Hello,
    expected: Option<&Arc<Neighbour>>,
    peer: Option<&Peer>,
) -> Result<Partner, RefusalReason> {
    let offer = links.offer().within(hello.layout);
    let offer = offer.ok_or(RefusalReason::ProtocolVersion)?;
    let protocol = offer.agree(hello.offer);
    let protocol = protocol.ok_or(RefusalReason::ProtocolVersion)?;
    if hello.cluster != links.view.cluster {
        return Err(RefusalReason::Cluster);
    }
    if *hello.to != *links.view.me {
        return Err(RefusalReason::WrongServer);
    }
    let neighbour = links
        .neighbour(&hello.from)
        .ok_or(RefusalReason::NotNeighbour)?;
    if expected.is_some_and(|expected| expected.config.name != neighbour.config.name) {
        return Err(RefusalReason::WrongServer);
    }
    if !links.is_plausible(hello.generation) {
        return Err(RefusalReason::Generation);
    }
    if links.live_generation(&hello.from) > hello.generation {
        return Err(RefusalReason::Superseded);
    }
    if neighbour.cut_left().is_some() {
        return Err(RefusalReason::Cut);
    }
    check_name(links, &hello.from, peer).map_err(|_| RefusalReason::Certificate)?;
    // The last question, since it counts whoever gets so far.
    if !neighbour.may_join(hello.generation) {
        return Err(RefusalReason::Restarting);
    }
    Ok(Partner {
        neighbour: neighbour.clone(),
        incarnation: Incarnation {
            server: neighbour.config.name.clone(),
            generation: hello.generation,
        },
        offer,
        protocol,
    })
}
