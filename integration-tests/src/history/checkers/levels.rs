//! No acknowledged report is lost that its level promised to keep: once the herd is whole, no server is behind it.

use std::collections::HashMap;
use std::time::Duration;

use super::super::{Call, History, Promises, Record};
use super::{Finding, Floors, about, acknowledged};

const NAME: &str = "levels";

pub(super) fn check(history: &History) -> Vec<Finding> {
    let mut floors = Floors::default();
    for (call, record) in promised(history) {
        floors.raise(record, call);
    }
    let mut clients: Vec<&Vec<u8>> = floors.0.keys().collect();
    clients.sort();
    let mut found = Vec::new();
    for (name, dump) in history.names.iter().zip(&history.dumps) {
        let held: HashMap<Vec<u8>, Record> = dump
            .iter()
            .filter_map(|line| Record::parse(line))
            .map(|record| (record.client.clone(), record))
            .collect();
        for client in &clients {
            let answer = held.get(*client);
            if let Some(text) = floors.fallen_behind(client, answer, &history.names) {
                let text = format!("{name} holds in the end: {text}");
                found.push(about(NAME, client, text));
            }
        }
    }
    found
}

/// The acknowledged reports that have to be there in the end.
fn promised(history: &History) -> impl Iterator<Item = (&Call, Record)> {
    let promises = Promises::at(history, Duration::MAX);
    let acknowledged = history
        .calls
        .iter()
        .filter_map(|call| Some((call, acknowledged(call)?)));
    acknowledged.filter(move |(call, record)| promises.promised(call, record))
}

pub(super) fn outlived(history: &History) -> usize {
    let ends = |call: &Call| {
        let mut harms = history.harms.iter();
        harms.any(|harm| {
            harm.server == call.process.server
                && harm.kind.ends_at_once()
                && harm.to >= call.invoked
        })
    };
    promised(history).filter(|(call, _)| ends(call)).count()
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{Sample, at};
    use super::super::super::{HarmKind, Level};
    use super::*;

    /// Hill acknowledged and was killed; in the end all hold `held`.
    fn sample(level: Level, held: &[&str]) -> Sample {
        let mut sample = Sample::new();
        sample.history.level = level;
        sample.report(0, 1, 20_000, "2", Some(&at("Hill", "kiwi", "2")));
        sample.harm(0, 20_200, HarmKind::ProcessEnded);
        sample.dumps(held);
        sample
    }

    #[test]
    fn a_lost_acknowledged_report_is_found() {
        let (older, same) = (at("Hill", "kiwi", "1"), at("Hill", "kiwi", "2"));
        let greater = at("Campbell", "kiwi", "2.5");
        for level in [Level::Disk, Level::Peer, Level::DiskAndPeer] {
            assert_eq!(check(&sample(level, &[]).history).len(), 3, "{level}");
            assert_eq!(check(&sample(level, &[&older]).history).len(), 3, "{level}");
            assert_eq!(check(&sample(level, &[&same]).history), [], "{level}");
            assert_eq!(check(&sample(level, &[&greater]).history), [], "{level}");
        }
        assert_eq!(check(&sample(Level::Memory, &[]).history), []);
    }

    #[test]
    fn a_report_that_one_server_lacks_is_found() {
        let same = at("Hill", "kiwi", "2");
        let mut sample = sample(Level::Disk, &[&same]);
        sample.history.dumps[1].clear();
        let found = check(&sample.history);
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("Smith holds in the end: nothing"));
    }

    #[test]
    fn a_refusal_promises_nothing() {
        let mut sample = sample(Level::Disk, &[]);
        sample.history.calls[0].reply = super::super::ClientReply::Refused(b"? x".to_vec());
        assert_eq!(check(&sample.history), []);
        sample.history.calls[0].reply = super::super::ClientReply::Unknown;
        assert_eq!(check(&sample.history), []);
    }

    #[test]
    fn records_that_outlived_a_crash_are_counted() {
        assert_eq!(outlived(&sample(Level::Disk, &[]).history), 1);
        assert_eq!(outlived(&sample(Level::Memory, &[]).history), 0);
    }
}
