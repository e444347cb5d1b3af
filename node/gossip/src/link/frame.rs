//! Frames: what travels over a link.
//!
//! A frame is a length of four bytes, big-endian, and that many bytes: one for the kind, the rest
//! for the content. Kinds are never reused. Those from [`SKIPPABLE_FROM`] on are for frames that a receiver may skip
//! if it does not know them. Bytes behind a message of ours are ignored, so that later programs can say more.

use chitchat::{ChitchatMessage, Serializable as _};
use herd_crdt::codec::{self, CodecError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::bytes::Bytes;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::hello::Hello;
use super::refusal::Refusal;
use crate::incarnation::Incarnation;
use herd_replica::report::AppliedReport;
use herd_topology::NAME_BYTES_MAX;

/// The longest frame. chitchat's messages have at most 65,507 bytes, and a report of
/// [`herd_replica::report::REPORT_ENTRIES_MAX`] entries some 85,000.
pub const FRAME_BYTES_MAX: usize = 128 * 1024;

/// The longest frame of a handshake: some 260 bytes in this version, and room for what later ones say behind it.
pub const GREETING_BYTES_MAX: usize = 1_024;

const _: () = {
    // Kind and layout, a range and features, three texts behind their lengths, two numbers.
    let hello = 2 + (2 * 3 + 9) + 3 * (3 + NAME_BYTES_MAX) + 2 * 9;
    assert!(2 * hello <= GREETING_BYTES_MAX);
};

/// A frame of an unknown kind below this number cuts the link, since its content must not be left out. A frame of this
/// kind or a greater one is skipped.
pub const SKIPPABLE_FROM: u8 = 128;

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
    /// A frame of a kind that this program does not know and may skip.
    Skipped(u8),
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
    /// A kind that this program does not know and may not skip.
    #[error("frame has the unknown kind {0}, which is none to be skipped")]
    UnknownKind(u8),
    /// A hello of a later program, in a layout that this one does not know.
    #[error("hello has the unknown layout {0}")]
    UnknownLayout(u8),
    /// A hello whose versions are no range.
    #[error("hello says that it speaks versions {oldest} to {newest}, which is no range")]
    NoRange {
        /// The first version that it says.
        oldest: u16,
        /// The last one.
        newest: u16,
    },
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
            kind if kind >= SKIPPABLE_FROM => Ok(Received::Skipped(kind)),
            kind => Err(FrameError::UnknownKind(kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::offer::{Features, Layout, Offer, VersionRange};
    use super::*;
    use herd_replica::report::Applied;

    fn nobody(_: &str, _: u64) -> Option<Incarnation> {
        None
    }

    #[test]
    fn before_a_handshake_only_its_frames_are_read() {
        let offer = Offer {
            versions: VersionRange::new(1, u16::MAX).unwrap(),
            features: Features::from_bits(u64::MAX),
        };
        for (layout, offer) in [(Layout::Former, Offer::FORMER), (Layout::Ranged, offer)] {
            let hello = Hello {
                layout,
                offer,
                cluster: "c".repeat(NAME_BYTES_MAX),
                from: "f".repeat(NAME_BYTES_MAX),
                to: "t".repeat(NAME_BYTES_MAX),
                generation: u64::MAX,
                known_of_other: u64::MAX,
            };
            let bytes = Frame::Hello(hello.clone()).encode().unwrap();
            assert!(2 * bytes.len() <= GREETING_BYTES_MAX, "{}", bytes.len());
            assert_eq!(Greeting::decode(&bytes).unwrap(), Greeting::Hello(hello));
        }
        for kind in [3, 4, 5, SKIPPABLE_FROM, 255] {
            let read = Greeting::decode(&[kind, 0, 0]);
            assert!(matches!(read, Err(FrameError::NotGreeting(k)) if k == kind));
        }
        assert!(matches!(Greeting::decode(&[]), Err(FrameError::Empty)));
    }

    #[test]
    fn gossip_is_not_looked_into() {
        let read = Received::decode(b"\x03kiwi", nobody).unwrap();
        assert_eq!(read, Received::Gossip(b"kiwi"));
    }

    #[test]
    fn an_unknown_kind_is_skipped_or_cuts_the_link() {
        for kind in SKIPPABLE_FROM..=u8::MAX {
            let frame = [&[kind][..], b"of a later program"].concat();
            let read = Received::decode(&frame, nobody).unwrap();
            assert_eq!(read, Received::Skipped(kind));
        }
        for kind in (5..SKIPPABLE_FROM).chain([0]) {
            let frame = [kind, 1, 2];
            let read = Received::decode(&frame, nobody);
            assert!(matches!(read, Err(FrameError::UnknownKind(k)) if k == kind));
        }
    }

    #[test]
    fn bytes_behind_a_report_are_ignored() {
        let hill = Incarnation {
            server: "Hill".into(),
            generation: 1,
        };
        let applied = Applied {
            merged: 7,
            durable: 3,
        };
        let report = AppliedReport::new([(hill.clone(), applied)]);
        let frame = Frame::Report {
            report: report.clone(),
            clock_ns: -1,
        };
        let mut bytes = frame.encode().unwrap().to_vec();
        assert_eq!(
            bytes, b"\x04\x01\x01\x04Hill\x01\x07\x03",
            "as it always was"
        );
        bytes.extend(b"and more");
        let read = Received::decode(&bytes, |_, _| Some(hill.clone())).unwrap();
        let expected = Received::Report {
            report,
            clock_ns: -1,
        };
        assert_eq!(read, expected);
    }
}
