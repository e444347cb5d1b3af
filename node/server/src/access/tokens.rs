//! A tokens file: tokens and their rights.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use subtle::{Choice, ConditionallySelectable as _};

use super::id_patterns::IdPatterns;
use super::line;
use super::token::TokenHash;
use herd_files::byte_order_mark;
use herd_files::own_file;

/// The largest tokens file, in bytes.
pub const TOKENS_FILE_BYTES_MAX: usize = 1 << 20;

/// The maximal number of tokens in a file: each is compared with every shown token.
const TOKENS_MAX: usize = 1_024;

/// The most mistakes of a file that are told.
const FAULTS_TOLD_MAX: usize = 20;

/// The rights of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its name, for people.
    pub name: Box<str>,
    /// Clients that it may report.
    pub report: IdPatterns,
    /// Clients that it may ask about.
    pub ask: IdPatterns,
    /// Clients that it may forget.
    pub forget: IdPatterns,
    /// Whether it opens the pages and data of HTTP.
    pub http: bool,
}

impl Grant {
    /// A grant of this name that allows nothing yet.
    ///
    /// # Errors
    /// If the name is none.
    pub fn new(name: &str) -> Result<Self, String> {
        line::check_name(name)?;
        Ok(Grant {
            name: name.into(),
            report: IdPatterns::default(),
            ask: IdPatterns::default(),
            forget: IdPatterns::default(),
            http: false,
        })
    }
}

/// The tokens of a file.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<TokenEntry>);

/// The hash of a token, and its rights.
type TokenEntry = (TokenHash, Arc<Grant>);

/// One mistake in a tokens file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokensFault {
    /// The line, counted from 1.
    pub line: usize,
    /// The mistake, without the text of the line.
    pub reason: String,
}

/// A tokens file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensFileError {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// It is too large, not text, or not whole.
    #[error("{0}")]
    NotText(String),
    /// Some lines are wrong.
    #[error("{}", TokensFaults(.0))]
    Invalid(Vec<TokensFault>),
}

struct TokensFaults<'a>(&'a [TokensFault]);

impl fmt::Display for TokensFaults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().take(FAULTS_TOLD_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}line {}: {}", fault.line, fault.reason)?;
        }
        let more = self.0.len().saturating_sub(FAULTS_TOLD_MAX);
        if more > 0 {
            write!(f, "; and {more} more")?;
        }
        Ok(())
    }
}

impl Tokens {
    /// Reads a file.
    ///
    /// # Errors
    /// See [`TokensFileError`]. No text of the file is in it.
    pub fn read(path: &Path) -> Result<Self, TokensFileError> {
        Self::of_file(&read_bytes(path)?)
    }

    /// Reads all of a file, which must end with a line end: half a pattern is a pattern too, and could allow more.
    ///
    /// # Errors
    /// See [`TokensFileError`].
    pub fn of_file(bytes: &[u8]) -> Result<Self, TokensFileError> {
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            let reason =
                "its last line has no line end, so the file may be half written; end it with one";
            return Err(TokensFileError::NotText(reason.to_owned()));
        }
        Self::parse(bytes)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// See [`TokensFileError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TokensFileError> {
        if bytes.len() > TOKENS_FILE_BYTES_MAX {
            let reason = format!("it is larger than {TOKENS_FILE_BYTES_MAX} bytes");
            return Err(TokensFileError::NotText(reason));
        }
        let bytes = byte_order_mark::skip(bytes)
            .map_err(|utf_16| TokensFileError::NotText(utf_16.to_string()))?;
        let text = str::from_utf8(bytes)
            .map_err(|_| TokensFileError::NotText("it is not UTF-8 text".to_owned()))?;
        let mut tokens = Vec::new();
        let mut faults = Vec::new();
        let (mut names, mut hashes) = (HashSet::new(), HashSet::new());
        for (index, text) in text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let mut fault = |reason: String| {
                faults.push(TokensFault {
                    line: index + 1,
                    reason,
                });
            };
            match line::parse(text) {
                Err(reason) => fault(reason),
                Ok((_, grant)) if !names.insert(grant.name.clone()) => {
                    fault(format!("a second token is called {}", grant.name));
                }
                Ok((hash, _)) if !hashes.insert(hash.to_string()) => {
                    fault("the same hash as in an earlier line".to_owned());
                }
                Ok(_) if tokens.len() == TOKENS_MAX => {
                    fault(format!("more than {TOKENS_MAX} tokens"));
                    break;
                }
                Ok((hash, grant)) => tokens.push((hash, Arc::new(grant))),
            }
        }
        if faults.is_empty() {
            Ok(Tokens(tokens))
        } else {
            Err(TokensFileError::Invalid(faults))
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none, so that nothing is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both hold the same tokens with the same scopes.
    pub(super) fn is_same(&self, other: &Tokens) -> bool {
        let same = |(one, other): (&TokenEntry, &TokenEntry)| {
            bool::from(one.0.is_same(&other.0)) && one.1 == other.1
        };
        self.len() == other.len() && self.0.iter().zip(&other.0).all(same)
    }

    /// The rights of the token with this hash. Compares with every token, to take constant time.
    #[must_use]
    pub fn find(&self, hash: &TokenHash) -> Option<&Arc<Grant>> {
        let none = self.0.len() as u64;
        let mut found = none;
        for (index, (known, _)) in self.0.iter().enumerate() {
            let is_this: Choice = known.is_same(hash);
            found.conditional_assign(&(index as u64), is_this);
        }
        self.0.get(found as usize).map(|(_, grant)| grant)
    }
}

