//! Tokens: their file, and lines and headers that show one.

use herd_node::access::{Access, Session, TokenHash, Tokens, Verdict};
use herd_node::http::token_of;

/// A file's text; what is behind a NUL is what a client shows.
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
    // No input of this target can hold a token of its own file: that would be SHA-256 undone.
    let known = !tokens.is_empty() && tokens.find(&TokenHash::of(shown)).is_some();
    let mut session = Session::new(Access::new("tokens".into(), tokens));
    for line in shown.split(|&byte| byte == b'\n') {
        let verdict = session.judge(line);
        assert!(known || verdict != Verdict::Accepted);
    }
}
