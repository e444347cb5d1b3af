//! The handshake of a link: who is there, and may they come in?
//!
//! The side that connected sends a [`Hello`]; the other answers with one of its own, or with a
//! [`Refusal`] and the end of the connection.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use herd_crdt::codec::{self, CodecError};
use tokio::io::{AsyncRead, AsyncWrite};

use super::frame::{Frame, FrameError, FrameStream, Greeting};
use crate::identity::IncarnationVerdict;
use crate::incarnation::Incarnation;
use crate::links::Links;
use crate::neighbour::Neighbour;
use crate::timing::HANDSHAKE_TIMEOUT;
use herd_tls::{Peer, TlsFault, fault_of};

/// The version of handshake and frames that this program speaks.
pub const LINK_PROTOCOL_VERSION: u8 = 1;

/// How much of a name goes to the log; no name of a server is longer.
const NAME_CHARS_MAX: usize = 64;

/// Why a link is not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RefusalReason {
    /// It speaks another version of the link protocol.
    ProtocolVersion = 1,
    /// It belongs to another herd.
    Cluster = 2,
    /// It wanted another server than the one it reached.
    WrongServer = 3,
    /// It is no neighbour of ours.
    NotNeighbour = 4,
    /// A newer incarnation of its name is alive.
    Superseded = 5,
    /// The link is cut for a while, since its last message was refused or ended the other's gossip engine.
    Cut = 6,
    /// Its generation lies so far ahead that no later one would be left for it.
    Generation = 7,
    /// Its certificate is for another server than the one that it says it is.
    Certificate = 8,
    /// It has come with new incarnations too often.
    Restarting = 9,
}

impl RefusalReason {
    fn from_code(code: u8) -> Option<Self> {
        [
            RefusalReason::ProtocolVersion,
            RefusalReason::Cluster,
            RefusalReason::WrongServer,
            RefusalReason::NotNeighbour,
            RefusalReason::Superseded,
            RefusalReason::Cut,
            RefusalReason::Generation,
            RefusalReason::Certificate,
            RefusalReason::Restarting,
        ]
        .into_iter()
        .find(|reason| *reason as u8 == code)
    }

    fn text(self) -> &'static str {
        match self {
            RefusalReason::ProtocolVersion => "it speaks another version of the link protocol",
            RefusalReason::Cluster => "it belongs to another cluster",
            RefusalReason::WrongServer => "it wanted to reach another server",
            RefusalReason::NotNeighbour => "the topology has no link between the two",
            RefusalReason::Superseded => "a newer process of its name is alive",
            RefusalReason::Cut => {
                "its last message was refused or ended the gossip engine, so it waits a while"
            }
            RefusalReason::Generation => "its generation lies a century ahead of our clock",
            RefusalReason::Certificate => "its certificate is for another server",
            RefusalReason::Restarting => "it starts again and again, so it waits a while",
        }
    }
}

/// What a side says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// [`LINK_PROTOCOL_VERSION`] of the sender.
    pub version: u8,
    /// The herd it belongs to.
    pub cluster: String,
    /// Its name.
    pub from: String,
    /// The server that it means to talk to.
    pub to: String,
    /// Its generation.
    pub generation: u64,
    /// The greatest generation of the other that it knows of, 0 if none.
    pub known_of_other: u64,
}

/// What a side says that does not want the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why; `None` for a reason that this version does not know.
    pub reason: Option<RefusalReason>,
    /// The greatest generation of the other that it knows of, 0 if none.
    pub known_of_other: u64,
}

/// A handshake that did not end in a link.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The other side did not answer.
    #[error("no answer to the handshake within {} s", HANDSHAKE_TIMEOUT.as_secs())]
    TimedOut,
    /// The connection ended or failed.
    #[error("connection ended during the handshake{}", with_cause(.0.as_ref()))]
    Ended(Option<std::io::Error>),
    /// What came is not a frame.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// What came is a frame, but not of the handshake.
    #[error("the first frame is not a hello")]
    NotHello,
    /// We refused it.
    #[error("refused {from:?}: {}", .reason.text())]
    Refused {
        /// What it called itself.
        from: String,
        /// Why.
        reason: RefusalReason,
    },
    /// It calls itself what its certificate does not say.
    #[error("refused {from:?}: its certificate is for {certified}")]
    StolenName {
        /// What it calls itself, or whom we meant to reach.
        from: String,
        /// Whom its certificate is for.
        certified: String,
    },
    /// Its certificate is not for any neighbour of ours.
    #[error("refused: its certificate is for {0}, and so for no neighbour of this server")]
    Stranger(String),
    /// It speaks TLS, and this server does not.
    #[error("it speaks TLS, and this server has no certificates for links; see links_certs")]
    SpeaksTls,
    /// TLS does not want it, or it does not want this server.
    #[error("{0}")]
    Tls(#[from] TlsFault),
    /// It refused us.
    #[error("refused by the other side: {}", reason_text(*.0))]
    RefusedByOther(Option<RefusalReason>),
}

/// The two ends of a link agree.
#[derive(Debug)]
pub struct Agreement {
    /// Who is at the other end.
    pub neighbour: Arc<Neighbour>,
    /// Which incarnation of it.
    pub incarnation: Incarnation,
    /// Our generation, as our hello said it.
    pub own_generation: u64,
    /// Who its certificate says it is, which is who it says it is; nothing where connections prove
    /// nothing.
    pub peer: Option<Peer>,
}