/// The bytes of a file, one more than is allowed at most.
pub(super) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    own_file::read_regular(path, TOKENS_FILE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::super::{Token, grant_line};
    use super::*;

    fn grant(name: &str, report: &[&str], ask: &[&str], http: bool) -> Grant {
        let mut grant = Grant::new(name).unwrap();
        report
            .iter()
            .for_each(|text| grant.report.add(text).unwrap());
        ask.iter().for_each(|text| grant.ask.add(text).unwrap());
        // Whoever may report some may forget them here.
        report
            .iter()
            .for_each(|text| grant.forget.add(text).unwrap());
        grant.http = http;
        grant
    }

    #[test]
    fn a_written_token_line_is_read_again() {
        let grants = [
            grant("van7", &["van7"], &["van7", "depot-*"], false),
            grant("all", &["*"], &["*"], true),
            grant("nothing", &[], &[], false),
        ];
        let tokens: Vec<Token> = grants.iter().map(|_| Token::random()).collect();
        let mut text = "# name hash scopes\n\n".to_owned();
        for (grant, token) in grants.iter().zip(&tokens) {
            text += &grant_line(grant, &token.hash());
            text.push('\n');
        }
        let read = Tokens::parse(text.as_bytes()).unwrap();
        assert_eq!(read.len(), 3);
        for (grant, token) in grants.iter().zip(&tokens) {
            assert_eq!(read.find(&token.hash()).map(|found| &**found), Some(grant));
        }
        assert!(read.find(&Token::random().hash()).is_none());
        assert!(Tokens::default().find(&tokens[0].hash()).is_none());
    }

    #[test]
    fn every_mistake_is_reported_by_line_without_text() {
        let hash = Token::random().hash();
        let text = format!(
            "good {hash}\nsecret-in-place-of-a-name-{}\nx {}\ngood {hash} http\nother {hash}\n\
             a/b {hash}\nc {} report=\nd {} write=x\n",
            "y".repeat(60),
            Token::random().reveal(),
            Token::random().hash(),
            Token::random().hash(),
        );
        let error = Tokens::parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: not a name, a hash and scopes; \
             line 3: the second word is not `sha256:` and 64 hexadecimal digits; \
             line 4: a second token is called good; \
             line 5: the same hash as in an earlier line; \
             line 6: a token's name has 1 to 64 letters, digits, `-`, `_` and `.`; \
             line 7: a pattern is empty; `*` covers every id; \
             line 8: a scope is none of `report=ID`, `ask=ID`, `forget=ID` and `http`"
        );
    }

    #[test]
    fn a_file_is_bounded() {
        assert!(Tokens::parse(&vec![b'\n'; TOKENS_FILE_BYTES_MAX + 1]).is_err());
        assert!(Tokens::parse(&vec![b'\n'; TOKENS_FILE_BYTES_MAX]).is_ok());
        assert!(Tokens::parse(b"\xff").is_err());
        let many: String = (0..=TOKENS_MAX)
            .map(|n| format!("t{n} {}\n", TokenHash::of(&n.to_be_bytes())))
            .collect();
        let error = Tokens::parse(many.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "line 1025: more than 1024 tokens");
    }

    /// A pattern of any bytes, as a line of the file may have it.
    fn pattern((bytes, is_prefix): &(Vec<u8>, bool)) -> String {
        let mut text: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        if *is_prefix {
            text.push('*');
        }
        text
    }

    proptest! {
        #[test]
        fn any_bytes_are_tokens_or_reported_mistakes(bytes: Vec<u8>) {
            if let Err(error) = Tokens::parse(&bytes) {
                prop_assert!(!error.to_string().is_empty());
            }
        }

        #[test]
        fn any_similar_text_is_read_or_reported(text in "[a-z]{0,3} (sha256:[0-9a-f]{62,64})? ?[a-z=*\\\\x0-9 ]{0,40}") {
            match Tokens::parse(text.as_bytes()) {
                Ok(tokens) => prop_assert!(tokens.len() <= 1),
                Err(error) => prop_assert!(error.to_string().starts_with("line 1: ")),
            }
        }

        #[test]
        fn token_lines_for_any_ids_are_read_again(
            name in "[A-Za-z0-9_.-]{1,64}",
            report in vec((vec(any::<u8>(), 1..20), any::<bool>()), 0..5),
            ask in vec((vec(any::<u8>(), 1..20), any::<bool>()), 0..5),
            http: bool,
        ) {
            let mut grant = Grant::new(&name).unwrap();
            // Bytes that no id has are not taken.
            for text in report.iter().map(pattern) {
                let _ = grant.report.add(&text);
            }
            for text in ask.iter().map(pattern) {
                let _ = grant.ask.add(&text);
            }
            grant.http = http;
            let hash = Token::random().hash();
            let read = Tokens::parse(grant_line(&grant, &hash).as_bytes()).unwrap();
            prop_assert_eq!(read.find(&hash).map(|found| &**found), Some(&grant));
        }
    }
}
