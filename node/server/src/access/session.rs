//! The rights of one connection, by the token that it showed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::AUTH_WORD;
use super::current::Access;
use super::token::TokenHash;
use super::tokens::Grant;
use herd_protocol::Fields;

/// The decision about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineVerdict {
    /// It is executed.
    Pass,
    /// The line gets the error reply. The map was not read.
    Forbidden,
    /// It showed a token that is known.
    Accepted,
    /// It showed something else.
    Refused,
}

/// The rights of one connection.
#[derive(Debug)]
pub struct AccessSession {
    access: Arc<Access>,
    /// The token that was shown last, if it was known then.
    hash: Option<TokenHash>,
    grant: Option<Arc<Grant>>,
    /// The version of the tokens that `grant` is from.
    version: u64,
}

impl AccessSession {
    /// A connection that has shown nothing yet, and may do nothing.
    #[must_use]
    pub fn new(access: Arc<Access>) -> Self {
        AccessSession {
            version: access.version(),
            access,
            hash: None,
            grant: None,
        }
    }

    /// Decides about a line. Lines that are no commands pass: they get the error reply anyway.
    pub fn judge(&mut self, line: &[u8]) -> LineVerdict {
        let mut fields = Fields::new(line);
        let word = fields.next();
        let grant = match word {
            Some(AUTH_WORD) => {
                let shown = fields.next().filter(|_| fields.next().is_none());
                return self.authenticate(shown);
            }
            Some(b"IAMAT" | b"WHATSAT") => self.current_grant(),
            _ => return LineVerdict::Pass,
        };
        let Some(id) = fields.next() else {
            return LineVerdict::Pass;
        };
        let allowed = grant.is_some_and(|grant| match word {
            Some(b"IAMAT") => grant.report.cover(id),
            _ => grant.ask.cover(id),
        });
        if allowed {
            return LineVerdict::Pass;
        }
        let forbidden = &self.access.statistics().commands_forbidden;
        forbidden.fetch_add(1, Ordering::Relaxed);
        LineVerdict::Forbidden
    }

    /// A token that is not known takes the rights of the one before it, too.
    fn authenticate(&mut self, shown: Option<&[u8]>) -> LineVerdict {
        let version = self.access.version();
        let hash = shown.and_then(TokenHash::of_shown);
        self.grant = hash.and_then(|hash| self.access.find(&hash));
        self.hash = hash.filter(|_| self.grant.is_some());
        self.version = version;
        let statistics = self.access.statistics();
        let (counter, verdict) = if self.grant.is_some() {
            (&statistics.tokens_accepted, LineVerdict::Accepted)
        } else {
            (&statistics.tokens_refused, LineVerdict::Refused)
        };
        counter.fetch_add(1, Ordering::Relaxed);
        verdict
    }

    /// The rights of the token by the current tokens file.
    fn current_grant(&mut self) -> Option<&Grant> {
        let version = self.access.version();
        if self.version != version {
            self.version = version;
            self.grant = self.hash.and_then(|hash| self.access.find(&hash));
        }
        self.grant.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Token, Tokens, grant_line};
    use super::*;

    fn access(token: &Token) -> Arc<Access> {
        let mut grant = Grant::new("van").unwrap();
        grant.report.add("van-*").unwrap();
        grant.ask.add("depot").unwrap();
        let text = grant_line(&grant, &token.hash());
        Access::new("tokens".into(), Tokens::parse(text.as_bytes()).unwrap())
    }

    /// Found by fuzzing: a file with the hash of `abc` let `AUTH abc` in.
    #[test]
    fn a_short_token_opens_nothing() {
        let hash = TokenHash::of(b"abc");
        assert!(TokenHash::of_shown(b"abc").is_none());
        let tokens = Tokens::parse(format!("all {hash} report=* ask=*").as_bytes()).unwrap();
        let mut session = AccessSession::new(Access::new("tokens".into(), tokens));
        assert_eq!(session.judge(b"AUTH abc"), LineVerdict::Refused);
        assert_eq!(session.judge(b"WHATSAT kiwi 1 1"), LineVerdict::Forbidden);
    }

    #[test]
    fn a_token_allows_its_scopes_and_nothing_else() {
        let token = Token::random();
        let access = access(&token);
        let mut session = AccessSession::new(access.clone());
        let auth = format!(" AUTH\t{} ", token.reveal());
        assert_eq!(session.judge(b"IAMAT van-1 +1+1 1"), LineVerdict::Forbidden);
        assert_eq!(session.judge(auth.as_bytes()), LineVerdict::Accepted);
        for (line, verdict) in [
            (&b"IAMAT van-1 +1+1 1"[..], LineVerdict::Pass),
            (b"IAMAT depot +1+1 1", LineVerdict::Forbidden),
            (b"WHATSAT depot 1 1", LineVerdict::Pass),
            (b"WHATSAT van-1 1 1", LineVerdict::Forbidden),
            (b"WHATSAT depot2 1 1", LineVerdict::Forbidden),
            (b"IAMAT", LineVerdict::Pass),
            (b"hello", LineVerdict::Pass),
            (b" ", LineVerdict::Pass),
        ] {
            assert_eq!(session.judge(line), verdict, "{}", line.escape_ascii());
        }
        let count = access
            .statistics()
            .commands_forbidden
            .load(Ordering::Relaxed);
        assert_eq!(count, 4);
    }

    #[test]
    fn a_wrong_token_ends_the_rights_of_the_one_before() {
        let token = Token::random();
        let access = access(&token);
        let good = format!("AUTH {}", token.reveal());
        for wrong in [
            "AUTH".to_owned(),
            format!("{good} {}", token.reveal()),
            format!("AUTH {}", Token::random().reveal()),
            good[..good.len() - 1].to_owned(),
        ] {
            let mut session = AccessSession::new(access.clone());
            assert_eq!(session.judge(good.as_bytes()), LineVerdict::Accepted);
            assert_eq!(session.judge(wrong.as_bytes()), LineVerdict::Refused);
            assert_eq!(session.judge(b"WHATSAT depot 1 1"), LineVerdict::Forbidden);
        }
    }
}