impl Hello {
    /// Appends the content of a hello frame.
    ///
    /// # Errors
    /// None in practice; see [`codec::encode_into`].
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        // The version comes first and by itself, so that every version can read it.
        out.push(self.version);
        let rest = (
            &*self.cluster,
            &*self.from,
            &*self.to,
            self.generation,
            self.known_of_other,
        );
        codec::encode_into(&rest, out)
    }

    /// Reads the content of a hello frame. Of another version only the version is read.
    ///
    /// # Errors
    /// If the bytes are not a hello.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (version, rest): (u8, &[u8]) = match bytes.split_first() {
            Some((&version, rest)) => (version, rest),
            None => (0, &[]),
        };
        if version != LINK_PROTOCOL_VERSION {
            let (cluster, from, to) = (String::new(), String::new(), String::new());
            return Ok(Hello {
                version,
                cluster,
                from,
                to,
                generation: 0,
                known_of_other: 0,
            });
        }
        let (cluster, from, to, generation, known_of_other) = codec::decode(rest)?;
        Ok(Hello {
            version,
            cluster,
            from,
            to,
            generation,
            known_of_other,
        })
    }
}

impl Refusal {
    /// Appends the content of a refusal frame.
    ///
    /// # Errors
    /// None in practice; see [`codec::encode_into`].
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let code = self.reason.map_or(0, |reason| reason as u8);
        codec::encode_into(&(code, self.known_of_other), out)
    }

    /// Reads the content of a refusal frame.
    ///
    /// # Errors
    /// If the bytes are not a refusal.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (code, known_of_other): (u8, u64) = codec::decode(bytes)?;
        Ok(Refusal {
            reason: RefusalReason::from_code(code),
            known_of_other,
        })
    }
}

/// Shakes hands on a connection that this server made to `neighbour`. A `peer` whose certificate is for
/// another server is told nothing.
///
/// # Errors
/// See [`HandshakeError`].
pub async fn initiate<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut FrameStream<S>,
    links: &Links,
    neighbour: &Arc<Neighbour>,
    peer: Option<Peer>,
) -> Result<Agreement, HandshakeError> {
    within(HANDSHAKE_TIMEOUT, async {
        check_name(links, &neighbour.config.name, peer.as_ref())?;
        let own = own_hello(links, &neighbour.config.name);
        let own_generation = own.generation;
        send(frames, Frame::Hello(own)).await?;
        let hello = receive_answer(frames, links).await?;
        let (neighbour, incarnation) =
            admit(frames, links, hello, Some(neighbour), peer.as_ref()).await?;
        Ok(Agreement {
            neighbour,
            incarnation,
            own_generation,
            peer,
        })
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
            };
            let _ = send(frames, Frame::Refusal(refusal)).await;
            return Err(HandshakeError::Stranger(peer.names_shown()));
        }
        let Greeting::Hello(hello) = receive(frames).await? else {
            return Err(HandshakeError::NotHello);
        };
        let (neighbour, incarnation) = admit(frames, links, hello, None, peer.as_ref()).await?;
        let own = own_hello(links, &neighbour.config.name);
        let own_generation = own.generation;
        send(frames, Frame::Hello(own)).await?;
        Ok(Agreement {
            neighbour,
            incarnation,
            own_generation,
            peer,
        })
    })
    .await
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

fn own_hello(links: &Links, to: &str) -> Hello {
    let me = links.incarnation();
    Hello {
        version: LINK_PROTOCOL_VERSION,
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

/// What the side that was connected to says to our hello.
async fn receive_answer<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut FrameStream<S>,
    links: &Links,
) -> Result<Hello, HandshakeError> {
    match receive(frames).await? {
        Greeting::Hello(hello) => Ok(hello),
        Greeting::Refusal(refusal) => {
            note_refusal(links, &refusal);
            Err(HandshakeError::RefusedByOther(refusal.reason))
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

/// Lets the other side in, or tells it why not.
async fn admit<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut FrameStream<S>,
    links: &Links,
    hello: Hello,
    expected: Option<&Arc<Neighbour>>,
    peer: Option<&Peer>,
) -> Result<(Arc<Neighbour>, Incarnation), HandshakeError> {
    let judged = judge(links, &hello, expected).and_then(|neighbour| {
        let proven = check_name(links, &hello.from, peer);
        proven.map_err(|_| RefusalReason::Certificate)?;
        let may_join = neighbour.may_join(hello.generation);
        may_join
            .then_some(neighbour)
            .ok_or(RefusalReason::Restarting)
    });
    match judged {
        Ok(neighbour) => {
            let incarnation = Incarnation {
                server: neighbour.config.name.clone(),
                generation: hello.generation,
            };
            links.note_known(&incarnation);
            let own = links.incarnation().generation;
            if hello.known_of_other > own && links.is_plausible(hello.known_of_other) {
                links.note_verdict(IncarnationVerdict::MustExceed(hello.known_of_other));
            }
            Ok((neighbour, incarnation))
        }
        Err(reason) => {
            let known_of_other = links
                .known_generation(&hello.from)
                .max(links.live_generation(&hello.from));
            let refusal = Refusal {
                reason: Some(reason),
                known_of_other,
            };
            // It will see the connection end in any case.
            let _ = send(frames, Frame::Refusal(refusal)).await;
            if reason == RefusalReason::Certificate {
                check_name(links, &hello.from, peer)?;
            }
            Err(HandshakeError::Refused {
                from: hello.from.chars().take(NAME_CHARS_MAX).collect(),
                reason,
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
) -> Result<Arc<Neighbour>, RefusalReason> {
    if hello.version != LINK_PROTOCOL_VERSION {
        return Err(RefusalReason::ProtocolVersion);
    }
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
    Ok(neighbour.clone())
}

fn reason_text(reason: Option<RefusalReason>) -> &'static str {
    reason.map_or(
        "for a reason that this version does not know",
        RefusalReason::text,
    )
}

fn with_cause(error: Option<&std::io::Error>) -> String {
    error.map(|error| format!(": {error}")).unwrap_or_default()
}
