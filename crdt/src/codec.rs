//! The one module that knows bincode.
//!
//! bincode 2 is what the project was asked to use; it is unmaintained (RUSTSEC-2025-0141, no
//! vulnerability), so everything that is written to a disk or a wire goes through these three
//! functions, behind a version byte of the format that uses them. Every decode has a limit, so no
//! length in the input can make it allocate more.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::{BorrowDecode, Encode};

/// The most bytes that one decoded value may claim.
pub const DECODE_BYTES_MAX: usize = 128 * 1024;

const CONFIG: Configuration<LittleEndian, Varint, Limit<DECODE_BYTES_MAX>> =
    bincode::config::standard().with_limit::<DECODE_BYTES_MAX>();

/// Garbled bytes, or a value that cannot be written. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("bytes are not a value of the expected kind: {reason}")]
pub struct CodecError {
    reason: String,
}

/// Appends the encoding of `value` to `out`.
///
/// # Errors
/// Only if the value itself refuses (a poisoned lock, a map that lies about its length), which no
/// type of this workspace does.
pub fn encode_into<T: Encode>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match bincode::encode_into_std_write(value, out, CONFIG) {
        Ok(_) => Ok(()),
        Err(error) => Err(CodecError {
            reason: error.to_string(),
        }),
    }
}

/// Decodes a value from the start of `bytes`; the second part is the bytes behind it. Byte slices and
/// strings in the value borrow from `bytes`.
///
/// # Errors
/// If the bytes are cut off, malformed, or claim more than [`DECODE_BYTES_MAX`].
pub fn decode_prefix<'a, T: BorrowDecode<'a, ()>>(
    bytes: &'a [u8],
) -> Result<(T, &'a [u8]), CodecError> {
    match bincode::borrow_decode_from_slice(bytes, CONFIG) {
        Ok((value, used)) => Ok((value, bytes.get(used..).unwrap_or_default())),
        Err(error) => Err(CodecError {
            reason: error.to_string(),
        }),
    }
}

/// Decodes `bytes` as one value with nothing after it.
///
/// # Errors
/// As [`decode_prefix`], and if bytes are left over.
pub fn decode<'a, T: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    match decode_prefix(bytes)? {
        (value, []) => Ok(value),
        (_, rest) => Err(CodecError {
            reason: format!("{} bytes are left over", rest.len()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_and_decoding_gives_the_value_back() {
        let mut bytes = Vec::new();
        encode_into(&(7_u16, "kiwi", -1_i64), &mut bytes).unwrap();
        assert_eq!(decode::<(u16, &str, i64)>(&bytes).unwrap(), (7, "kiwi", -1));
        bytes.push(0);
        assert!(decode::<(u16, &str, i64)>(&bytes).is_err(), "left over");
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        let mut bytes = Vec::new();
        encode_into(&u64::MAX, &mut bytes).unwrap();
        assert!(decode::<Vec<u64>>(&bytes).is_err());
        assert!(decode::<&[u8]>(&bytes).is_err());
    }
}
