//! Questions of a live page.

use herd_server::live::PageQuestion;

pub(super) fn run(bytes: &[u8]) {
    if let Err(error) = PageQuestion::parse(&String::from_utf8_lossy(bytes)) {
        assert!(!error.to_string().is_empty());
    }
}
