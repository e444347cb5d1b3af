//! The tokens that count now, which follow their file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::statistics::AccessStatistics;
use super::token::TokenHash;
use super::tokens::{Grant, Tokens, TokensFileError, read_bytes};

/// How often the file is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The tokens that count now.
#[derive(Debug)]
pub struct Access {
    path: PathBuf,
    tokens: Mutex<Arc<Tokens>>,
    /// Rises with each set of tokens.
    version: AtomicU64,
    statistics: AccessStatistics,
}

/// What was seen at the last look.
#[derive(Default)]
struct Seen {
    bytes: Option<Vec<u8>>,
    complaint: Option<String>,
}

impl Access {
    /// The tokens that were read from `path`.
    #[must_use]
    pub fn new(path: PathBuf, tokens: Tokens) -> Arc<Self> {
        Arc::new(Access {
            path,
            tokens: Mutex::new(Arc::new(tokens)),
            version: AtomicU64::new(0),
            statistics: AccessStatistics::default(),
        })
    }

    /// What the token of this hash allows.
    #[must_use]
    pub fn find(&self, hash: &TokenHash) -> Option<Arc<Grant>> {
        let tokens = self.tokens.lock().clone();
        tokens.find(hash).cloned()
    }

    /// Another number when the tokens are others.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// What was counted.
    #[must_use]
    pub fn statistics(&self) -> &AccessStatistics {
        &self.statistics
    }

    /// Follows the file until told to stop. A file that cannot be used changes nothing, and is told once.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = Seen::default();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                () = stop.cancelled() => return,
            }
            let path = self.path.clone();
            let reading = tokio::task::spawn_blocking(move || read_bytes(&path));
            // A disk that hangs keeps a thread, and holds up no stop.
            let read = tokio::select! {
                read = reading => read,
                () = stop.cancelled() => return,
            };
            let Ok(read) = read else { continue };
            self.look(&mut seen, read.map_err(TokensFileError::from));
        }
    }

    fn look(&self, seen: &mut Seen, read: Result<Vec<u8>, TokensFileError>) {
        let parsed = match read {
            Ok(bytes) if seen.bytes.as_ref() == Some(&bytes) => return,
            Ok(bytes) => {
                let parsed = Tokens::parse(&bytes);
                let is_first = seen.bytes.replace(bytes).is_none();
                if is_first && parsed.as_ref().is_ok_and(|new| self.is_current(new)) {
                    // Still the file that was read at the start.
                    return;
                }
                parsed
            }
            Err(error) => {
                seen.bytes = None;
                Err(error)
            }
        };
        match parsed {
            Ok(tokens) => {
                info!(tokens = tokens.len(), "the tokens file has changed");
                *self.tokens.lock() = Arc::new(tokens);
                self.version.fetch_add(1, Ordering::Release);
                self.statistics.files_taken.fetch_add(1, Ordering::Relaxed);
                seen.complaint = None;
            }
            Err(error) => {
                let complaint = error.to_string();
                if seen.complaint.as_ref() != Some(&complaint) {
                    let refused = &self.statistics.files_refused;
                    refused.fetch_add(1, Ordering::Relaxed);
                    warn!(
                        path = %self.path.display(),
                        reason = complaint,
                        "the tokens file cannot be used: the tokens before it still count"
                    );
                    seen.complaint = Some(complaint);
                }
            }
        }
    }

    fn is_current(&self, tokens: &Tokens) -> bool {
        self.tokens.lock().is_same(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Token, grant_line};
    use super::*;

    fn text(token: &Token) -> Vec<u8> {
        let grant = Grant::new("some").unwrap();
        grant_line(&grant, &token.hash()).into_bytes()
    }

    #[test]
    fn a_changed_file_counts_and_a_bad_one_does_not() {
        let (first, second) = (Token::random(), Token::random());
        let access = Access::new("tokens".into(), Tokens::parse(&text(&first)).unwrap());
        let mut seen = Seen::default();
        access.look(&mut seen, Ok(text(&first)));
        assert_eq!(access.version(), 0, "nothing has changed");
        for bad in [
            Ok(b"nonsense".to_vec()),
            Err(std::io::Error::other("gone").into()),
        ] {
            access.look(&mut seen, bad);
            assert!(access.find(&first.hash()).is_some());
        }
        access.look(&mut seen, Err(std::io::Error::other("gone").into()));
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!(count(&access.statistics.files_refused), 2, "told once each");
        access.look(&mut seen, Ok(text(&second)));
        assert_eq!(access.version(), 1);
        assert!(access.find(&first.hash()).is_none());
        assert!(access.find(&second.hash()).is_some());
        assert_eq!(count(&access.statistics.files_taken), 1);
        access.look(&mut seen, Ok(Vec::new()));
        assert!(access.find(&second.hash()).is_none(), "no token is left");
    }
}
