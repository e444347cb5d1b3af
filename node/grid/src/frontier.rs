//! The order in which a search looks at the grid: nearest first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::area::{Area, Column, Row};
use super::cap::Interior;
use super::cell::{Cell, Level, latitudes, longitudes};
use super::circle::Circle;
use super::grid::Grid;
use super::node::{Found, Member, NodeId};

/// The squares and the candidates that a search has not looked at yet, each with a bound on its distance. Looking at a
/// square puts its parts in its place. Best first, after Hjaltason and Samet, "Distance browsing in spatial
/// databases" (1999).
pub struct Frontier {
    heap: BinaryHeap<Entry>,
    /// Squares that lie wholly in here are left out.
    known: Option<Interior>,
}

/// The next step of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A client that may be in the area, by its hash.
    Candidate(u64),
    /// A square was looked at, which took about as long as this number of candidates.
    Looked(usize),
    /// Nothing is left whose bound is at most the one that was given.
    End,
}

struct Entry {
    /// Nothing in it is nearer than this haversine.
    bound: f64,
    target: Target,
}

#[derive(Clone, Copy)]
enum Target {
    World,
    /// By its southwestern cell.
    Zone(Cell),
    Node(NodeId),
    Client(u64),
}

impl Target {
    fn depth(self) -> u8 {
        match self {
            Target::World => 0,
            Target::Zone(_) => 1,
            Target::Node(id) => 2 + id.depth,
            Target::Client(_) => u8::MAX,
        }
    }
}

impl Default for Frontier {
    /// All of the earth.
    fn default() -> Self {
        let mut frontier = Frontier {
            heap: BinaryHeap::new(),
            known: None,
        };
        frontier.begin_anew();
        frontier
    }
}

impl Frontier {
    /// All of the earth but squares that lie wholly in this circle, because its clients are known.
    #[must_use]
    pub fn beyond(known: &Circle) -> Self {
        Frontier {
            known: Some(known.interior()),
            ..Frontier::default()
        }
    }

    /// All that was looked at is to be looked at again. Keeps its memory.
    pub fn begin_anew(&mut self) {
        self.heap.clear();
        self.heap.push(Entry {
            bound: f64::NEG_INFINITY,
            target: Target::World,
        });
    }

    /// How many squares and candidates it has memory for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.heap.capacity()
    }

    /// Takes the next step of a search for `area`, beyond `bound_max` nothing. The bound may fall from step to step.
    pub fn step(&mut self, grid: &Grid, area: &Area, bound_max: f64) -> Step {
        let Some(entry) = self.heap.pop().filter(|entry| entry.bound <= bound_max) else {
            self.heap.clear();
            return Step::End;
        };
        let looking = Looking {
            grid,
            area,
            bound_max,
            heap: &mut self.heap,
            known: self.known.as_ref(),
        };
        match entry.target {
            Target::Client(hash) => Step::Candidate(hash),
            Target::World => looking.world(),
            Target::Zone(cell) => looking.zone(cell),
            Target::Node(id) => looking.node(id),
        }
    }
}

/// Looks at one square.
struct Looking<'a> {
    grid: &'a Grid,
    area: &'a Area,
    bound_max: f64,
    heap: &'a mut BinaryHeap<Entry>,
    known: Option<&'a Interior>,
}

/// One candidate costs as much as this number of parts of a square.
const PARTS_PER_CANDIDATE: usize = 16;

