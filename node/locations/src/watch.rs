//! A watch under way: what is so now, then what changes.
//!
//! It registers first and looks then. So a change that its look does not see has left a mark: nothing falls in between.

use std::sync::Arc;
use std::task::{Context, Poll};

use herd_crdt::Record;
use herd_watch::{Registration, Said, Share, Subject, Told, Verdict};

use super::Locations;

mod checked;
mod look;
mod scan;

pub use checked::CheckedWatch;

use look::Looked;
use scan::Scan;

#[cfg(test)]
mod tests;

/// Who is told.
pub trait Listener {
    /// Whether this client exists for it.
    fn may_see(&self, client: &[u8]) -> bool;

    /// Whether it can be told more at the moment.
    fn has_room(&self) -> bool;

    /// Is told.
    fn hear(&mut self, said: Said<'_>);
}

/// How far a watch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All is told.
    Idle,
    /// There is more to be told, or to be looked at.
    More,
    /// More clients have changed than it may leave unread. It is over.
    TooSlow,
    /// More clients are inside than can be remembered. It is over.
    TooLarge,
}

/// A watch under way. It is carried on in pieces, so that others have their turn in between.
///
/// One mark is kept for each client that has changed, and the map is read when it is told: so who is told late is told
/// less, and nothing old. For one client nothing goes back.
pub struct Watch {
    registration: Registration,
    told: Told,
    scan: Option<Scan>,
    /// Marks that were taken, and are to be looked at.
    marked: Vec<Arc<[u8]>>,
    /// How many clients were told so far, until all that is so at the beginning is told.
    first: Option<usize>,
    /// Clients that were looked at since the last call of [`Watch::take_looked`].
    looked: u64,
}

impl Watch {
    /// Registers. The IDs that it keeps, those of marks and of clients inside, count in these shares; at most `marks_max`
    /// are marks.
    #[must_use]
    pub fn new(
        locations: &Locations,
        subject: Subject,
        marks_max: usize,
        [marks, inside]: [Share; 2],
    ) -> Self {
        let mut registration = locations.watchers().register(marks_max, marks);
        match &subject {
            Subject::Client(client) => registration.watch_client(client),
            Subject::Prefix(prefix) => registration.watch_prefix(prefix),
            Subject::All => registration.watch_all(),
            Subject::Area(area) => registration.watch_area(Some(&area.outer)),
            Subject::Around(around) => registration.watch_client(&around.client),
        }
        // A change that began before the registration may leave no mark: looks are to see it.
        locations.await_changes_under_way();
        Watch {
            registration,
            scan: Some(Scan::first(&subject)),
            told: Told::new(subject, inside),
            marked: Vec::new(),
            first: Some(0),
            looked: 0,
        }
    }

