//! Whether an answer of a neighbour can only be to the round that waits for it.

use std::time::Instant;

use super::timing::LATE_ANSWER_MAX;

/// What was given up over the present connection, and may be answered yet. Answers do not say which round they are to:
/// one that comes during a later round may be to the earlier, and says nothing of what was asked in between.
#[derive(Debug, Default)]
pub(crate) struct GivenUp {
    connection: u64,
    last: Option<Instant>,
}

impl GivenUp {
    /// A round or push over this connection was given up now.
    pub(crate) fn note(&mut self, connection: u64, now: Instant) {
        self.connection = connection;
        self.last = Some(now);
    }

    /// Whether an answer over this connection may be to what was given up.
    pub(crate) fn may_be_answered(&self, connection: u64, now: Instant) -> bool {
        connection == self.connection
            && self
                .last
                .is_some_and(|last| now.saturating_duration_since(last) < LATE_ANSWER_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::ROUND_TIMEOUT;

    #[test]
    fn answers_are_in_doubt_for_a_while_on_that_connection() {
        let now = crate::testing::start();
        let mut given_up = GivenUp::default();
        assert!(!given_up.may_be_answered(0, now));
        given_up.note(1, now);
        assert!(given_up.may_be_answered(1, now + ROUND_TIMEOUT));
        assert!(!given_up.may_be_answered(2, now + ROUND_TIMEOUT));
        assert!(!given_up.may_be_answered(1, now + LATE_ANSWER_MAX));
        given_up.note(1, now + ROUND_TIMEOUT);
        assert!(given_up.may_be_answered(1, now + LATE_ANSWER_MAX));
    }
}
