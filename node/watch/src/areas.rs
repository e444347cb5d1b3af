//! Watchers by the squares of the earth that their areas reach into.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use herd_crdt::QuantizedLocation;
use herd_grid::{Area, Cap, Cell, Direction, Square};

use super::marks::Watcher;

/// The most squares that an area is covered with. More would fit better, and take more memory for each watcher.
const SQUARES_MAX: usize = 16;

/// Watched areas, by squares that cover them.
#[derive(Debug, Default)]
pub(crate) struct Areas {
    by_square: HashMap<Square, Vec<Entry>>,
    /// How many squares of each size are in use: sizes without any are not looked up.
    sizes: [usize; Square::SIZES],
}

/// One watcher's area.
#[derive(Clone, Debug)]
struct Entry {
    region: Region,
    watcher: Arc<Watcher>,
    /// Which of the squares of the area it is in.
    nth: usize,
}

/// Where a watcher is among the entries of each of its squares, so that a crowd in one place can go without a search
/// for each. Read and written while the index is locked for writing.
#[derive(Debug, Default)]
pub(crate) struct Slots([AtomicUsize; SQUARES_MAX]);

/// An area as it is asked for each change.
#[derive(Clone, Debug)]
enum Region {
    Cap(Cap),
    Other(Arc<Area>),
}

/// An area and its squares, made before the index is locked.
#[derive(Debug)]
pub(crate) struct Cover {
    squares: Vec<Square>,
    region: Region,
}

/// A place that a client has come to or left.
#[derive(Clone, Copy)]
struct Place {
    at: QuantizedLocation,
    cell: Cell,
    direction: Direction,
}

impl Cover {
    pub(crate) fn of(area: &Area) -> Self {
        Cover {
            squares: area.cover(SQUARES_MAX),
            region: match area {
                Area::Circle(circle) => Region::Cap(circle.cap()),
                Area::Rectangle(_) | Area::Box(_) => Region::Other(Arc::new(area.clone())),
            },
        }
    }
}

impl Entry {
    fn note_place(&self, place: usize) {
        if let Some(slot) = self.watcher.slots().0.get(self.nth) {
            slot.store(place, Ordering::Relaxed);
        }
    }
}

impl Region {
    fn may_hold(&self, place: &Place) -> bool {
        match self {
            Region::Cap(cap) => cap.may_hold(&place.direction),
            Region::Other(area) => area.bound_at(place.at) <= area.bound_max(),
        }
    }
}

impl Place {
    fn new(at: QuantizedLocation) -> Self {
        Place {
            at,
            cell: Cell::of(at),
            direction: Direction::of(at),
        }
    }
}

impl Areas {
    /// The watcher has no area here before.
    pub(crate) fn insert(&mut self, cover: &Cover, watcher: &Arc<Watcher>) {
        for (nth, &square) in cover.squares.iter().enumerate() {
            let entries = self.by_square.entry(square).or_default();
            if entries.is_empty() {
                self.sizes[square.size()] += 1;
            }
            let entry = Entry {
                region: cover.region.clone(),
                watcher: Arc::clone(watcher),
                nth,
            };
            entry.note_place(entries.len());
            entries.push(entry);
        }
    }

    pub(crate) fn remove(&mut self, cover: &Cover, watcher: &Arc<Watcher>) {
        for (square, place) in cover.squares.iter().zip(&watcher.slots().0) {
            let Some(entries) = self.by_square.get_mut(square) else {
                continue;
            };
            let place = place.load(Ordering::Relaxed);
            if place < entries.len() {
                let removed = entries.swap_remove(place);
                debug_assert!(
                    Arc::ptr_eq(&removed.watcher, watcher),
                    "BUG: another was there"
                );
            }
            if let Some(moved) = entries.get(place) {
                moved.note_place(place);
            }
            if entries.is_empty() {
                self.by_square.remove(square);
                self.sizes[square.size()] -= 1;
            }
        }
    }

    /// The watchers whose areas may hold one of these places; one of them may come more than once.
    pub(crate) fn each(
        &self,
        from: Option<QuantizedLocation>,
        to: Option<QuantizedLocation>,
        mut watched: impl FnMut(&Arc<Watcher>),
    ) {
        if self.by_square.is_empty() {
            return;
        }
        // Within one knot it has not moved, as far as this goes.
        let from = from.filter(|from| Some(*from) != to).map(Place::new);
        let to = to.map(Place::new);
        let sizes = self.sizes.iter().enumerate();
        for (size, _) in sizes.filter(|(_, squares)| **squares > 0) {
            for place in from.iter().chain(&to) {
                let square = Square::around(place.cell, size);
                let entries = self.by_square.get(&square).map(Vec::as_slice);
                for entry in entries.unwrap_or_default() {
                    if entry.region.may_hold(place) {
                        watched(&entry.watcher);
                    }
                }
            }
        }
    }
}
