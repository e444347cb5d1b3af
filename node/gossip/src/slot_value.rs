//! A group as the text that gossip carries: compressed once, where it is published, and base64.
//!
//! chitchat compresses each of its messages anew, twice at the sender, and a group crosses each link. What
//! is small and has no pattern left costs it a third of the time, and each server holds what every
//! other one publishes as such texts.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use bytes::Bytes;
use herd_crdt::group::GROUP_BYTES_MAX;
use parking_lot::Mutex;
use zstd::bulk::{Compressor, Decompressor};

/// In front of a compressed group; base64 has no such character. Without it, the group is as it is.
const COMPRESSED: &str = "~";

/// The fastest of zstd's levels that leaves no patterns: of 12,000 bytes about a third in 25 us.
const LEVEL: i32 = 1;

/// The most bytes that a text may claim to hold. Those of a later format may be larger than those of this one.
pub const UNPACKED_BYTES_MAX: usize = 4 * GROUP_BYTES_MAX;

/// Makes texts of groups, and groups of texts. Its tables are made once.
pub struct SlotValues {
    compressor: Mutex<Compressor<'static>>,
    unpacker: Mutex<Unpacker>,
}

struct Unpacker {
    decompressor: Decompressor<'static>,
    /// Of [`UNPACKED_BYTES_MAX`] bytes.
    room: Vec<u8>,
}

impl SlotValues {
    /// # Errors
    /// If there is no memory for the tables.
    pub fn new() -> io::Result<Self> {
        Ok(SlotValues {
            compressor: Mutex::new(Compressor::new(LEVEL)?),
            unpacker: Mutex::new(Unpacker {
                decompressor: Decompressor::new()?,
                room: Vec::with_capacity(UNPACKED_BYTES_MAX),
            }),
        })
    }

    /// The text for a group.
    pub fn text_of(&self, group: &[u8]) -> String {
        let packed = self.compressor.lock().compress(group);
        match packed {
            Ok(packed) if packed.len() < group.len() => {
                let mut text =
                    String::with_capacity(COMPRESSED.len() + packed.len().div_ceil(3) * 4);
                text.push_str(COMPRESSED);
                BASE64.encode_string(packed, &mut text);
                text
            }
            // Longer than before, as a small group may be.
            Ok(_) | Err(_) => BASE64.encode(group),
        }
    }

    /// The group of a text; `None` if it holds none.
    pub fn group_of(&self, text: &str) -> Option<Bytes> {
        let Some(packed) = text.strip_prefix(COMPRESSED) else {
            return BASE64.decode(text).ok().map(Bytes::from);
        };
        let packed = BASE64
            .decode(packed)
            .ok()
            .filter(|packed| !packed.is_empty())?;
        let mut unpacker = self.unpacker.lock();
        let Unpacker { decompressor, room } = &mut *unpacker;
        room.clear();
        decompressor.decompress_to_buffer(&packed, room).ok()?;
        Some(Bytes::copy_from_slice(room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group_like(len: usize) -> Vec<u8> {
        let texts =
            (0..).map(|number| format!("client{number} +34.068930-118.445127 152002393{number} "));
        texts.flat_map(String::into_bytes).take(len).collect()
    }

    #[test]
    fn a_group_comes_back_and_its_text_is_smaller() {
        let values = SlotValues::new().unwrap();
        for len in [0, 1, 3, 100, GROUP_BYTES_MAX] {
            let group = group_like(len);
            let text = values.text_of(&group);
            assert!(text.is_ascii());
            assert_eq!(values.group_of(&text).unwrap(), group);
        }
        let text = values.text_of(&group_like(GROUP_BYTES_MAX));
        assert!(text.len() < GROUP_BYTES_MAX / 2, "{}", text.len());
    }

    #[test]
    fn what_does_not_shrink_goes_as_it_is() {
        let values = SlotValues::new().unwrap();
        let noise: Vec<u8> = (0..GROUP_BYTES_MAX as u64)
            .map(|number| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
            .collect();
        let text = values.text_of(&noise[..40]);
        assert_eq!(text, BASE64.encode(&noise[..40]));
        assert_eq!(values.group_of(&text).unwrap(), noise[..40]);
    }

    #[test]
    fn what_is_no_text_of_a_group_is_refused() {
        let values = SlotValues::new().unwrap();
        for text in ["~", "!", "~!", "~AAAA", "\u{e9}"] {
            assert_eq!(values.group_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_cannot_claim_more_than_the_bound() {
        let values = SlotValues::new().unwrap();
        let bomb = values.text_of(&vec![0; UNPACKED_BYTES_MAX + 1]);
        assert!(bomb.len() < 1_000);
        assert_eq!(values.group_of(&bomb), None);
        let most = values.text_of(&vec![0; UNPACKED_BYTES_MAX]);
        assert!(values.group_of(&most).is_some());
    }
}
