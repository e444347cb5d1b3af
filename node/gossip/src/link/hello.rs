//! The first frame of a connection, either way: who the sender is, whom it wants, and what it can speak.

use herd_crdt::codec::{self, CodecError};

use super::frame::FrameError;
use super::offer::{Features, Layout, Offer, VersionRange};

/// What a side says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// How its bytes are arranged.
    pub layout: Layout,
    /// What the sender can speak; [`Offer::FORMER`] in [`Layout::Former`], which does not say it.
    pub offer: Offer,
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

impl Hello {
    /// Appends the content of a hello frame.
    ///
    /// # Errors
    /// None in practice; see [`codec::encode_into`].
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.push(self.layout as u8);
        if self.layout == Layout::Ranged {
            let Offer { versions, features } = self.offer;
            let said = (versions.oldest(), versions.newest(), features.bits());
            codec::encode_into(&said, out)?;
        }
        let sender = (
            &*self.cluster,
            &*self.from,
            &*self.to,
            self.generation,
            self.known_of_other,
        );
        codec::encode_into(&sender, out)
    }

    /// Reads the content of a hello frame. Bytes behind it are ignored.
    ///
    /// # Errors
    /// [`FrameError::UnknownLayout`] for a hello of a later program, of which only the first byte is read;
    /// otherwise if the bytes are not a hello.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let (&layout, content) = bytes.split_first().ok_or(FrameError::Empty)?;
        let layout = Layout::from_byte(layout).ok_or(FrameError::UnknownLayout(layout))?;
        let (offer, content) = match layout {
            Layout::Former => (Offer::FORMER, content),
            Layout::Ranged => decode_offer(content)?,
        };
        let ((cluster, from, to, generation, known_of_other), _) = codec::decode_prefix(content)?;
        Ok(Hello {
            layout,
            offer,
            cluster,
            from,
            to,
            generation,
            known_of_other,
        })
    }
}

fn decode_offer(content: &[u8]) -> Result<(Offer, &[u8]), FrameError> {
    let ((oldest, newest, features), rest) = codec::decode_prefix(content)?;
    let versions =
        VersionRange::new(oldest, newest).ok_or(FrameError::NoRange { oldest, newest })?;
    let features = Features::from_bits(features);
    Ok((Offer { versions, features }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(layout: Layout, offer: Offer) -> Hello {
        Hello {
            layout,
            offer,
            cluster: "herd".to_owned(),
            from: "Smith".to_owned(),
            to: "Hill".to_owned(),
            generation: 5,
            known_of_other: 300,
        }
    }

    /// The sender's part of both layouts, byte for byte.
    const SENDER: &[u8] = b"\x04herd\x05Smith\x04Hill\x05\xfb\x2c\x01";

    /// These bytes never change: servers of earlier releases read them.
    #[test]
    fn both_layouts_stay_as_they_are_on_the_wire() {
        let later = Offer {
            versions: VersionRange::new(2, 300).unwrap(),
            features: Features::from_bits(5),
        };
        let cases = [
            (hello(Layout::Former, Offer::FORMER), &b"\x01"[..]),
            (hello(Layout::Ranged, Offer::PRESENT), b"\x02\x01\x02\x00"),
            (hello(Layout::Ranged, later), b"\x02\x02\xfb\x2c\x01\x05"),
        ];
        for (hello, start) in cases {
            let mut bytes = Vec::new();
            hello.encode_into(&mut bytes).unwrap();
            assert_eq!(bytes, [start, SENDER].concat());
            assert_eq!(Hello::decode(&bytes).unwrap(), hello);
            bytes.extend(b"what a later program says besides");
            assert_eq!(Hello::decode(&bytes).unwrap(), hello, "bytes behind it");
        }
    }

    #[test]
    fn of_a_later_layout_only_the_first_byte_is_read() {
        for bytes in [&b"\x03"[..], b"\xff\xff\xff", b"\x00"] {
            let read = Hello::decode(bytes);
            assert!(matches!(read, Err(FrameError::UnknownLayout(layout)) if layout == bytes[0]));
        }
        assert!(matches!(Hello::decode(b""), Err(FrameError::Empty)));
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        let read = Hello::decode(&[b"\x02\x03\x02\x00", SENDER].concat());
        assert!(matches!(
            read,
            Err(FrameError::NoRange {
                oldest: 3,
                newest: 2
            })
        ));
    }
}
