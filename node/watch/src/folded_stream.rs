//! A stream, folded: what a watcher knows who remembers the last line of each client. It checks the rules of streams on
//! the way. For tests and simulations.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use herd_crdt::Record;

use super::said::Said;
use super::subject::{Subject, WatchedArea};

/// How a stream breaks a rule, or what it says that is not so: a defect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StreamFault(String);

/// See the module.
#[derive(Debug)]
pub struct FoldedStream {
    subject: Subject,
    known: BTreeMap<Box<[u8]>, Record>,
    /// The last record of each client that was told, even if it is gone.
    last: BTreeMap<Box<[u8]>, Record>,
    centre: Option<Record>,
    is_live: bool,
    /// How many lines there were of each word.
    counts: BTreeMap<&'static str, usize>,
    fault: Option<StreamFault>,
}

impl FoldedStream {
    /// Of a watch that begins now.
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        FoldedStream {
            subject,
            known: BTreeMap::new(),
            last: BTreeMap::new(),
            centre: None,
            is_live: false,
            counts: BTreeMap::new(),
            fault: None,
        }
    }

    /// How many lines there were, by their first words.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<&'static str, usize> {
        &self.counts
    }

    /// Takes a line.
    pub fn hear(&mut self, said: Said<'_>) {
        *self.counts.entry(said.word()).or_default() += 1;
        if let Some(record) = said.record() {
            let last = self.last.get(record.client());
            let order = last.map(|last| record.order(last));
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

    /// Takes a line whose record has to be the one of now.
    pub fn hear_now(&mut self, said: Said<'_>, now: impl Fn(&[u8]) -> Option<Record>) {
        if let Some(record) = said.record() {
            let is_newest = now(record.client()).as_ref() == Some(record);
            self.expect(is_newest, "the newest record", said);
        }
        self.hear(said);
    }

    /// Compares with all locations of the map of now. To be asked when all is told.
    ///
    /// # Errors
    /// The first rule that a line broke, or a client that the watcher knows otherwise than the map does.
    pub fn check<'a>(
        &self,
        locations: impl IntoIterator<Item = &'a Record>,
    ) -> Result<(), StreamFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if !self.is_live {
            return Err(self.fault("it is not live"));
        }
        let locations = locations.into_iter();
        let locations: BTreeMap<&[u8], &Record> =
            locations.map(|record| (record.client(), record)).collect();
        if let Subject::Around(around) = &self.subject {
            let now = locations.get(&*around.client).copied();
            if now != self.centre.as_ref() {
                let told = &self.centre;
                return Err(self.fault(&format!("the middle is {now:?}, and told {told:?}")));
            }
        }
        let known = self.known.keys().map(|client| &**client);
        for client in known.chain(locations.keys().copied()) {
            let now = locations.get(client).copied();
            let told = self.known.get(client);
            let should_be_known = now.map_or(Some(false), |now| self.should_be_known(now));
            let is_right = match told {
                None => should_be_known != Some(true),
                Some(told) => should_be_known != Some(false) && now == Some(told),
            };
            if !is_right {
                return Err(self.fault(&format!("it is {now:?}, and told {told:?}")));
            }
        }
        Ok(())
    }

    fn fault(&self, what: &str) -> StreamFault {
        StreamFault(format!("{:?}: {what}", self.subject))
    }

    fn expect(&mut self, is_so: bool, rule: &str, said: Said<'_>) {
        if !is_so && self.fault.is_none() {
            self.fault = Some(self.fault(&format!("{rule}: {said:?}")));
        }
    }

    fn is_area(&self) -> bool {
        matches!(self.subject, Subject::Area(_) | Subject::Around(_))
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
            Said::Gone(client) => self.take_gone(client, said),
            Said::Live(clients) => {
                self.expect(!is_live && clients == self.known.len(), "LIVE counts", said);
                self.is_live = true;
            }
        }
    }

    fn take_gone(&mut self, client: &[u8], said: Said<'_>) {
        let centre = self.centre.take_if(|centre| centre.client() == client);
        let before = self.known.remove(client);
        let may_be_unknown = matches!(self.subject, Subject::Prefix(_) | Subject::All);
        let was_there = centre.is_some() || before.is_some() || may_be_unknown;
        self.expect(self.is_live && was_there, "GONE of who was there", said);
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

#[cfg(test)]
mod tests {
    use herd_crdt::Location;

    use super::*;

    fn record(client: &str, place: &str, time: &str) -> Record {
        let (client, place, time) = (client.as_bytes(), place.as_bytes(), time.as_bytes());
        Record::new(client, place, time, "Hill".into(), 0).unwrap()
    }

    fn check(subject: &Subject, lines: &[Said<'_>], now: &[Record]) -> Result<(), StreamFault> {
        let mut stream = FoldedStream::new(subject.clone());
        lines.iter().for_each(|&said| stream.hear(said));
        stream.check(now)
    }

    fn circle() -> Subject {
        let center = Location::parse(b"+1+1").unwrap().coordinates();
        Subject::Area(WatchedArea::circle(center, Some(1_000.0), 0.0))
    }

    #[test]
    fn a_line_that_is_not_told_is_found() {
        let [one, two, far] = [("+1+1", "1"), ("+1+1", "2"), ("+3+3", "3")]
            .map(|(place, time)| record("kiwi", place, time));
        let live = Said::Live;
        for (subject, lines, now) in [
            (Subject::All, vec![live(0), Said::At(&one)], vec![&one]),
            (
                Subject::Client(b"kiwi"[..].into()),
                vec![Said::At(&one), live(1), Said::At(&two)],
                vec![&two],
            ),
            (
                Subject::Prefix(b"ki"[..].into()),
                vec![Said::At(&one), live(1), Said::Gone(b"kiwi")],
                vec![],
            ),
            (circle(), vec![live(0), Said::Enter(&one)], vec![&one]),
            (
                circle(),
                vec![Said::Enter(&one), live(1), Said::At(&two)],
                vec![&two],
            ),
            (
                circle(),
                vec![Said::Enter(&one), live(1), Said::Leave(&far)],
                vec![&far],
            ),
        ] {
            let now: Vec<Record> = now.into_iter().cloned().collect();
            assert_eq!(check(&subject, &lines, &now), Ok(()));
            let all_but_the_last = &lines[..lines.len() - 1];
            assert!(check(&subject, all_but_the_last, &now).is_err());
        }
    }

    #[test]
    fn lines_that_break_a_rule_are_found() {
        let [one, two] = ["1", "2"].map(|time| record("kiwi", "+1+1", time));
        let (all, area) = (Subject::All, circle());
        for (subject, lines) in [
            (&all, vec![Said::Live(0), Said::At(&two), Said::At(&one)]),
            (&all, vec![Said::Live(0), Said::At(&one), Said::At(&one)]),
            (&all, vec![Said::Live(1), Said::At(&one)]),
            (&all, vec![Said::At(&one)]),
            (&area, vec![Said::Live(0), Said::At(&one)]),
            (
                &area,
                vec![Said::Enter(&one), Said::Live(1), Said::Enter(&two)],
            ),
        ] {
            let now = lines.iter().rev().find_map(|said| said.record()).cloned();
            assert!(check(subject, &lines, now.as_slice()).is_err(), "{lines:?}");
        }
        let now = [one.clone()];
        let lines = [Said::Live(0), Said::Leave(&two), Said::Enter(&one)];
        assert!(check(&area, &lines, &now).is_err());
        let stale = |_: &[u8]| Some(two.clone());
        let mut stream = FoldedStream::new(all);
        stream.hear(Said::Live(0));
        stream.hear_now(Said::At(&one), stale);
        assert!(stream.check(&now).is_err());
    }
}
