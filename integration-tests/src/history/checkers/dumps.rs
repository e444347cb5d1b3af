//! Once the herd is whole and quiet, all servers hold the same records, and answer with them.

use std::collections::{BTreeSet, HashMap};

use super::super::{ClientCommand, ClientReply, History, Record, show};
use super::{Finding, about};

const NAME: &str = "dumps";

pub(super) fn check(history: &History) -> Vec<Finding> {
    let sets: Vec<BTreeSet<&Vec<u8>>> = history
        .dumps
        .iter()
        .map(|dump| dump.iter().collect())
        .collect();
    let mut found = Vec::new();
    if let Some((first, others)) = sets.split_first() {
        for (set, name) in others.iter().zip(history.names.iter().skip(1)) {
            if let Some(line) = set.symmetric_difference(first).next() {
                let client = Record::parse(line).map(|record| record.client);
                let text = format!(
                    "{} and {name} differ: only one of them holds {}",
                    history.names[0],
                    show(line)
                );
                found.push(about(NAME, &client.unwrap_or_default(), text));
            }
        }
    }
    for (dump, name) in history.dumps.iter().zip(&history.names) {
        let clients: HashMap<Vec<u8>, &Vec<u8>> = dump
            .iter()
            .filter_map(|line| Some((Record::parse(line)?.client, line)))
            .collect();
        if clients.len() != dump.len() {
            let text =
                format!("{name} holds two records of a client, or a line that is not a record");
            found.push(about(NAME, b"", text));
        }
        found.extend(answers(history, name, &clients));
    }
    found
}

/// Answers of a quiet server that differ from its map.
fn answers(history: &History, name: &str, held: &HashMap<Vec<u8>, &Vec<u8>>) -> Vec<Finding> {
    let mut found = Vec::new();
    for call in &history.calls {
        let ClientCommand::Question { client } = &call.command else {
            continue;
        };
        let is_of_server = history.names[call.process.server] == name;
        let is_quiet = call.invoked >= history.quiet_from;
        let answer = match &call.reply {
            ClientReply::At(line) => Some(line),
            ClientReply::Refused(_) => None,
            ClientReply::Unknown => continue,
        };
        if is_of_server && is_quiet && answer != held.get(client).copied() {
            let text = format!(
                "{name} answers with another record than it holds\n{}",
                call.show(&history.names)
            );
            found.push(about(NAME, client, text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{Sample, at};
    use super::*;

    #[test]
    fn a_server_with_a_different_record_is_found() {
        let (kiwi, emu) = (at("Hill", "kiwi", "2"), at("Hill", "emu", "2"));
        let mut sample = Sample::new();
        sample.dumps(&[&kiwi, &emu]);
        assert_eq!(check(&sample.history), []);
        let other = at("Smith", "emu", "2").into_bytes();
        for odd in [
            vec![kiwi.clone().into_bytes()],
            vec![kiwi.into_bytes(), other],
        ] {
            let mut sample = sample.history.clone();
            sample.dumps[1] = odd;
            assert_eq!(check(&sample).len(), 1);
        }
        sample
            .history
            .dumps
            .iter_mut()
            .for_each(|dump| dump.reverse());
        assert_eq!(check(&sample.history), [], "the order does not matter");
    }

    #[test]
    fn two_records_of_a_client_are_found() {
        let mut sample = Sample::new();
        sample.dumps(&[&at("Hill", "kiwi", "2"), &at("Hill", "kiwi", "3")]);
        assert_eq!(check(&sample.history).len(), 3);
    }

    #[test]
    fn an_answer_that_differs_from_the_map_is_found() {
        let kiwi = at("Hill", "kiwi", "2");
        let mut sample = Sample::new();
        sample.dumps(&[&kiwi]);
        sample.question(0, 1, 80_000, Some(&at("Hill", "kiwi", "1")));
        sample.question(0, 1, 91_000, Some(&kiwi));
        assert_eq!(check(&sample.history), []);
        sample.question(0, 1, 92_000, None);
        assert_eq!(check(&sample.history).len(), 1);
    }
}