impl Looking<'_> {
    fn is_known(&self, southwest: Cell, bits: u32) -> bool {
        self.known
            .is_some_and(|known| known.holds_square(southwest, bits))
    }

    fn world(mut self) -> Step {
        let zones = self.grid.zones();
        let bits = Level::Zone.cell_bits();
        let world = Cell { row: 0, column: 0 };
        self.squares(
            world,
            bits,
            (Level::World.cell_bits(), zones.len()),
            |number| !zones[number].is_empty(),
            Target::Zone,
        )
    }

    fn zone(mut self, zone: Cell) -> Step {
        let tiles = self.grid.zones()[Level::zone_index(zone)].tiles();
        let bits = Level::Tile.cell_bits();
        self.squares(
            zone,
            bits,
            (Level::Zone.cell_bits(), tiles.len()),
            |number| !tiles[number].is_empty(),
            |cell| Target::Node(NodeId::tile(cell)),
        )
    }

    /// Puts `count` squares that are `bits` large into the heap, of one that is `around_bits` high and begins at
    /// `southwest`.
    fn squares(
        &mut self,
        southwest: Cell,
        bits: u32,
        (around_bits, count): (u32, usize),
        is_occupied: impl Fn(usize) -> bool,
        target: impl Fn(Cell) -> Target,
    ) -> Step {
        let rows = 1 << (around_bits - bits);
        let columns = count / rows;
        let column_at = |number: usize| southwest.column + ((number as u16) << bits);
        let of_columns: Vec<Column> = (0..columns)
            .map(|number| self.area.column(longitudes(column_at(number), bits)))
            .collect();
        for row_number in 0..rows.min(count) {
            let row = southwest.row + ((row_number as u16) << bits);
            let latitudes = latitudes(row, bits);
            let Some(of_row) = self.area.row_within(latitudes, self.bound_max) else {
                continue;
            };
            for (number, of_column) in of_columns.iter().enumerate() {
                let bound = of_row.bound(*of_column);
                if bound <= self.bound_max && is_occupied(row_number * columns + number) {
                    let column = column_at(number);
                    let cell = Cell { row, column };
                    if !self.is_known(cell, bits) {
                        let target = target(cell);
                        self.heap.push(Entry { bound, target });
                    }
                }
            }
        }
        Step::Looked(1 + count / PARTS_PER_CANDIDATE)
    }

    fn node(self, id: NodeId) -> Step {
        let mut seen = Seen {
            tile: NodeId::tile(id.cell).cell,
            around: self.area.row(latitudes(id.cell.row, id.cell_bits())),
            rows: [None; 8],
            columns: [None; 8],
            looked_at: 0,
            looking: self,
        };
        let grid = seen.looking.grid;
        grid.look(id, &mut seen);
        Step::Looked(1 + seen.looked_at / PARTS_PER_CANDIDATE)
    }
}

/// Takes in the parts and the clients of a node of a tile.
struct Seen<'a> {
    tile: Cell,
    /// Of the node's rows together.
    around: Row,
    /// Of its parts, once they are needed; no row, if all of it is too far away.
    rows: [Option<Option<Row>>; 8],
    columns: [Option<Column>; 8],
    looked_at: usize,
    looking: Looking<'a>,
}

impl Seen<'_> {
    fn push(&mut self, bound: f64, target: Target) {
        if bound <= self.looking.bound_max {
            self.looking.heap.push(Entry { bound, target });
        }
    }
}

impl Found for Seen<'_> {
    fn members(&mut self, members: &[Member]) {
        self.looked_at += members.len();
        let area = self.looking.area;
        for member in members {
            let at = member.at(self.tile);
            let bound = area.bound_within(self.around, at);
            if bound <= self.looking.bound_max && !self.looking.is_known(Cell::of(at), 0) {
                self.push(bound, Target::Client(member.hash()));
            }
        }
    }

    fn part(&mut self, part: NodeId, _clients: usize) {
        self.looked_at += 1;
        let (area, bits) = (self.looking.area, part.cell_bits());
        if self.looking.is_known(part.cell, bits) {
            return;
        }
        let number = |at: u16| usize::from(at >> bits) % 8;
        let bound_max = self.looking.bound_max;
        let row = self.rows[number(part.cell.row)].get_or_insert_with(|| {
            let latitudes = latitudes(part.cell.row, bits);
            area.row_within(latitudes, bound_max)
        });
        let Some(row) = *row else {
            return;
        };
        let column = *self.columns[number(part.cell.column)]
            .get_or_insert_with(|| area.column(longitudes(part.cell.column, bits)));
        self.push(row.bound(column), Target::Node(part));
    }
}

impl Entry {
    /// Nearer ones first, and of those that are as near the smaller ones: a search through a rectangle has few squares
    /// waiting then.
    fn order(&self, other: &Self) -> Ordering {
        let nearer = other.bound.total_cmp(&self.bound);
        nearer.then_with(|| self.target.depth().cmp(&other.target.depth()))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}
