//! Client ids for a page: they are any bytes but white space, and up to 8 KiB of them.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use herd_text::printable::units;

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

/// An id as a person reads it, as [`Printable`](herd_text::printable::Printable): at most `units_max` characters or bytes that
/// are no UTF-8, and one character that says that there are more.
#[must_use]
pub(super) fn label(client: &[u8], units_max: usize) -> String {
    let mut label = String::new();
    let mut units = units(client);
    for unit in units.by_ref().take(units_max) {
        // Writing to a string cannot fail.
        let _ = write!(label, "{unit}");
    }
    if units.next().is_some() {
        label.push('…');
    }
    label
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use herd_text::printable::is_printable;

    #[test]
    fn labels_show_text_and_escape_the_rest() {
        for (client, shown) in [
            (&b"kiwi.cs.ucla.edu"[..], "kiwi.cs.ucla.edu"),
            ("Zürich-北京".as_bytes(), "Zürich-北京"),
            (b"\xff\xa0k\x1f", "\\xff\\xa0k\\x1f"),
            (
                "a\u{202e}b\u{200b}".as_bytes(),
                "a\\xe2\\x80\\xaeb\\xe2\\x80\\x8b",
            ),
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
            prop_assert!(label.chars().all(is_printable));
            // The longest escape is that of a character of four bytes.
            let escape_len = "\\xf3\\xa0\\x81\\x81".len();
            prop_assert!(label.chars().count() <= 20 * escape_len + 1);
        }
    }
}
