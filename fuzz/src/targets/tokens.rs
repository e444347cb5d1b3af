//! Tokens: their file, and lines and headers that show one.

use herd_crdt::is_blank;
use herd_server::access::{Access, AccessSession, LineVerdict, TokenHash, Tokens};
use herd_server::http::token_of;

/// A file's text; the part behind a NUL is the token of a client.
pub(super) fn run(bytes: &[u8]) {
    let nul = bytes.iter().position(|&byte| byte == 0);
    let (text, shown) = match nul {
        Some(nul) => (&bytes[..nul], &bytes[nul + 1..]),
        None => (&b""[..], bytes),
    };
    let _ = token_of(shown);
    let tokens = match Tokens::parse(text) {
        Ok(tokens) => tokens,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // A line that is accepted shows a token that the file has, and one that is long enough.
    let opens = |line: &[u8]| {
        let mut fields = line
            .split(|&byte| is_blank(byte))
            .filter(|field| !field.is_empty());
        let shown = fields.nth(1).unwrap_or_default();
        shown.len() >= 32 && tokens.find(&TokenHash::of(shown)).is_some()
    };
    let mut session = AccessSession::new(Access::new("tokens".into(), tokens.clone()));
    for line in shown.split(|&byte| byte == b'\n') {
        if session.authenticate(line) == Some(LineVerdict::Accepted) {
            assert!(opens(line));
        }
    }
}
