//! Frames: what travels over a link.
//!
//! A frame is a length of four bytes, big-endian, and that many bytes: one for the kind, the rest
//! for the content. Kinds are never reused.

use chitchat::{ChitchatMessage, Serializable as _};
use herd_crdt::codec::{self, CodecError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::bytes::Bytes;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::handshake::{Hello, Refusal};
use crate::incarnation::Incarnation;
use crate::report::AppliedReport;
use herd_topology::NAME_BYTES_MAX;

/// The longest frame. chitchat's messages have at most 65,507 bytes, and a report of
/// [`crate::report::REPORT_ENTRIES_MAX`] entries some 85,000.
pub const FRAME_BYTES_MAX: usize = 128 * 1024;

/// The longest frame of a handshake: some 240 bytes in this version, and room for later ones, which are
/// answered.
pub const GREETING_BYTES_MAX: usize = 1_024;

const _: () = {
    // Kind and version, three texts behind their lengths, two numbers.
    let hello = 2 + 3 * (3 + NAME_BYTES_MAX) + 2 * 9;
    assert!(2 * hello <= GREETING_BYTES_MAX);
};

/// A stream that carries frames.
pub type FrameStream<S> = Framed<S, LengthDelimitedCodec>;

/// The kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Hello = 1,
    Refusal = 2,
    Gossip = 3,
    Report = 4,
}

/// A frame to be sent.
#[derive(Debug)]
pub enum Frame {
    /// The first frame, either way.
    Hello(Hello),
    /// Instead of a hello, or later: the link is not wanted, and why.
    Refusal(Refusal),
    /// A message of the gossip engine.
    Gossip(ChitchatMessage),
    /// How far the sender has got, and what its clock says.
    Report {
        /// How far it has got.
        report: AppliedReport,
        /// Its wall clock when it sent this, in ns since the POSIX epoch.
        clock_ns: i64,
    },
}

/// A frame that came before the other side was known: only what a handshake needs is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Who it is.
    Hello(Hello),
    /// It does not want the link.
    Refusal(Refusal),
}

/// A frame that came over a link.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A frame of the handshake, which belongs before.
    Hello,
    /// The link is not wanted any more.
    Refusal(Refusal),
    /// A message of the gossip engine, as it came: the guard looks into it.
    Gossip(&'a [u8]),
    /// How far the neighbour has got, and what its clock says.
    Report {
        /// How far it has got.
        report: AppliedReport,
        /// Its wall clock when it sent this, in ns since the POSIX epoch.
        clock_ns: i64,
    },
}

/// Bytes that are not a frame. The link is cut; nothing was merged.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Not even a kind.
    #[error("frame is empty")]
    Empty,
    /// A kind that this version does not know.
    #[error("frame has the unknown kind {0}")]
    UnknownKind(u8),
    /// The content does not fit the kind.
    #[error("frame is malformed: {0}")]
    Malformed(#[from] CodecError),
    /// Before the handshake: neither a hello nor a refusal.
    #[error("first frame is of the kind {0}, not of a handshake")]
    NotGreeting(u8),
}

/// Puts frames onto a stream of bytes, at first only such as a handshake needs.
pub fn framed<S: AsyncRead + AsyncWrite>(stream: S) -> FrameStream<S> {
    LengthDelimitedCodec::builder()
        .max_frame_length(GREETING_BYTES_MAX)
        .new_framed(stream)
}

/// The handshake is done: frames of a link may come.
pub fn admit_all<S>(frames: &mut FrameStream<S>) {
    frames.codec_mut().set_max_frame_length(FRAME_BYTES_MAX);
}

impl Frame {
    /// The bytes of the frame, without its length.
    ///
    /// # Errors
    /// None in practice; see [`herd_crdt::codec::encode_into`].
    pub fn encode(&self) -> Result<Bytes, CodecError> {
        let mut bytes = Vec::new();
        match self {
            Frame::Hello(hello) => {
                bytes.push(Kind::Hello as u8);
                hello.encode_into(&mut bytes)?;
            }
            Frame::Refusal(refusal) => {
                bytes.push(Kind::Refusal as u8);
                refusal.encode_into(&mut bytes)?;
            }
            Frame::Gossip(message) => {
                bytes.push(Kind::Gossip as u8);
                message.serialize(&mut bytes);
            }
            Frame::Report { report, clock_ns } => {
                bytes.push(Kind::Report as u8);
                codec::encode_into(clock_ns, &mut bytes)?;
                report.encode_into(&mut bytes)?;
            }
        }
        Ok(bytes.into())
    }
}

impl Greeting {
    /// Reads a frame of somebody who is not known yet. Of another kind than a handshake's nothing is read.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn decode(bytes: &[u8]) -> Result<Greeting, FrameError> {
        let (&kind, content) = bytes.split_first().ok_or(FrameError::Empty)?;
        match kind {
            kind if kind == Kind::Hello as u8 => Ok(Greeting::Hello(Hello::decode(content)?)),
            kind if kind == Kind::Refusal as u8 => Ok(Greeting::Refusal(Refusal::decode(content)?)),
            kind => Err(FrameError::NotGreeting(kind)),
        }
    }
}

impl<'a> Received<'a> {
    /// Reads a frame of a neighbour. `reported` says which incarnations its reports may speak of; the rest of a report
    /// is left out.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn decode(
        bytes: &'a [u8],
        reported: impl Fn(&str, u64) -> Option<Incarnation>,
    ) -> Result<Received<'a>, FrameError> {
        let (&kind, content) = bytes.split_first().ok_or(FrameError::Empty)?;
        match kind {
            kind if kind == Kind::Hello as u8 => Ok(Received::Hello),
            kind if kind == Kind::Refusal as u8 => Ok(Received::Refusal(Refusal::decode(content)?)),
            kind if kind == Kind::Gossip as u8 => Ok(Received::Gossip(content)),
            kind if kind == Kind::Report as u8 => {
                let (clock_ns, entries) = codec::decode_prefix(content)?;
                let report = AppliedReport::decode(entries, reported)?;
                Ok(Received::Report { report, clock_ns })
            }
            kind => Err(FrameError::UnknownKind(kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_a_handshake_only_its_frames_are_read() {
        let hello = Hello {
            version: 1,
            cluster: "c".repeat(NAME_BYTES_MAX),
            from: "f".repeat(NAME_BYTES_MAX),
            to: "t".repeat(NAME_BYTES_MAX),
            generation: u64::MAX,
            known_of_other: u64::MAX,
        };
        let bytes = Frame::Hello(hello.clone()).encode().unwrap();
        assert!(2 * bytes.len() <= GREETING_BYTES_MAX, "{}", bytes.len());
        assert_eq!(Greeting::decode(&bytes).unwrap(), Greeting::Hello(hello));
        for kind in [3, 4, 5, 255] {
            let read = Greeting::decode(&[kind, 0, 0]);
            assert!(matches!(read, Err(FrameError::NotGreeting(k)) if k == kind));
        }
        assert!(matches!(Greeting::decode(&[]), Err(FrameError::Empty)));
    }

    #[test]
    fn gossip_is_not_looked_into() {
        let nobody = |_: &str, _| None;
        let read = Received::decode(b"\x03kiwi", nobody).unwrap();
        assert_eq!(read, Received::Gossip(b"kiwi"));
    }
}
