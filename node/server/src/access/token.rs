//! A token and its hash.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use subtle::{Choice, ConstantTimeEq as _};

/// The beginning of all tokens that herd makes, by which programs that search for lost secrets find them.
const PREFIX: &str = "herd_";

/// The chance in a token made here, in bytes: far beyond guessing, so that a plain hash is enough to keep it.
const RANDOM_BYTES: usize = 32;

/// The shortest token, in bytes. A shorter one could be guessed from its hash.
const TOKEN_BYTES_MIN: usize = 32;

/// The longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 256;

/// A token as a client shows it. It has no `Display`, and its `Debug` hides the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

/// Why a text is no token. It does not hold the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not one word of {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} printable ASCII characters; \
     `herd token new` makes tokens"
)]
pub struct InvalidToken;

impl Token {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        let bytes: [u8; RANDOM_BYTES] = rand::random();
        Token(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
    }

    /// Takes a token; blanks around it, such as the newline at the end of a file, are left out.
    ///
    /// # Errors
    /// If it could not be a token.
    pub fn new(text: &str) -> Result<Self, InvalidToken> {
        let text = text.trim();
        if !is_possible(text.as_bytes()) {
            return Err(InvalidToken);
        }
        Ok(Token(text.into()))
    }

    /// The token itself, for a connection or a file of its own, nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.0.as_bytes())
    }
}

/// Whether these bytes can be a token at all.
fn is_possible(bytes: &[u8]) -> bool {
    let fits = (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&bytes.len());
    fits && bytes.iter().all(u8::is_ascii_graphic)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The SHA-256 of a token.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; SHA256_OUTPUT_LEN]);

impl TokenHash {
    /// The hash of a shown token; `None` if the text cannot be a token. Then it opens nothing, even if the file holds
    /// its hash: a user may have put the hash of a word there that can be guessed.
    #[must_use]
    pub fn of_shown(shown: &[u8]) -> Option<Self> {
        is_possible(shown).then(|| Self::of(shown))
    }

    /// The hash of any bytes.
    #[must_use]
    pub fn of(shown: &[u8]) -> Self {
        let mut hash = [0; SHA256_OUTPUT_LEN];
        // Always of this length.
        for (to, from) in hash.iter_mut().zip(digest(&SHA256, shown).as_ref()) {
            *to = *from;
        }
        TokenHash(hash)
    }

    /// Reads the form that `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?.as_bytes();
        if digits.len() != 2 * SHA256_OUTPUT_LEN {
            return None;
        }
        let mut hash = [0; SHA256_OUTPUT_LEN];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                return None;
            };
            *byte = (high * 16 + low) as u8;
        }
        Some(TokenHash(hash))
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is_same(&self, other: &TokenHash) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_differ_and_stay_hidden() {
        let token = Token::random();
        assert_eq!(Token::new(token.reveal()).as_ref(), Ok(&token));
        assert_ne!(token, Token::random());
        assert_eq!(token.reveal().len(), 48);
        assert_eq!(
            format!("{token:?} {:?}", token.hash()),
            "Token(..) TokenHash(..)"
        );
        for text in [
            "",
            "herd_short",
            "two words of more than thirty-two bytes",
            &"x".repeat(257),
            &"\u{e4}".repeat(40),
        ] {
            assert_eq!(Token::new(text), Err(InvalidToken));
        }
    }

    #[test]
    fn hashes_are_those_of_sha_256() {
        // The example of FIPS 180-2.
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(TokenHash::of(b"abc").to_string(), text);
        let read = TokenHash::parse(text).unwrap();
        assert!(bool::from(read.is_same(&TokenHash::of(b"abc"))));
        assert!(!bool::from(read.is_same(&TokenHash::of(b"abd"))));
        for wrong in [
            &text[1..],
            &text[..text.len() - 1],
            &text.replace('b', "g"),
            &text.replace("sha256", "md5"),
        ] {
            assert!(TokenHash::parse(wrong).is_none(), "{wrong}");
        }
    }
}
