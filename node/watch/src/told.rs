//! What a watcher was told, and what the record of now is to it.

use std::collections::HashSet;
use std::sync::Arc;

use herd_crdt::Record;
use herd_grid::Area;

use super::budget::{Share, units};
use super::subject::{Subject, WatchedArea};

/// What is to be told of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its newest record; for an area: it was inside, and is.
    At,
    /// It was outside, and is inside.
    Enter,
    /// It was inside, and is outside.
    Leave,
    /// It is known no more.
    Gone,
    /// The client in the middle has moved.
    Centre,
}

/// What a watcher was told: as much of it as decides about the next line.
#[derive(Debug)]
pub struct Told {
    subject: Subject,
    /// Whether the one client that is watched, or the one in the middle, is known to the watcher.
    knows: bool,
    /// The area around the client in the middle, as the watcher was told of it.
    around: Option<WatchedArea>,
    /// The clients that the watcher was told are inside.
    inside: HashSet<Arc<[u8]>>,
    /// The units of their IDs.
    inside_units: usize,
    share: Share,
    has_room: bool,
}

impl Told {
    /// Nothing was told yet. Clients inside count in `share`.
    #[must_use]
    pub fn new(subject: Subject, share: Share) -> Self {
        Told {
            subject,
            knows: false,
            around: None,
            inside: HashSet::new(),
            inside_units: 0,
            share,
            has_room: true,
        }
    }

    /// What is watched.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Whether there was room to remember all clients that are inside.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.has_room
    }

    /// The area of now, if an area is watched, and if there is one.
    #[must_use]
    pub fn area(&self) -> Option<&WatchedArea> {
        match &self.subject {
            Subject::Area(area) => Some(area),
            Subject::Around(_) => self.around.as_ref(),
            Subject::Client(_) | Subject::Prefix(_) | Subject::All => None,
        }
    }

    /// Whether it is the client in the middle of the area.
    #[must_use]
    pub fn is_centre(&self, client: &[u8]) -> bool {
        matches!(&self.subject, Subject::Around(around) if *around.client == *client)
    }

    /// Whether the watcher was told that this client is inside.
    #[must_use]
    pub fn is_inside(&self, client: &[u8]) -> bool {
        self.inside.contains(client)
    }

    /// How many clients the watcher was told are inside.
    #[must_use]
    pub fn inside(&self) -> usize {
        self.inside.len()
    }

    /// Whether a client that is inside stays so with this record.
    #[must_use]
    pub fn holds_outer(&self, record: &Record) -> bool {
        self.area().is_some_and(|area| holds(&area.outer, record))
    }

    /// All clients that the watcher was told are inside.
    #[must_use]
    pub fn all_inside(&self) -> Vec<Arc<[u8]>> {
        self.inside.iter().cloned().collect()
    }

    /// Whether the record of a client is one to be told when nothing was told yet.
    #[must_use]
    pub fn concerns(&self, client: &[u8]) -> bool {
        match &self.subject {
            Subject::Client(watched) => **watched == *client,
            Subject::Prefix(prefix) => client.starts_with(prefix),
            Subject::All => true,
            Subject::Area(_) => true,
            Subject::Around(around) => *around.client != *client,
        }
    }

    /// What the record of now is to the watcher, who is told at once. `None` for now is a client that is not known.
    pub fn look(&mut self, client: &[u8], now: Option<&Record>) -> Option<Verdict> {
        if !self.concerns(client) {
            return None;
        }
        match (&self.subject, now) {
            (Subject::Client(_), now) => {
                let knew = std::mem::replace(&mut self.knows, now.is_some());
                match now {
                    Some(_) => Some(Verdict::At),
                    None => knew.then_some(Verdict::Gone),
                }
            }
            (Subject::Prefix(_) | Subject::All, Some(_)) => Some(Verdict::At),
            (Subject::Prefix(_) | Subject::All, None) => Some(Verdict::Gone),
            (Subject::Area(_) | Subject::Around(_), now) => self.look_at_border(client, now),
        }
    }

    fn look_at_border(&mut self, client: &[u8], now: Option<&Record>) -> Option<Verdict> {
        let was_inside = self.inside.contains(client);
        let Some(record) = now else {
            return self.go_out(client).then_some(Verdict::Gone);
        };
        let is_inside = self.area().is_some_and(|area| {
            let area = if was_inside { &area.outer } else { &area.inner };
            holds(area, record)
        });
        match (was_inside, is_inside) {
            (false, false) => None,
            (true, true) => Some(Verdict::At),
            (false, true) => {
                self.inside.insert(client.into());
                self.inside_units += units(client);
                self.has_room &= self.share.set(self.inside_units);
                Some(Verdict::Enter)
            }
            (true, false) => {
                self.go_out(client);
                Some(Verdict::Leave)
            }
        }
    }

    fn go_out(&mut self, client: &[u8]) -> bool {
        let was_inside = self.inside.remove(client);
        if was_inside {
            self.inside_units -= units(client);
            // Fewer fit, or there was no room before.
            self.has_room &= self.share.set(self.inside_units);
        }
        was_inside
    }

    /// The same for the client in the middle. What that is to others is to be looked at behind it.
    pub fn look_at_centre(&mut self, now: Option<&Record>) -> Option<Verdict> {
        let Subject::Around(around) = &self.subject else {
            return None;
        };
        let center = now.and_then(Record::location);
        let knew = std::mem::replace(&mut self.knows, center.is_some());
        self.around = center.map(|center| {
            WatchedArea::circle(center.coordinates(), around.radius_m, around.margin_m)
        });
        match center {
            Some(_) => Some(Verdict::Centre),
            None => knew.then_some(Verdict::Gone),
        }
    }
}

/// Whether the location of a record lies in an area.
fn holds(area: &Area, record: &Record) -> bool {
    let location = record.location();
    location.is_some_and(|location| area.distance(&location).is_some())
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
