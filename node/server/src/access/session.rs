//! The rights of one connection, by the token that it showed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::AUTH_WORD;
use super::current::Access;
use super::principal::Principal;
use super::token::TokenHash;
use herd_protocol::Fields;

/// The decision about a line that shows a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineVerdict {
    /// The token is known.
    Accepted,
    /// It is not, or the line is no other that shows one.
    Refused,
}

/// The rights of one connection.
#[derive(Debug)]
pub struct AccessSession {
    access: Arc<Access>,
    /// The token that was shown last, if it was known then.
    hash: Option<TokenHash>,
    principal: Principal,
    /// The version of the tokens that `principal` is from.
    version: u64,
}

impl AccessSession {
    /// A connection that has shown nothing yet, and may do nothing.
    #[must_use]
    pub fn new(access: Arc<Access>) -> Self {
        AccessSession {
            version: access.version(),
            hash: None,
            principal: Principal::Holder {
                access: Arc::clone(&access),
                grant: None,
            },
            access,
        }
    }

    /// Takes the token of a line that shows one; nothing comes of other lines.
    pub fn authenticate(&mut self, line: &[u8]) -> Option<LineVerdict> {
        let mut fields = Fields::new(line);
        if fields.next() != Some(AUTH_WORD) {
            return None;
        }
        let shown = fields.next().filter(|_| fields.next().is_none());
        Some(if self.show(shown) {
            LineVerdict::Accepted
        } else {
            LineVerdict::Refused
        })
    }

    /// Takes a token; says whether it is known. If not, or if there is none, the rights of the one before end too.
    pub fn show(&mut self, shown: Option<&[u8]>) -> bool {
        let version = self.access.version();
        let hash = shown.and_then(TokenHash::of_shown);
        let is_known = self.set(hash);
        self.hash = hash.filter(|_| is_known);
        self.version = version;
        let statistics = self.access.statistics();
        let counter = if is_known {
            &statistics.tokens_accepted
        } else {
            &statistics.tokens_refused
        };
        counter.fetch_add(1, Ordering::Relaxed);
        is_known
    }

    /// Forgets the token that was shown, as if none had been.
    pub fn forget_token(&mut self) {
        self.hash = None;
        self.set(None);
    }

    /// Who asks over this connection, by the tokens file of now.
    pub fn principal(&mut self) -> &Principal {
        let version = self.access.version();
        if self.version != version {
            self.version = version;
            self.set(self.hash);
        }
        &self.principal
    }

    /// Takes over the rights of the token with this hash; says whether it is known.
    fn set(&mut self, hash: Option<TokenHash>) -> bool {
        let grant = hash.and_then(|hash| self.access.find(&hash));
        let is_known = grant.is_some();
        self.principal = Principal::Holder {
            access: Arc::clone(&self.access),
            grant,
        };
        is_known
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Grant, Token, Tokens, grant_line};
    use super::*;

    fn access(token: &Token) -> Arc<Access> {
        let mut grant = Grant::new("van").unwrap();
        grant.report.add("van-*").unwrap();
        grant.ask.add("depot").unwrap();
        grant.forget.add("old-*").unwrap();
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
        assert_eq!(
            session.authenticate(b"AUTH abc"),
            Some(LineVerdict::Refused)
        );
        assert!(!session.principal().may_ask(b"kiwi"));
    }

    #[test]
    fn a_token_allows_its_scopes_and_nothing_else() {
        let token = Token::random();
        let access = access(&token);
        let mut session = AccessSession::new(access.clone());
        let auth = format!(" AUTH\t{} ", token.reveal());
        assert!(!session.principal().may_report(b"van-1"));
        assert!(!session.principal().may_see_some());
        assert_eq!(
            session.authenticate(auth.as_bytes()),
            Some(LineVerdict::Accepted)
        );
        let principal = session.principal();
        assert!(principal.may_report(b"van-1") && !principal.may_report(b"depot"));
        assert!(principal.may_ask(b"depot") && principal.may_see_some());
        assert!(!principal.may_ask(b"van-1") && !principal.may_ask(b"depot2"));
        assert!(principal.may_see(b"depot") && !principal.may_see(b"depot2"));
        assert!(principal.may_forget(b"old-1"));
        assert!(!principal.may_forget(b"van-1") && !principal.may_forget(b"depot"));
        for line in [
            &b"IAMAT van-1 +1+1 1"[..],
            b"IAMAT",
            b"hello",
            b" ",
            b"auth x",
        ] {
            assert_eq!(session.authenticate(line), None, "{}", line.escape_ascii());
        }
        let statistics = access.statistics();
        let count = statistics.commands_forbidden.load(Ordering::Relaxed);
        assert_eq!(count, 6, "what is not seen is not refused");
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
            assert_eq!(
                session.authenticate(good.as_bytes()),
                Some(LineVerdict::Accepted)
            );
            assert_eq!(
                session.authenticate(wrong.as_bytes()),
                Some(LineVerdict::Refused)
            );
            assert!(!session.principal().may_ask(b"depot"));
        }
    }
}
