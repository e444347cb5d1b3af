//! Which client IDs a scope covers.

use std::collections::BTreeSet;
use std::fmt;

use herd_text::printable::Unit;

/// Single IDs and beginnings of IDs. An empty set covers none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdPatterns {
    exact: BTreeSet<Box<[u8]>>,
    prefixes: BTreeSet<Box<[u8]>>,
}

/// A text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// There is nothing in it.
    #[error("a pattern is empty; `*` covers every id")]
    Empty,
    /// A star that is not the last character.
    #[error("`*` stands only at the end of a pattern; write `\\x2a` for one in an id")]
    StarInside,
    /// A backslash that begins none of `\\` and `\xNN`.
    #[error("a backslash in a pattern begins neither `\\\\` nor `\\xNN`")]
    Escape,
}

impl IdPatterns {
    /// Adds a pattern: an ID, or with a `*` at the end the beginning of IDs. `\xNN` stands for a byte, `\\` for a
    /// backslash.
    ///
    /// # Errors
    /// See [`InvalidPattern`]. Nothing was added.
    pub fn add(&mut self, pattern: &str) -> Result<(), InvalidPattern> {
        let (text, is_prefix) = match pattern.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (pattern, false),
        };
        let bytes = unescape(text)?;
        if is_prefix {
            self.prefixes.insert(bytes);
        } else if bytes.is_empty() {
            return Err(InvalidPattern::Empty);
        } else {
            self.exact.insert(bytes);
        }
        Ok(())
    }

    /// Whether it covers an ID.
    #[must_use]
    pub fn cover(&self, id: &[u8]) -> bool {
        self.exact.contains(id) || self.prefixes.iter().any(|prefix| id.starts_with(prefix))
    }

    /// How many patterns there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.exact.len() + self.prefixes.len()
    }

    /// Whether it covers nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The patterns as [`IdPatterns::add`] takes them.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        let exact = self.exact.iter().map(|id| Escaped(id).to_string());
        let prefixes = self.prefixes.iter();
        exact.chain(prefixes.map(|prefix| format!("{}*", Escaped(prefix))))
    }
}

fn unescape(text: &str) -> Result<Box<[u8]>, InvalidPattern> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return Ok(bytes.into()),
            [b'*', ..] => return Err(InvalidPattern::StarInside),
            [b'\\', b'\\', rest @ ..] => {
                bytes.push(b'\\');
                rest
            }
            [b'\\', b'x', high, low, rest @ ..] => {
                let digit =
                    |digit: u8| char::from(digit).to_digit(16).ok_or(InvalidPattern::Escape);
                bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
                rest
            }
            [b'\\', ..] => return Err(InvalidPattern::Escape),
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b'\\' => f.write_str("\\\\"),
            b'*' => f.write_str("\\x2a"),
            0x21..=0x7e => write!(f, "{}", char::from(byte)),
            _ => Unit::Byte(byte).fmt(f),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(texts: &[&str]) -> IdPatterns {
        let mut patterns = IdPatterns::default();
        texts.iter().for_each(|text| patterns.add(text).unwrap());
        patterns
    }

    #[test]
    fn single_ids_and_beginnings() {
        let some = patterns(&["kiwi", "van-*", "\\xff\\x2a"]);
        for id in [&b"kiwi"[..], b"van-", b"van-7", b"\xff*"] {
            assert!(some.cover(id), "{id:?}");
        }
        for id in [&b"kiwi2"[..], b"kiw", b"van", b"Van-7", b"\xff", b"*", b""] {
            assert!(!some.cover(id), "{id:?}");
        }
        assert!(patterns(&["*"]).cover(b"anything"));
        assert!(!IdPatterns::default().cover(b"anything"));
    }

    #[test]
    fn wrong_patterns() {
        let add = |text| IdPatterns::default().add(text);
        assert_eq!(add(""), Err(InvalidPattern::Empty));
        assert_eq!(add("a*b"), Err(InvalidPattern::StarInside));
        for text in ["\\", "\\x", "\\x1", "\\xg0", "\\n"] {
            assert_eq!(add(text), Err(InvalidPattern::Escape), "{text}");
        }
    }

    proptest! {
        #[test]
        fn texts_mean_the_same_again(ids in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..9), 1..5)) {
            let mut some = IdPatterns::default();
            for id in &ids {
                some.add(&Escaped(id).to_string()).unwrap();
                some.add(&format!("{}*", Escaped(id))).unwrap();
            }
            let mut again = IdPatterns::default();
            for text in some.texts() {
                again.add(&text).unwrap();
            }
            prop_assert_eq!(&again, &some);
            prop_assert!(ids.iter().all(|id| again.cover(id)));
        }
    }
}
