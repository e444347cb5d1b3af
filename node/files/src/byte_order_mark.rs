//! The mark that some editors put before a text, and texts in another encoding that it tells of.
//!
//! A UTF-8 text may begin with U+FEFF, which says nothing and is passed over. UTF-16 is refused by name, since another
//! complaint would not help.

use std::io::{self, Chain, Cursor, Read};

/// U+FEFF in UTF-8.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The text is in another encoding than UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is UTF-16 text; save it as UTF-8")]
pub struct Utf16;

impl From<Utf16> for io::Error {
    fn from(error: Utf16) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

/// The bytes behind the mark, or all of them without a mark.
///
/// # Errors
/// If the bytes begin as UTF-16 does: with its mark, or with a character of which one byte is zero.
pub fn skip(bytes: &[u8]) -> Result<&[u8], Utf16> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => Err(Utf16),
        _ => Ok(bytes.strip_prefix(&MARK).unwrap_or(bytes)),
    }
}

/// A reader of the bytes behind the mark, or of all without a mark.
///
/// # Errors
/// As [`skip`], or if nothing can be read.
pub fn skip_in<R: Read>(mut input: R) -> io::Result<Chain<Cursor<Vec<u8>>, R>> {
    let mut start = Vec::new();
    input
        .by_ref()
        .take(MARK.len() as u64)
        .read_to_end(&mut start)?;
    let start = skip(&start)?.to_vec();
    Ok(Cursor::new(start).chain(input))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_passed_over_and_utf_16_is_named() {
        assert_eq!(skip(b""), Ok(&b""[..]));
        assert_eq!(skip(b"a"), Ok(&b"a"[..]));
        assert_eq!(skip(b"\xef\xbb\xbf"), Ok(&b""[..]));
        assert_eq!(
            skip("\u{feff}\u{feff}ab".as_bytes()),
            Ok("\u{feff}ab".as_bytes())
        );
        assert_eq!(skip(b"\xef\xbb"), Ok(&b"\xef\xbb"[..]));
        for text in [&b"\xff\xfea\0"[..], b"\xfe\xff\0a", b"a\0b\0", b"\0a\0b"] {
            assert_eq!(skip(text), Err(Utf16), "{text:?}");
        }
    }

    #[test]
    fn a_reader_gives_all_that_follows() {
        for (text, rest) in [
            ("\u{feff}abc", "abc"),
            ("ab", "ab"),
            ("\u{feff}", ""),
            ("", ""),
        ] {
            let mut read = String::new();
            skip_in(text.as_bytes())
                .unwrap()
                .read_to_string(&mut read)
                .unwrap();
            assert_eq!(read, rest);
        }
        assert!(skip_in(&b"\xff\xfe"[..]).is_err());
    }
}
