//! Folds what a watch is told, and compares it with the map.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::*;

/// What a watcher knows who remembers the last line for each client.
pub(super) struct Folding {
    subject: Subject,
    known: BTreeMap<Box<[u8]>, Record>,
    /// The last record of each client that was told, even if it is gone.
    last: BTreeMap<Box<[u8]>, Record>,
    centre: Option<Record>,
    is_live: bool,
    lines: usize,
    fault: Option<String>,
}

impl Folding {
    pub(super) fn new(subject: Subject) -> Self {
        Folding {
            subject,
            known: BTreeMap::new(),
            last: BTreeMap::new(),
            centre: None,
            is_live: false,
            lines: 0,
            fault: None,
        }
    }

    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// The time of the last record of the middle.
    pub(super) fn centre_time_s(&self) -> Option<i64> {
        let time = self.centre.as_ref()?.time();
        Some(time.ns() / herd_crdt::NANOSECONDS_PER_SECOND)
    }

    fn is_area(&self) -> bool {
        matches!(self.subject, Subject::Area(_) | Subject::Around(_))
    }

    fn expect(&mut self, is_so: bool, rule: &str, said: Said<'_>) {
        if !is_so && self.fault.is_none() {
            self.fault = Some(format!("{rule}: {said:?} of {:?}", self.subject));
        }
    }

    /// Takes a line. With the map, its record must be the one of now.
    pub(super) fn hear(&mut self, said: Said<'_>, map: Option<&Locations>) {
        self.lines += 1;
        if let Said::At(record) | Said::Enter(record) | Said::Leave(record) | Said::Centre(record) =
            said
        {
            if let Some(map) = map {
                let is_now = map.find(record.client()).as_ref() == Some(record);
                self.expect(is_now, "the newest record", said);
            }
            let order = self
                .last
                .get(record.client())
                .map(|last| record.order(last));
            // Nothing but a middle that moves tells a record twice.
            let is_forward = match &self.subject {
                Subject::Around(_) => order != Some(Ordering::Less),
                _ => matches!(order, None | Some(Ordering::Greater)),
            };
            self.expect(is_forward, "never back", said);
            self.last.insert(record.client().into(), record.clone());
        }
        self.take(said);
    }

    fn take(&mut self, said: Said<'_>) {
        let (is_area, is_live) = (self.is_area(), self.is_live);
        match said {
            Said::At(record) => {
                let is_inside = self.known.contains_key(record.client());
                self.expect(!is_area || (is_inside && is_live), "AT inside", said);
                self.expect(is_live || !is_inside, "once at the beginning", said);
                self.known.insert(record.client().into(), record.clone());
            }
            Said::Enter(record) => {
                let before = self.known.insert(record.client().into(), record.clone());
                self.expect(is_area && before.is_none(), "ENTER from outside", said);
            }
            Said::Leave(record) => {
                let before = self.known.remove(record.client());
                self.expect(is_live && before.is_some(), "LEAVE from inside", said);
            }
            Said::Centre(record) => self.centre = Some(record.clone()),
            Said::Gone(client) => {
                let is_centre = self
                    .centre
                    .take_if(|centre| centre.client() == client)
                    .is_some();
                let before = self.known.remove(client);
                let may_be_unknown = matches!(self.subject, Subject::Prefix(_) | Subject::All);
                self.expect(
                    is_live && (is_centre || before.is_some() || may_be_unknown),
                    "GONE of who was there",
                    said,
                );
            }
            Said::Live(clients) => {
                self.expect(!is_live && clients == self.known.len(), "LIVE counts", said);
                self.is_live = true;
            }
        }
    }

    /// Compares with the map, while nothing changes.
    pub(super) fn check(&self, locations: &Locations) -> Result<(), String> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if !self.is_live {
            return Err("it is not live".into());
        }
        if let Subject::Around(around) = &self.subject {
            let now = locations.find(&around.client);
            if now != self.centre {
                return Err(format!("the middle is {now:?}, and told {:?}", self.centre));
            }
        }
        let mut all = crate::Walk::default();
        let mut now = Vec::new();
        while let Some(piece) = all.next_piece(locations) {
            now.extend(
                piece
                    .into_iter()
                    .filter(|record| record.expires_ns() >= locations.floor_ns())
                    .filter(|record| !record.is_tombstone()),
            );
        }
        for client in self.known.keys() {
            if !now.iter().any(|record| record.client() == &**client) {
                return Err(format!("{} is not there", client.escape_ascii()));
            }
        }
        for record in &now {
            let told = self.known.get(record.client());
            match (self.should_be_known(record), told) {
                (Some(true), None) | (Some(false), Some(_)) => {
                    return Err(format!(
                        "{record:?} and told {told:?}, of {:?}",
                        self.subject
                    ));
                }
                (_, Some(told)) if told != record => {
                    return Err(format!(
                        "told {told:?}, and not {record:?}, of {:?}",
                        self.subject
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a client is to be known; within a margin, either.
    fn should_be_known(&self, record: &Record) -> Option<bool> {
        let client = record.client();
        let area = match &self.subject {
            Subject::Client(watched) => return Some(**watched == *client),
            Subject::Prefix(prefix) => return Some(client.starts_with(prefix)),
            Subject::All => return Some(true),
            Subject::Area(area) => area.clone(),
            Subject::Around(around) => {
                let center = match &self.centre {
                    Some(centre) if *around.client != *client => centre.location()?.coordinates(),
                    _ => return Some(false),
                };
                WatchedArea::circle(center, around.radius_m, around.margin_m)
            }
        };
        let location = record.location()?;
        match [&area.inner, &area.outer].map(|area| area.distance(&location).is_some()) {
            [true, _] => Some(true),
            [false, true] => None,
            [false, false] => Some(false),
        }
    }
}
