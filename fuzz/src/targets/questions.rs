//! What a live page asks to be shown.

use herd_server::live::Question;

pub(super) fn run(bytes: &[u8]) {
    if let Err(error) = Question::parse(&String::from_utf8_lossy(bytes)) {
        assert!(!error.to_string().is_empty());
    }
}
