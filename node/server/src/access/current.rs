//! The tokens that count now, which follow their file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
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
    version: watch::Sender<u64>,
    statistics: AccessStatistics,
}

/// The state of the file at the earlier looks.
#[derive(Default)]
struct TokensFileState {
    /// The text of the last look, if it was not judged yet.
    new: Option<Vec<u8>>,
    /// The text that was judged last, taken or not.
    judged: Option<Vec<u8>>,
    complaint: Option<String>,
}

impl Access {
    /// The tokens that were read from `path`.
    #[must_use]
    pub fn new(path: PathBuf, tokens: Tokens) -> Arc<Self> {
        Arc::new(Access {
            path,
            tokens: Mutex::new(Arc::new(tokens)),
            version: watch::Sender::new(0),
            statistics: AccessStatistics::default(),
        })
    }

    /// The rights of the token with this hash.
    #[must_use]
    pub fn find(&self, hash: &TokenHash) -> Option<Arc<Grant>> {
        let tokens = self.tokens.lock().clone();
        tokens.find(hash).cloned()
    }

    /// Another number when the tokens are others.
    #[must_use]
    pub fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// Tells of each new version.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The counts.
    #[must_use]
    pub fn statistics(&self) -> &AccessStatistics {
        &self.statistics
    }

    /// Follows the file until told to stop. A change counts once two looks in a row have found it the same: a file that is
    /// being written is not taken. A file that cannot be used changes nothing, and is told once.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = TokensFileState::default();
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

    fn look(&self, seen: &mut TokensFileState, read: Result<Vec<u8>, TokensFileError>) {
        let parsed = match read {
            Ok(bytes) if seen.judged.as_ref() == Some(&bytes) => {
                seen.new = None;
                return;
            }
            Ok(bytes) if seen.new.as_ref() != Some(&bytes) => {
                seen.new = Some(bytes);
                return;
            }
            Ok(bytes) => {
                let parsed = Tokens::of_file(&bytes);
                seen.new = None;
                seen.judged = Some(bytes);
                if parsed.as_ref().is_ok_and(|new| self.is_current(new)) {
                    // The file that was read at the start, or that came back.
                    seen.complaint = None;
                    return;
                }
                parsed
            }
            Err(error) => {
                (seen.new, seen.judged) = (None, None);
                Err(error)
            }
        };
        match parsed {
            Ok(tokens) => {
                info!(tokens = tokens.len(), "the tokens file has changed");
                self.replace(tokens);
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
                        "the tokens file cannot be used: the earlier tokens still count"
                    );
                    seen.complaint = Some(complaint);
                }
            }
        }
    }

    /// These tokens count from now on.
    pub(crate) fn replace(&self, tokens: Tokens) {
        *self.tokens.lock() = Arc::new(tokens);
        self.version.send_modify(|version| *version += 1);
    }

    fn is_current(&self, tokens: &Tokens) -> bool {
        self.tokens.lock().is_same(tokens)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::super::{Token, grant_line};
    use super::*;

    fn text(token: &Token) -> Vec<u8> {
        let grant = Grant::new("some").unwrap();
        format!("{}\n", grant_line(&grant, &token.hash())).into_bytes()
    }

    /// Two looks at the same.
    fn look_twice(access: &Access, seen: &mut TokensFileState, bytes: &[u8]) {
        for _ in 0..2 {
            access.look(seen, Ok(bytes.to_vec()));
        }
    }

    #[test]
    fn a_changed_file_is_taken_unless_it_is_invalid() {
        let (first, second) = (Token::random(), Token::random());
        let access = Access::new("tokens".into(), Tokens::parse(&text(&first)).unwrap());
        let mut seen = TokensFileState::default();
        look_twice(&access, &mut seen, &text(&first));
        assert_eq!(access.version(), 0, "nothing has changed");
        look_twice(&access, &mut seen, b"nonsense\n");
        assert!(access.find(&first.hash()).is_some());
        access.look(&mut seen, Err(std::io::Error::other("gone").into()));
        assert!(access.find(&first.hash()).is_some());
        access.look(&mut seen, Err(std::io::Error::other("gone").into()));
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!(count(&access.statistics.files_refused), 2, "told once each");
        look_twice(&access, &mut seen, &text(&second));
        assert_eq!(access.version(), 1);
        assert!(access.find(&first.hash()).is_none());
        assert!(access.find(&second.hash()).is_some());
        assert_eq!(count(&access.statistics.files_taken), 1);
        look_twice(&access, &mut seen, b"");
        assert!(access.find(&second.hash()).is_none(), "no token is left");
    }

    #[test]
    fn a_file_that_is_being_written_is_not_taken() {
        let tokens: Vec<Token> = (0..3).map(|_| Token::random()).collect();
        let lines: Vec<String> = tokens
            .iter()
            .enumerate()
            .map(|(number, token)| {
                let mut grant = Grant::new(&format!("van{number}")).unwrap();
                grant.report.add("depot-7").unwrap();
                grant_line(&grant, &token.hash()) + "\n"
            })
            .collect();
        let (old, new) = (&lines[0], lines.concat());
        let access = Access::new("tokens".into(), Tokens::parse(old.as_bytes()).unwrap());
        let mut seen = TokensFileState::default();
        look_twice(&access, &mut seen, old.as_bytes());
        // Written in pieces, with a look at each: cut anywhere, at the end of a line too.
        for end in 0..new.len() {
            access.look(&mut seen, Ok(new.as_bytes()[..end].to_vec()));
            assert_eq!(access.version(), 0, "after {end} bytes");
        }
        // A writer that pauses in the middle of a line is not done either.
        look_twice(&access, &mut seen, &new.as_bytes()[..new.len() - 2]);
        assert_eq!(access.version(), 0);
        look_twice(&access, &mut seen, new.as_bytes());
        assert_eq!(access.version(), 1);
        assert!(
            tokens
                .iter()
                .all(|token| access.find(&token.hash()).is_some())
        );
    }
}
