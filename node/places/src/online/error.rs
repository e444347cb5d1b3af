//! Why an online provider gave no answer.

use std::time::Duration;

use bytes::Bytes;

use super::super::reply::ReplyStatus;

/// Why an online provider gave no answer. The texts reach clients and logs: they hold no URL and
/// no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It took longer than a question may take, all attempts together.
    #[error("no answer within {} ms", .0.as_millis())]
    TooSlow(Duration),
    /// No connection was made, so the question was not asked.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection ended before the head of a reply was there.
    #[error("the connection broke before it answered: {0}")]
    NoReply(String),
    /// The connection ended in the middle of the reply.
    #[error("the answer was cut off: {0}")]
    CutOff(String),
    /// The reply is longer than any answer should be; the rest was not read.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// It sent the question elsewhere, which is not followed: the key would go there.
    #[error("answered with a redirect (HTTP {0}), which is not followed")]
    Redirected(u16),
    /// The reply is not JSON.
    #[error("answered {0} instead of JSON")]
    NotJson(String),
    /// The reply is JSON, but not in the documented form of this provider.
    #[error("the answer has another form than documented: {0}")]
    Malformed(String),
    /// It was asked too often; `retry_after` is how long it wants to be left alone, if it said so.
    #[error("it was asked too often{}", Suffix(.reason))]
    TooOften {
        /// The pause that it asked for.
        retry_after: Option<Duration>,
        /// Its own words, maybe none.
        reason: String,
    },
    /// It refuses to answer, most likely because of the key.
    #[error("refused the request{}", Suffix(.0))]
    Denied(String),
    /// It failed, by its own account.
    #[error("failed{}", Suffix(.reason))]
    Failed {
        /// Its own words.
        reason: String,
        /// Whether the same question may well be answered a moment later.
        passing: bool,
        /// The pause that it asked for.
        retry_after: Option<Duration>,
    },
    /// Not asked: the provider wants a pause for this time.
    #[error("not asked: it wants a pause for another {} s", .0.as_secs_f64().ceil())]
    Paused(Duration),
    /// Not asked: the provider failed again and again, and is tried again after this time.
    #[error("not asked: it kept failing and is tried again in {} s", .0.as_secs_f64().ceil())]
    Broken(Duration),
    /// Not asked: as many questions as are allowed are in flight, and as many wait.
    #[error("not asked: too many questions wait for it")]
    Busy,
    /// Not asked: it got this number of questions in the last minute, which is the limit.
    #[error("not asked: it gets at most {0} questions a minute")]
    UsedUp(u32),
    /// A failure whose JSON is passed on unchanged when no fallback answers.
    #[error("{error}")]
    InItsOwnWords {
        /// The failure.
        error: Box<ProviderError>,
        /// The provider's own Nearby Search reply.
        reply: Bytes,
    },
}

struct Suffix<'a>(&'a str);

impl std::fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.0)
    }
}

impl ProviderError {
    /// The failure itself, without its form.
    #[must_use]
    pub fn cause(&self) -> &ProviderError {
        match self {
            ProviderError::InItsOwnWords { error, .. } => error.cause(),
            other => other,
        }
    }

    /// The status of Google's Nearby Search that says about this.
    #[must_use]
    pub fn status(&self) -> ReplyStatus {
        match self.cause() {
            ProviderError::TooOften { .. }
            | ProviderError::Paused(_)
            | ProviderError::UsedUp(_) => ReplyStatus::OverQueryLimit,
            ProviderError::Denied(_) => ReplyStatus::RequestDenied,
            _ => ReplyStatus::UnknownError,
        }
    }

    /// Whether the provider, and not its load or this one question, is at fault: enough of these in
    /// a row and it is left alone for a while.
    #[must_use]
    pub fn is_breakage(&self) -> bool {
        match self.cause() {
            ProviderError::TooOften { .. }
            | ProviderError::Paused(_)
            | ProviderError::Broken(_)
            | ProviderError::UsedUp(_)
            | ProviderError::Busy => false,
            ProviderError::Failed { .. }
            | ProviderError::TooSlow(_)
            | ProviderError::Connect(_)
            | ProviderError::NoReply(_)
            | ProviderError::CutOff(_)
            | ProviderError::TooLong(_)
            | ProviderError::Redirected(_)
            | ProviderError::NotJson(_)
            | ProviderError::Malformed(_)
            | ProviderError::Denied(_)
            | ProviderError::InItsOwnWords { .. } => true,
        }
    }

    /// Whether asking once more is safe and may help: nothing was answered, so nothing was paid for,
    /// and the fault may have passed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self.cause(),
            ProviderError::Connect(_)
                | ProviderError::NoReply(_)
                | ProviderError::TooOften { .. }
                | ProviderError::Failed { passing: true, .. }
        )
    }

    /// The pause that the provider asked for.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.cause() {
            ProviderError::TooOften { retry_after, .. }
            | ProviderError::Failed { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The longest text of a provider that is told further, in bytes.
const WORDS_BYTES_MAX: usize = 200;

/// A provider's own words, made fit for a line: one line, no control characters, cut.
#[must_use]
pub(crate) fn words(text: &str) -> String {
    let mut words = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        for c in word.chars() {
            if words.len() + c.len_utf8() > WORDS_BYTES_MAX {
                words.push_str("...");
                return words;
            }
            words.push(c);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_texts_of_a_provider_become_one_short_line() {
        assert_eq!(words(" a\n\tb\u{7}c "), "a b c");
        let long = words(&"\u{e4}".repeat(1_000));
        assert!(long.len() <= WORDS_BYTES_MAX + 3 && long.ends_with("..."));
    }

    #[test]
    fn a_form_changes_nothing_about_a_failure() {
        let error = ProviderError::InItsOwnWords {
            error: Box::new(ProviderError::Denied("no".to_owned())),
            reply: Bytes::new(),
        };
        assert_eq!(error.to_string(), "refused the request: no");
        assert_eq!(error.status(), ReplyStatus::RequestDenied);
        assert!(error.is_breakage() && !error.may_pass());
    }
}
