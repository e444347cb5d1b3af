//! A server that starts again with its folder answers with nothing less than its earlier acknowledgements, as far as
//! its level and the harm allow to keep them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::{
    Call, ClientCommand, ClientReply, Had, HarmKind, History, Promises, ServerIndex,
};
use super::{Finding, Floors, about, acknowledged, answered};

pub(super) fn check(history: &History) -> Vec<Finding> {
    let mut found = Vec::new();
    for server in 0..history.names.len() {
        let mut lives = BTreeMap::new();
        for harm in history.harms.iter().filter(|harm| harm.server == server) {
            if let HarmKind::ProcessBegan(number) = harm.kind {
                lives.insert(number, harm.from);
            }
        }
        for (&number, &began) in lives.iter().filter(|(number, _)| **number > 1) {
            found.extend(in_life(history, server, number, began));
        }
    }
    found
}

/// The number of the process whose answers are checked.
fn in_life(
    history: &History,
    server: ServerIndex,
    number: u32,
    began: Duration,
) -> Option<Finding> {
    let promises = Promises::at(history, began);
    let mut floors = Floors::default();
    let of_server = || {
        history
            .calls
            .iter()
            .filter(|call| call.process.server == server)
    };
    for call in of_server().filter(|call| call.process.number < number) {
        let had = Had {
            from: call.invoked,
            by: call.completed,
        };
        if let Some(record) = acknowledged(call)
            && promises.holds(server, had, promises.own())
        {
            floors.raise(record, call);
        }
    }
    let is_answer = |call: &&Call| {
        call.process.number == number
            && matches!(call.command, ClientCommand::Question { .. })
            && call.reply != ClientReply::Unknown
    };
    for question in of_server().filter(is_answer) {
        let client = question.command.client();
        let answer = answered(question);
        if let Some(text) = floors.fallen_behind(client, answer.as_ref(), &history.names) {
            let question = question.show(&history.names);
            let text = format!("{text}\nbefore it started again at {began:?} and\n{question}");
            return Some(about("own word", client, text));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::super::Level;
    use super::super::super::samples::{Sample, at};
    use super::*;

    /// Hill acknowledges, is killed at once, and answers less.
    fn behind(level: Level) -> Sample {
        let mut sample = Sample::new();
        sample.history.level = level;
        sample.report(0, 1, 20_000, "2", Some(&at("Hill", "kiwi", "2")));
        sample.harm(0, 20_200, HarmKind::ProcessEnded);
        sample.harm(0, 20_300, HarmKind::ProcessBegan(2));
        sample.question(0, 2, 21_000, Some(&at("Hill", "kiwi", "1")));
        sample
    }

    #[test]
    fn an_answer_older_than_an_ack_on_disk_is_found() {
        assert_eq!(check(&behind(Level::Disk).history).len(), 1);
        assert_eq!(check(&behind(Level::DiskAndPeer).history).len(), 1);
        assert_eq!(check(&behind(Level::Memory).history), []);
        assert_eq!(check(&behind(Level::Peer).history), []);
    }

    #[test]
    fn records_with_time_to_reach_the_disk_are_looked_for() {
        let mut sample = behind(Level::Memory);
        sample.history.harms.truncate(sample.history.names.len());
        sample.harm(0, 30_000, HarmKind::ProcessEnded);
        sample.harm(0, 31_000, HarmKind::ProcessBegan(2));
        sample.history.calls.truncate(1);
        sample.question(0, 2, 32_000, None);
        assert_eq!(check(&sample.history).len(), 1);
    }

    #[test]
    fn a_folder_that_was_wiped_is_excused() {
        let mut sample = behind(Level::Disk);
        sample.harm(0, 20_250, HarmKind::DiskLost);
        assert_eq!(check(&sample.history), []);
        // Not if it is wiped only afterwards.
        let mut sample = behind(Level::Disk);
        sample.harm(0, 22_000, HarmKind::DiskLost);
        assert_eq!(check(&sample.history).len(), 1);
    }

    #[test]
    fn an_orderly_stop_loses_nothing_at_any_level() {
        for level in Level::ALL {
            let mut sample = behind(level);
            let end = &mut sample.history.harms;
            end.iter_mut()
                .filter(|harm| harm.kind == HarmKind::ProcessEnded)
                .for_each(|harm| harm.kind = HarmKind::Stopped);
            assert_eq!(check(&sample.history).len(), 1, "{level}");
            sample.history.has_disks = false;
            assert_eq!(check(&sample.history), [], "{level}");
        }
    }
}
