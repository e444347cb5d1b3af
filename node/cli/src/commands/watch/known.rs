//! What was printed, so that a watch that comes back prints what is new only.

use std::collections::BTreeMap;

use herd_crdt::Record;

use super::line::Line;

/// A change to be printed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    At(Record),
    Enter(Record),
    Leave(Record),
    Centre(Record),
    Gone(Vec<u8>),
    /// All that is so was told: so many clients.
    Live(u64),
}

/// The clients that were printed and are not gone since.
#[derive(Debug)]
pub(super) struct Known {
    is_area: bool,
    clients: BTreeMap<Vec<u8>, Client>,
    centre: Option<Client>,
    is_live: bool,
}

#[derive(Debug)]
struct Client {
    record: Record,
    /// Whether it was told over this connection.
    is_told: bool,
}

impl Known {
    /// Nothing yet; clients enter and leave an area.
    pub(super) fn new(is_area: bool) -> Self {
        Known {
            is_area,
            clients: BTreeMap::new(),
            centre: None,
            is_live: false,
        }
    }

    /// A new connection begins: all is told anew.
    pub(super) fn begin(&mut self) {
        self.is_live = false;
        for client in self.clients.values_mut().chain(&mut self.centre) {
            client.is_told = false;
        }
    }

    /// Whether all was told over this connection.
    pub(super) fn is_live(&self) -> bool {
        self.is_live
    }

    /// What a line changes.
    pub(super) fn take(&mut self, line: Line) -> Vec<Change> {
        match line {
            Line::At(record) => self.put(record, Change::At),
            // What was inside before, over another connection, did not enter now.
            Line::Enter(record) if self.clients.contains_key(record.client()) => {
                self.put(record, Change::At)
            }
            Line::Enter(record) => self.put(record, Change::Enter),
            Line::Leave(record) => {
                self.clients.remove(record.client());
                vec![Change::Leave(record)]
            }
            Line::Centre(record) => {
                let before = self.centre.replace(Client {
                    record: record.clone(),
                    is_told: true,
                });
                match before {
                    Some(before) if before.record == record => Vec::new(),
                    _ => vec![Change::Centre(record)],
                }
            }
            Line::Gone(client) => {
                self.clients.remove(&client);
                self.centre
                    .take_if(|centre| centre.record.client() == client);
                vec![Change::Gone(client)]
            }
            Line::Live(clients) => {
                self.is_live = true;
                let mut changes = self.missing();
                changes.push(Change::Live(clients));
                changes
            }
            Line::Alive | Line::End(_) | Line::Refused => Vec::new(),
        }
    }

    fn put(&mut self, record: Record, change: impl Fn(Record) -> Change) -> Vec<Change> {
        let client = record.client().to_vec();
        let is_told = true;
        let before = self.clients.insert(
            client,
            Client {
                record: record.clone(),
                is_told,
            },
        );
        match before {
            Some(before) if before.record == record => Vec::new(),
            _ => vec![change(record)],
        }
    }

    /// Clients that were known over an earlier connection, and are not there any more. Of an area, nobody says where they
    /// are.
    fn missing(&mut self) -> Vec<Change> {
        let mut missing = Vec::new();
        if let Some(centre) = self.centre.take_if(|centre| !centre.is_told) {
            missing.push(Change::Gone(centre.record.client().to_vec()));
        }
        let is_area = self.is_area;
        self.clients.retain(|client, known| {
            if !known.is_told {
                missing.push(if is_area {
                    Change::Leave(known.record.clone())
                } else {
                    Change::Gone(client.clone())
                });
            }
            known.is_told
        });
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(client: &str, time: &str) -> Record {
        Record::new(
            client.as_bytes(),
            b"+1+1",
            time.as_bytes(),
            "Hill".into(),
            0,
        )
        .unwrap()
    }

    #[test]
    fn after_a_new_connection_only_news_are_printed() {
        let mut known = Known::new(false);
        let (kiwi, emu) = (record("kiwi", "1"), record("emu", "1"));
        assert_eq!(
            known.take(Line::At(kiwi.clone())),
            [Change::At(kiwi.clone())]
        );
        assert_eq!(known.take(Line::At(emu.clone())), [Change::At(emu)]);
        assert_eq!(known.take(Line::Live(2)), [Change::Live(2)]);
        known.begin();
        assert!(!known.is_live());
        assert_eq!(known.take(Line::At(kiwi)), []);
        let moa = record("moa", "1");
        assert_eq!(known.take(Line::At(moa.clone())), [Change::At(moa)]);
        assert_eq!(
            known.take(Line::Live(2)),
            [Change::Gone(b"emu".to_vec()), Change::Live(2)]
        );
    }

    #[test]
    fn who_was_inside_does_not_enter_again() {
        let mut known = Known::new(true);
        let (kiwi, later) = (record("kiwi", "1"), record("kiwi", "2"));
        assert_eq!(
            known.take(Line::Enter(kiwi.clone())),
            [Change::Enter(kiwi.clone())]
        );
        known.begin();
        assert_eq!(
            known.take(Line::Enter(later.clone())),
            [Change::At(later.clone())]
        );
        assert_eq!(known.take(Line::Live(1)), [Change::Live(1)]);
        known.begin();
        assert_eq!(
            known.take(Line::Live(0)),
            [Change::Leave(later), Change::Live(0)]
        );
        assert_eq!(known.take(Line::Enter(kiwi.clone())), [Change::Enter(kiwi)]);
    }

    #[test]
    fn a_middle_that_is_not_there_any_more_is_gone() {
        let mut known = Known::new(true);
        let (van, kiwi) = (record("van", "1"), record("kiwi", "1"));
        let centre = || Line::Centre(record("van", "1"));
        assert_eq!(known.take(centre()), [Change::Centre(van.clone())]);
        known.take(Line::Enter(kiwi.clone()));
        assert_eq!(known.take(Line::Live(1)), [Change::Live(1)]);
        known.begin();
        assert_eq!(known.take(centre()), []);
        known.take(Line::Enter(kiwi.clone()));
        assert_eq!(known.take(Line::Live(1)), [Change::Live(1)]);
        known.begin();
        let gone = Change::Gone(b"van".to_vec());
        assert_eq!(
            known.take(Line::Live(0)),
            [gone.clone(), Change::Leave(kiwi), Change::Live(0)]
        );
        // One that comes back as it was is told again.
        assert_eq!(known.take(centre()), [Change::Centre(van.clone())]);
        assert_eq!(known.take(Line::Gone(b"van".to_vec())), [gone]);
        assert_eq!(known.take(centre()), [Change::Centre(van)]);
    }
}
