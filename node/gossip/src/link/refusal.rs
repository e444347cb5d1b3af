//! What a side says that does not want a link: why, and what it speaks itself.

use herd_crdt::codec::{self, CodecError};

use super::offer::VersionRange;

/// Why a link is not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RefusalReason {
    /// The two have no version of the link protocol in common.
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

    /// Why, in words.
    #[must_use]
    pub fn text(self) -> &'static str {
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

/// What a side says that does not want the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why; `None` for a reason that this program does not know.
    pub reason: Option<RefusalReason>,
    /// The greatest generation of the other that it knows of, 0 if none.
    pub known_of_other: u64,
    /// The versions that it speaks. It says so only to servers that read bytes behind a message, and only before a
    /// link.
    pub speaks: Option<VersionRange>,
}

impl Refusal {
    /// Appends the content of a refusal frame.
    ///
    /// # Errors
    /// None in practice; see [`codec::encode_into`].
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let code = self.reason.map_or(0, |reason| reason as u8);
        codec::encode_into(&(code, self.known_of_other), out)?;
        match self.speaks {
            Some(range) => codec::encode_into(&(range.oldest(), range.newest()), out),
            None => Ok(()),
        }
    }

    /// Reads the content of a refusal frame. Bytes behind it are ignored.
    ///
    /// # Errors
    /// If the bytes are not a refusal.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let ((code, known_of_other), behind) = codec::decode_prefix::<(u8, u64)>(bytes)?;
        let range = codec::decode_prefix::<(u16, u16)>(behind);
        Ok(Refusal {
            reason: RefusalReason::from_code(code),
            known_of_other,
            speaks: range
                .ok()
                .and_then(|((oldest, newest), _)| VersionRange::new(oldest, newest)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_as_it_always_was_with_a_range_behind() {
        let mut refusal = Refusal {
            reason: Some(RefusalReason::ProtocolVersion),
            known_of_other: 7,
            speaks: None,
        };
        let mut bytes = Vec::new();
        refusal.encode_into(&mut bytes).unwrap();
        assert_eq!(bytes, b"\x01\x07", "that is all earlier releases take");
        assert_eq!(Refusal::decode(&bytes).unwrap(), refusal);
        refusal.speaks = VersionRange::new(2, 300);
        bytes.clear();
        refusal.encode_into(&mut bytes).unwrap();
        assert_eq!(bytes, b"\x01\x07\x02\xfb\x2c\x01");
        bytes.extend(b"and more");
        assert_eq!(Refusal::decode(&bytes).unwrap(), refusal);
    }

    #[test]
    fn bytes_behind_a_refusal_that_are_no_range_are_ignored() {
        for behind in [&b"\x03\x02"[..], b"\xff", b"\x05"] {
            let read = Refusal::decode(&[b"\x02\x00", behind].concat()).unwrap();
            assert_eq!(read.reason, Some(RefusalReason::Cluster));
            assert_eq!(read.speaks, None);
        }
        let unknown = Refusal::decode(b"\xc8\x00").unwrap();
        assert_eq!(unknown.reason, None);
        assert!(Refusal::decode(b"\x01").is_err());
    }
}
