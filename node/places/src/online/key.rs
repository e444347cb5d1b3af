//! The key of a provider, which nothing prints.

use std::fmt;

/// The shortest key, in bytes: a shorter text would be taken out of answers where it is no key.
const KEY_BYTES_MIN: usize = 8;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 512;

/// The text in place of a key.
const REDACTED: &str = "(key)";

/// A provider's key. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Box<str>);

/// Why a text is no key. It does not hold the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Nothing but blanks.
    #[error("there is no key in it")]
    Empty,
    /// Not printable ASCII, blanks inside, too short or too long.
    #[error(
        "the key in it is not one word of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} printable ASCII \
         characters"
    )]
    NotAWord,
}

impl ApiKey {
    /// Takes a key; blanks around it, such as the newline at the end of a file, are left out.
    ///
    /// # Errors
    /// If it could not be a key.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidKey::Empty);
        }
        let fits = (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidKey::NotAWord);
        }
        Ok(ApiKey(text.into()))
    }

    /// The key itself, for a request or for the environment of a child process, nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The text without the key.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        text.replace(&*self.0, REDACTED)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_words_and_stay_hidden() {
        let key = ApiKey::new(" AIza-x_9\n").unwrap();
        assert_eq!(key.reveal(), "AIza-x_9");
        assert_eq!(format!("{key:?}"), "ApiKey(..)");
        assert_eq!(key.redact("bad AIza-x_9!"), "bad (key)!");
        assert_eq!(ApiKey::new(" \n"), Err(InvalidKey::Empty));
        for text in ["two words", "1234567", "12345678\u{e4}", &"x".repeat(513)] {
            assert_eq!(ApiKey::new(text), Err(InvalidKey::NotAWord));
        }
    }
}
