//! No process of a server ever goes back for a client: its answer is never behind an answer or acknowledgement that
//! it gave before the question.

use std::collections::BTreeMap;

use super::super::{Call, ClientCommand, ClientReply, History, Record, ServerRun};
use super::{Finding, about, answered, is_behind};

pub(super) fn check(history: &History) -> Vec<Finding> {
    let mut groups: BTreeMap<(ServerRun, &[u8]), Vec<&Call>> = BTreeMap::new();
    for call in &history.calls {
        let group = groups.entry((call.process, call.command.client()));
        group.or_default().push(call);
    }
    let mut found = Vec::new();
    for ((_, client), calls) in groups {
        found.extend(in_group(history, client, &calls));
    }
    found
}

/// `calls` are all of one process about one client.
fn in_group(history: &History, client: &[u8], calls: &[&Call]) -> Option<Finding> {
    let said: Vec<(Record, &Call)> = calls
        .iter()
        .filter_map(|call| Some((answered(call)?, *call)))
        .collect();
    let questions = calls.iter().filter(|call| {
        matches!(call.command, ClientCommand::Question { .. }) && call.reply != ClientReply::Unknown
    });
    for question in questions {
        let before = said.iter().filter(|(_, call)| call.precedes(question));
        let Some((floor, call)) = before.max_by(|(one, _), (other, _)| one.order(other)) else {
            continue;
        };
        let answer = answered(question);
        if let Some(text) = is_behind((floor, call), answer.as_ref(), &history.names) {
            let question = question.show(&history.names);
            return Some(about(
                "monotony",
                client,
                format!("{text}\nbefore\n{question}"),
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{Sample, at};
    use super::*;

    #[test]
    fn an_answer_that_goes_back_is_found() {
        let mut sample = Sample::new();
        sample.question(0, 1, 1_000, Some(&at("Hill", "kiwi", "2")));
        sample.question(0, 1, 2_000, Some(&at("Hill", "kiwi", "3")));
        assert_eq!(check(&sample.history), []);
        sample.question(0, 1, 3_000, Some(&at("Hill", "kiwi", "2")));
        assert_eq!(check(&sample.history).len(), 1);
    }

    #[test]
    fn an_answer_that_is_gone_is_found() {
        let mut sample = Sample::new();
        sample.question(0, 1, 1_000, None);
        sample.question(0, 1, 2_000, Some(&at("Hill", "kiwi", "3")));
        assert_eq!(check(&sample.history), []);
        sample.question(0, 1, 3_000, None);
        assert_eq!(check(&sample.history).len(), 1);
    }

    #[test]
    fn an_answer_behind_an_acknowledgement_is_found() {
        let mut sample = Sample::new();
        sample.report(0, 1, 1_000, "2", Some(&at("Hill", "kiwi", "2")));
        sample.question(0, 1, 2_000, Some(&at("Hill", "kiwi", "1")));
        assert_eq!(check(&sample.history).len(), 1);
    }

    #[test]
    fn other_processes_and_calls_at_the_same_time_do_not_count() {
        let mut sample = Sample::new();
        sample.question(0, 1, 1_000, Some(&at("Hill", "kiwi", "3")));
        sample.question(1, 1, 2_000, Some(&at("Hill", "kiwi", "2")));
        sample.question(0, 2, 2_000, Some(&at("Hill", "kiwi", "2")));
        // Each call of a sample takes 100 ms.
        sample.question(0, 1, 1_050, Some(&at("Hill", "kiwi", "2")));
        assert_eq!(check(&sample.history), []);
        // But not over one connection.
        sample.history.calls[0].connection = 7;
        sample.history.calls[3].connection = 7;
        sample.history.calls[3].sequence = 1;
        assert_eq!(check(&sample.history).len(), 1);
    }
}
