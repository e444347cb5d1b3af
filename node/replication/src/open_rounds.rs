//! Which of our rounds an answer is to.

use std::collections::VecDeque;

/// Rounds that are remembered. A connection over which so many were not answered has long been ended, but for one over
/// which reports come and gossip does not: what is not remembered is answered by a later round than it could be.
const OPEN_ROUNDS_MAX: usize = 64;

/// Rounds with one neighbour that may yet be answered over the present connection, each with the last question that was
/// asked before it began. A round that was given up may be answered late, while another is under way, and answers come in
/// the order of the rounds: so each counts for the oldest.
#[derive(Debug, Default)]
pub(super) struct OpenRounds {
    connection: u64,
    questions: VecDeque<u64>,
}

impl OpenRounds {
    /// A round begins over this connection. Those of the one before will not be answered.
    pub(super) fn begin(&mut self, connection: u64, question: u64) {
        if connection != self.connection {
            self.connection = connection;
            self.questions.clear();
        }
        if self.questions.len() < OPEN_ROUNDS_MAX {
            self.questions.push_back(question);
        }
    }

    /// A round was answered; returns the question that the neighbour was there after, if there was any.
    pub(super) fn answered(&mut self) -> Option<u64> {
        self.questions.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_does_not_count_for_a_question_that_was_asked_after_its_round() {
        let mut rounds = OpenRounds::default();
        rounds.begin(1, 0);
        // It times out, and a question is asked; the first answer that comes may be to the first round.
        rounds.begin(1, 7);
        assert_eq!(rounds.answered(), Some(0));
        rounds.begin(1, 7);
        assert_eq!(rounds.answered(), Some(7));
    }

    #[test]
    fn another_connection_owes_no_answers_and_what_is_remembered_is_bounded() {
        let mut rounds = OpenRounds::default();
        rounds.begin(1, 0);
        rounds.begin(2, 7);
        assert_eq!(rounds.answered(), Some(7));
        assert_eq!(rounds.answered(), None);
        for question in 0..3 * OPEN_ROUNDS_MAX as u64 {
            rounds.begin(2, question);
        }
        assert_eq!(rounds.questions.len(), OPEN_ROUNDS_MAX);
        assert_eq!(rounds.answered(), Some(0), "rather an older one");
    }
}
