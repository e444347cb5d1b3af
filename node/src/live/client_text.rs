//! Client ids for a page: they are any bytes but white space, and up to 8 KiB of them.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

/// An id in a form that JSON and addresses carry, byte for byte.
#[must_use]
pub(super) fn encoded(client: &[u8]) -> String {
    BASE64URL.encode(client)
}

/// The id of a text that [`encoded`] made.
#[must_use]
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64URL.decode(text).ok()
}

/// An id as a person reads it, in at most `chars_max` characters and one that says that there are more.
/// What is not text, or would change how the text around it looks, is escaped.
#[must_use]
pub(super) fn label(client: &[u8], chars_max: usize) -> String {
    let mut label = String::new();
    let mut left = chars_max;
    for chunk in client.utf8_chunks() {
        for char in chunk.valid().chars() {
            if left == 0 {
                label.push('…');
                return label;
            }
            left -= 1;
            if is_plain(char) {
                label.push(char);
            } else {
                // Writing to a string cannot fail.
                let _ = write!(label, "{}", char.escape_unicode());
            }
        }
        for byte in chunk.invalid() {
            if left == 0 {
                label.push('…');
                return label;
            }
            left -= 1;
            let _ = write!(label, "\\x{byte:02x}");
        }
    }
    label
}

/// Whether a character stands for itself: no control, nothing invisible, nothing that turns the
/// direction of writing.
fn is_plain(char: char) -> bool {
    !char.is_control()
        && !char.is_whitespace()
        && !matches!(
            char,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_show_text_and_escape_the_rest() {
        for (client, shown) in [
            (&b"kiwi.cs.ucla.edu"[..], "kiwi.cs.ucla.edu"),
            ("Zürich-北京".as_bytes(), "Zürich-北京"),
            (b"\xff\xa0k\x1f", "\\xff\\xa0k\\u{1f}"),
            ("a\u{202e}b\u{200b}".as_bytes(), "a\\u{202e}b\\u{200b}"),
            // The page writes labels as text; they are no business of HTML's.
            (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        ] {
            assert_eq!(label(client, 40), shown);
        }
        assert_eq!(label(b"abcdef", 3), "abc…");
        assert_eq!(label(b"abc", 3), "abc");
        assert_eq!(label(b"\xff\xff", 1), "\\xff…");
    }

    proptest! {
        #[test]
        fn ids_come_back_as_they_were(client in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decoded(&encoded(&client)), Some(client));
        }

        #[test]
        fn labels_are_short_and_plain(client in proptest::collection::vec(any::<u8>(), 0..200)) {
            let label = label(&client, 20);
            prop_assert!(label.chars().all(is_plain));
            // The longest escape is that of a character of six digits.
            let escape_len = "\\u{10ffff}".len();
            prop_assert!(label.chars().count() <= 20 * escape_len + 1);
        }
    }
}
