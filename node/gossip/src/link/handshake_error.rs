//! Why a handshake did not end in a link.

use herd_tls::TlsFault;

use super::frame::FrameError;
use super::offer::NoCommonVersion;
use super::refusal::RefusalReason;
use crate::timing::HANDSHAKE_TIMEOUT;

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
    /// The two sides have no version of the link protocol in common, as one of them found.
    #[error("no link: {0}")]
    NoCommonVersion(NoCommonVersion),
    /// The other side reads no hello but one of [`Layout::Former`](super::offer::Layout::Former), and this was another.
    #[error("refused by the other side: it speaks version 1 of the link protocol alone")]
    SpeaksFormer,
    /// The other side answered in another layout than it was asked in.
    #[error("it answered the hello in another layout")]
    OtherLayout,
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

fn reason_text(reason: Option<RefusalReason>) -> &'static str {
    reason.map_or(
        "for a reason that this version does not know",
        RefusalReason::text,
    )
}

fn with_cause(error: Option<&std::io::Error>) -> String {
    error.map(|error| format!(": {error}")).unwrap_or_default()
}
