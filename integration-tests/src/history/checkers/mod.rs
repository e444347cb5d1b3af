//! Checkers of a history, one for each property. Pure. A test shows for each that it finds a violation.

mod dumps;
mod levels;
mod monotony;
mod own_word;
mod refusals;
mod truth;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{Call, ClientCommand, ClientReply, History, Record, show};

/// A violation that a checker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which checker.
    pub checker: &'static str,
    /// Which client it is about.
    pub client: Option<Vec<u8>>,
    /// The violation.
    pub text: String,
}

/// One look at a history.
type Checker = fn(&History) -> Vec<Finding>;

const CHECKERS: [Checker; 6] = [
    truth::check,
    monotony::check,
    own_word::check,
    levels::check,
    refusals::check,
    dumps::check,
];

/// Everything that is wrong with a history.
pub fn all(history: &History) -> Vec<Finding> {
    CHECKERS.iter().flat_map(|check| check(history)).collect()
}

/// How many acknowledged reports had to outlive the end of a process or a disk.
pub fn outlived(history: &History) -> usize {
    levels::outlived(history)
}

/// A finding about a client.
fn about(checker: &'static str, client: &[u8], text: String) -> Finding {
    Finding {
        checker,
        client: Some(client.to_vec()),
        text: format!("{checker}: {}: {text}", show(client)),
    }
}

/// The record of a reply that has one.
fn answered(call: &Call) -> Option<Record> {
    match &call.reply {
        ClientReply::At(line) => Record::parse(line),
        ClientReply::Refused(_) | ClientReply::Unknown => None,
    }
}

/// The record of a report that was acknowledged.
fn acknowledged(call: &Call) -> Option<Record> {
    matches!(call.command, ClientCommand::Report { .. })
        .then(|| answered(call))
        .flatten()
}

/// A record that may not be fallen behind, and why.
#[derive(Clone, Debug)]
struct Floor<'a> {
    record: Record,
    set_by: &'a Call,
}

/// The greatest of each client.
#[derive(Debug, Default)]
struct Floors<'a>(HashMap<Vec<u8>, Floor<'a>>);

impl<'a> Floors<'a> {
    fn raise(&mut self, record: Record, set_by: &'a Call) {
        match self.0.entry(record.client.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Floor { record, set_by });
            }
            Entry::Occupied(mut known) => {
                if known.get().record.is_behind(&record) {
                    known.insert(Floor { record, set_by });
                }
            }
        }
    }

    /// The violation in this answer, or in its absence, for a client.
    fn fallen_behind(
        &self,
        client: &[u8],
        answer: Option<&Record>,
        names: &[String],
    ) -> Option<String> {
        let floor = self.0.get(client)?;
        is_behind((&floor.record, floor.set_by), answer, names)
    }
}

/// The violation if an answer, or its absence, is behind a record that was sent before.
fn is_behind(
    (floor, said_by): (&Record, &Call),
    answer: Option<&Record>,
    names: &[String],
) -> Option<String> {
    if answer.is_some_and(|answer| !answer.is_behind(floor)) {
        return None;
    }
    let answer = answer.map_or("nothing".to_owned(), |answer| show(&answer.line));
    Some(format!(
        "{answer} is behind {}, which was said by\n{}",
        show(&floor.line),
        said_by.show(names)
    ))
}
