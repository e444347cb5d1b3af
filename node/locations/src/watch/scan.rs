//! What a watch has to go through beside marks: at its beginning, and when the middle of its area has moved.

use std::sync::Arc;
use std::vec;

use herd_grid::{Area, Frontier, Step};
use herd_watch::Subject;

use super::super::Locations;
use super::super::walk::Walk;
use super::{Listener, Watch};

/// Clients that are entered into the index at a time, if a watch is the first that needs it.
const INDEXED_AT_ONCE: usize = 128;

/// What is to be gone through. When it is over, the next one follows, or none.
pub(super) enum Scan {
    /// One client.
    One(Arc<[u8]>),
    /// All clients, of which some are of interest.
    Walk(Walk, vec::IntoIter<Box<[u8]>>),
    /// The clients that were inside before the middle moved, and then those of the area but for this part.
    Again(vec::IntoIter<Arc<[u8]>>, Option<Area>),
    /// The clients of the area.
    Area(Box<Frontier>),
    /// Those that have changed while the first ones were told; the second ones wait for the end of this.
    Marked(vec::IntoIter<Arc<[u8]>>, Vec<Arc<[u8]>>),
}

impl Scan {
    /// At the beginning.
    pub(super) fn first(subject: &Subject) -> Self {
        match subject {
            Subject::Client(client) => Scan::One(client.clone()),
            Subject::Around(around) => Scan::One(around.client.clone()),
            Subject::Prefix(_) | Subject::All => Scan::Walk(Walk::frugal(), Vec::new().into_iter()),
            Subject::Area(_) => Scan::Area(Box::default()),
        }
    }

    /// When the middle has moved, `inside` were inside, and all clients of the area `before` are known.
    pub(super) fn again(inside: Vec<Arc<[u8]>>, before: Option<Area>) -> Self {
        Scan::Again(inside.into_iter(), before)
    }

    /// Whether it may be about many clients.
    pub(super) fn is_long(&self) -> bool {
        !matches!(self, Scan::One(_))
    }
}

impl Watch {
    /// Goes on by a step; returns about how many clients it took as long as.
    pub(super) fn scan_on(
        &mut self,
        scan: Scan,
        locations: &Locations,
        listener: &mut impl Listener,
    ) -> usize {
        match scan {
            Scan::One(client) => {
                self.look(&client, locations, listener);
                self.scan_over(listener);
                1
            }
            Scan::Walk(walk, ids) => self.walk_on(walk, ids, locations, listener),
            Scan::Again(mut inside, before) => {
                let Some(client) = inside.next() else {
                    let frontier = match &before {
                        Some(Area::Circle(circle)) => Frontier::beyond(circle),
                        Some(Area::Rectangle(_) | Area::Box(_)) | None => Frontier::default(),
                    };
                    self.scan = Some(Scan::Area(Box::new(frontier)));
                    return 1;
                };
                self.look_again(&client, locations, listener);
                self.scan = Some(Scan::Again(inside, before));
                1
            }
            Scan::Area(frontier) => self.area_on(frontier, locations, listener),
            Scan::Marked(mut marked, mut kept) => {
                let Some(client) = marked.next() else {
                    self.registration.give_back(kept);
                    self.go_live(listener);
                    return 1;
                };
                if self.told.is_inside(&client) || self.told.is_centre(&client) {
                    kept.push(client);
                } else {
                    self.look(&client, locations, listener);
                }
                self.scan = Some(Scan::Marked(marked, kept));
                1
            }
        }
    }

    /// One client was looked at, or all of the area were. If the middle was looked at just now, it has begun another.
    fn scan_over(&mut self, listener: &mut impl Listener) {
        if self.scan.is_none() {
            self.go_live(listener);
        }
    }

    fn walk_on(
        &mut self,
        mut walk: Walk,
        mut ids: vec::IntoIter<Box<[u8]>>,
        locations: &Locations,
        listener: &mut impl Listener,
    ) -> usize {
        if let Some(client) = ids.next() {
            self.look(&client, locations, listener);
            self.scan = Some(Scan::Walk(walk, ids));
            return 1;
        }
        let told = &self.told;
        match walk.next_ids(locations, |record| told.concerns(record.client())) {
            None => {
                self.go_live(listener);
                1
            }
            Some(ids) => {
                self.scan = Some(Scan::Walk(walk, ids.into_iter()));
                // Those that are not of interest take little each.
                32
            }
        }
    }

    fn area_on(
        &mut self,
        mut frontier: Box<Frontier>,
        locations: &Locations,
        listener: &mut impl Listener,
    ) -> usize {
        let Some(area) = self.told.area().map(|area| &area.inner) else {
            self.area_over(locations, listener);
            return 1;
        };
        if !locations.carry_on_indexing(INDEXED_AT_ONCE) {
            self.scan = Some(Scan::Area(frontier));
            return INDEXED_AT_ONCE;
        }
        let done = match frontier.step(&locations.grid, area, area.bound_max()) {
            Step::Candidate(hash) => {
                let known = (&self.told, &self.registration);
                for record in locations.look_near(hash, area, known) {
                    if listener.may_see(record.client()) {
                        self.judge(record.client(), Some(&record), listener);
                    }
                }
                1
            }
            Step::Looked(candidates) => candidates,
            Step::End => {
                self.area_over(locations, listener);
                return 1;
            }
        };
        self.scan = Some(Scan::Area(frontier));
        done
    }

    /// All of the area were told. A client that went from a square that was not looked at yet into one that had been has
    /// left a mark: it was inside all the time, and belongs to the beginning too.
    fn area_over(&mut self, locations: &Locations, listener: &mut impl Listener) {
        if self.first.is_some() {
            // A change moves a client within the index first, and marks it then.
            locations.await_changes_under_way();
            let marked = self.registration.take_marks().into_iter();
            self.scan = Some(Scan::Marked(marked, Vec::new()));
        } else {
            self.scan_over(listener);
        }
    }

    /// Looks at a client that was inside before the middle moved. Its own changes leave marks; only that it is outside
    /// now is told.
    fn look_again(&mut self, client: &[u8], locations: &Locations, listener: &mut impl Listener) {
        let record = locations.find(client);
        match &record {
            Some(record) if self.told.holds_outer(record) => {}
            Some(record) => self.judge(client, Some(record), listener),
            // Its removal left no mark, if it was outside the new area.
            None => self.judge(client, None, listener),
        }
    }
}
