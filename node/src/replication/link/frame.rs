//! Frames: what travels over a link.
//!
//! A frame is a length of four bytes, big-endian, and that many bytes: one for the kind, the rest
//! for the content. Kinds are never reused.

use chitchat::{ChitchatMessage, Deserializable as _, Serializable as _};
use herd_crdt::codec::{self, CodecError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::handshake::{Hello, Refusal};
use crate::replication::report::AppliedReport;

/// The longest frame. chitchat's messages have at most 65,507 bytes, and a report of
/// [`crate::replication::report::REPORT_ENTRIES_MAX`] entries some 85,000.
pub const FRAME_BYTES_MAX: usize = 128 * 1024;

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

/// One frame.
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
    /// chitchat does not know what to make of its message.
    #[error("gossip message is malformed: {0}")]
    Gossip(String),
}

/// Puts frames onto a stream of bytes.
pub fn framed<S: AsyncRead + AsyncWrite>(stream: S) -> FrameStream<S> {
    LengthDelimitedCodec::builder()
        .max_frame_length(FRAME_BYTES_MAX)
        .new_framed(stream)
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

    /// Reads a frame.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn decode(bytes: &BytesMut) -> Result<Frame, FrameError> {
        let (&kind, mut content) = bytes.split_first().ok_or(FrameError::Empty)?;
        match kind {
            kind if kind == Kind::Hello as u8 => Ok(Frame::Hello(Hello::decode(content)?)),
            kind if kind == Kind::Refusal as u8 => Ok(Frame::Refusal(Refusal::decode(content)?)),
            kind if kind == Kind::Gossip as u8 => ChitchatMessage::deserialize(&mut content)
                .map(Frame::Gossip)
                .map_err(|error| FrameError::Gossip(error.to_string())),
            kind if kind == Kind::Report as u8 => {
                let (clock_ns, entries) = codec::decode_prefix(content)?;
                let report = AppliedReport::decode(entries)?;
                Ok(Frame::Report { report, clock_ns })
            }
            kind => Err(FrameError::UnknownKind(kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: an ACK of one empty node, packed as no chitchat packs it. chitchat reads it, and would panic
    /// if it had to write it again; nothing that a server receives is written again.
    #[test]
    fn gossip_that_was_packed_in_another_way_is_read() {
        let bytes = b"\x03S\xb0\x00\x02\x02\x00\x00\x00\x00rd\x00\x00\x00\x00{";
        let frame = Frame::decode(&BytesMut::from(&bytes[..]));
        assert!(matches!(frame, Ok(Frame::Gossip(_))), "{frame:?}");
    }
}