    /// What is watched.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        self.told.subject()
    }

    /// Whether it goes through many clients, and not only through those that have changed.
    #[must_use]
    pub fn is_scanning(&self) -> bool {
        self.scan.as_ref().is_some_and(Scan::is_long)
    }

    /// How many clients were looked at since the last call.
    pub fn take_looked(&mut self) -> u64 {
        std::mem::take(&mut self.looked)
    }

    /// Ready when there is something to be told or looked at.
    pub fn poll_ready(&self, context: &Context<'_>) -> Poll<()> {
        if self.scan.is_some() || !self.marked.is_empty() {
            return Poll::Ready(());
        }
        self.registration.poll_marked(context)
    }

    /// Ready when more clients have changed than it may leave unread: it is over, whether or not anything can be told.
    pub fn poll_too_slow(&self, context: &Context<'_>) -> Poll<()> {
        self.registration.poll_overflowed(context)
    }

    /// Carries on for a piece of about this number of clients, or until `listener` has no room.
    pub fn carry_on(
        &mut self,
        locations: &Locations,
        listener: &mut impl Listener,
        piece: usize,
    ) -> Progress {
        if self.registration.has_overflowed() {
            return Progress::TooSlow;
        }
        if !self.told.has_room() {
            return Progress::TooLarge;
        }
        let mut left = piece;
        while left > 0 && listener.has_room() && self.told.has_room() {
            let done = match self.scan.take() {
                Some(scan) => self.scan_on(scan, locations, listener),
                None => match self.next_mark() {
                    Some(client) => {
                        self.look(&client, locations, listener);
                        1
                    }
                    None => return Progress::Idle,
                },
            };
            self.looked += done as u64;
            left = left.saturating_sub(done);
        }
        if self.told.has_room() {
            Progress::More
        } else {
            Progress::TooLarge
        }
    }

    fn next_mark(&mut self) -> Option<Arc<[u8]>> {
        if self.marked.is_empty() {
            self.marked = self.registration.take_marks();
            // The middle comes last: what is around it is looked at anew then, and the marks behind it would wait for that,
            // again and again if it moves without a rest.
            if let Some(place) = self.marked.iter().position(|id| self.told.is_centre(id)) {
                self.marked.swap(0, place);
            }
        }
        self.marked.pop()
    }

    /// Looks at a client that has changed.
    fn look(&mut self, client: &[u8], locations: &Locations, listener: &mut impl Listener) {
        if self.told.is_centre(client) {
            self.look_at_centre(client, locations, listener);
            return;
        }
        if !listener.may_see(client) {
            return;
        }
        match locations.look(client, &self.registration) {
            // Its removal leaves a mark.
            Looked::Expiring => {}
            Looked::Unknown => self.judge(client, None, listener),
            Looked::Known(record) => self.judge(client, Some(&record), listener),
        }
    }

    /// Tells what the record of a client is to the listener.
    fn judge(&mut self, client: &[u8], now: Option<&Record>, listener: &mut impl Listener) {
        let said = match (self.told.look(client, now), now) {
            (Some(Verdict::At), Some(record)) => Said::At(record),
            (Some(Verdict::Enter), Some(record)) => Said::Enter(record),
            (Some(Verdict::Leave), Some(record)) => Said::Leave(record),
            // One that went before it was told of is not missed.
            (Some(Verdict::Gone), _) if self.first.is_none() => Said::Gone(client),
            _ => return,
        };
        if let Some(count) = &mut self.first {
            *count += 1;
        }
        listener.hear(said);
    }

    /// Looks at the client in the middle. If it has moved, all that is around it is looked at next.
    fn look_at_centre(
        &mut self,
        client: &[u8],
        locations: &Locations,
        listener: &mut impl Listener,
    ) {
        let now = match locations.look(client, &self.registration) {
            Looked::Expiring => return,
            Looked::Unknown => None,
            Looked::Known(record) => Some(record),
        };
        let before = self.told.area().map(|area| area.inner.clone());
        match (self.told.look_at_centre(now.as_ref()), &now) {
            (Some(Verdict::Centre), Some(record)) => listener.hear(Said::Centre(record)),
            (Some(Verdict::Gone), _) => listener.hear(Said::Gone(client)),
            _ => return,
        }
        let area = self.told.area();
        if let (Some(before), Some(area)) = (&before, area)
            && area.inner.holds_as_much(before)
        {
            // Nobody comes or goes by it.
            return;
        }
        // Changes around the new place leave marks from now on, and those of clients inside are looked at below.
        self.registration.watch_area(area.map(|area| &area.outer));
        self.registration.give_back(self.marked.drain(..));
        let inside = self.told.all_inside();
        self.scan = Some(Scan::again(inside, before));
    }

    /// All that is so at the beginning was told.
    fn go_live(&mut self, listener: &mut impl Listener) {
        if let Some(count) = self.first.take() {
            let count = match self.told.subject() {
                Subject::Area(_) | Subject::Around(_) => self.told.inside(),
                Subject::Client(_) | Subject::Prefix(_) | Subject::All => count,
            };
            listener.hear(Said::Live(count));
        }
    }
}
