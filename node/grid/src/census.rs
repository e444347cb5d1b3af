//! How many clients are in each square of a part of the earth.

use std::collections::BTreeMap;

use herd_crdt::{Coordinates, QUANTIZED_COLUMN_BITS, QUANTIZED_ROW_BITS, QuantizedLocation};

use super::cell::{CELL_KNOT_BITS, Cell, KNOT_DEGREES, Level, center_of, center_of_square};
use super::grid::Grid;
use super::node::{Found, Member, NodeId};

/// The most clients of a square that are named beside its number.
pub const NAMED_MAX: usize = 16;

/// A part of the earth in rows and columns of the lattice, its edges included. If its first column is further east than
/// its last one, it reaches over the 180th meridian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    rows: (u32, u32),
    columns: (u32, u32),
}

/// The clients of one square.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// How many.
    pub clients: usize,
    /// The hashes of at most [`NAMED_MAX`] of them: of all, if there are no more.
    pub named: Vec<u64>,
    /// The sums of their degrees: where the middle of a part of the square stands for the clients in it, that middle.
    latitudes: f64,
    longitudes: f64,
}

/// A count of the clients in squares of `2^bits` rows and columns of the lattice. It is carried on in pieces, so that
/// others have their turn in between. A client that moves meanwhile may count twice or not at all.
#[derive(Debug)]
pub struct Census {
    window: Window,
    bits: u32,
    /// Up to this number of clients in the window all are named.
    all_max: usize,
    clients: usize,
    all: Vec<u64>,
    squares: BTreeMap<(u32, u32), Tally>,
    zones_done: usize,
    /// Tiles of the last of these zones that are still to be looked at, the first one last.
    tiles: Vec<Cell>,
    /// The tile that is looked at,
    tile: Cell,
    /// and those of its parts that are still to be looked at.
    parts: Vec<NodeId>,
}

impl Window {
    /// Between these degrees; `west` may be further east than `east`.
    #[must_use]
    pub fn new((south, north): (f64, f64), (west, east): (f64, f64)) -> Self {
        let knot = |degrees: f64, bits: u32| {
            // Beyond the last one, at the north pole and at 180 degrees, is the last one. A negative number becomes 0.
            ((degrees / KNOT_DEGREES) as u32).min((1 << bits) - 1)
        };
        let row = |latitude: f64| knot(latitude + 90.0, QUANTIZED_ROW_BITS);
        let column = |longitude: f64| knot(longitude + 180.0, QUANTIZED_COLUMN_BITS);
        Window {
            rows: (row(south), row(north)),
            columns: (column(west), column(east)),
        }
    }

    /// How many squares of `2^bits` rows and columns reach into it at most.
    #[must_use]
    pub fn squares(&self, bits: u32) -> u64 {
        let rows = (self.rows.1 >> bits) - (self.rows.0 >> bits) + 1;
        let (west, east) = (self.columns.0 >> bits, self.columns.1 >> bits);
        let columns = match self.columns.0 <= self.columns.1 {
            true => east - west + 1,
            false => ((1 << QUANTIZED_COLUMN_BITS) >> bits) - west + east + 1,
        };
        u64::from(rows) * u64::from(columns)
    }

    /// Whether a square that begins at this row and column reaches into it.
    fn meets(&self, (row, column): (u32, u32), bits: u32) -> bool {
        let (north, east) = (row + (1 << bits) - 1, column + (1 << bits) - 1);
        let (first, last) = self.columns;
        let in_columns = match first <= last {
            true => column <= last && first <= east,
            false => column <= last || first <= east,
        };
        in_columns && row <= self.rows.1 && self.rows.0 <= north
    }

    /// Whether all of the square lies in it.
    fn holds(&self, (row, column): (u32, u32), bits: u32) -> bool {
        let (north, east) = (row + (1 << bits) - 1, column + (1 << bits) - 1);
        let (first, last) = self.columns;
        let in_columns = match first <= last {
            true => first <= column && east <= last,
            false => first <= column || east <= last,
        };
        in_columns && self.rows.0 <= row && north <= self.rows.1
    }
}

impl Tally {
    /// The middle of the clients.
    #[must_use]
    pub fn center(&self) -> Coordinates {
        let clients = self.clients.max(1) as f64;
        Coordinates {
            latitude_degrees: self.latitudes / clients,
            longitude_degrees: self.longitudes / clients,
        }
    }
}

impl Census {
    /// Nothing is counted yet. `bits` is at most 19; up to `all_max` clients, all are named.
    #[must_use]
    pub fn new(window: Window, bits: u32, all_max: usize) -> Self {
        Census {
            window,
            bits: bits.min(QUANTIZED_ROW_BITS),
            all_max,
            clients: 0,
            all: Vec::new(),
            squares: BTreeMap::new(),
            zones_done: 0,
            tiles: Vec::new(),
            tile: Cell { row: 0, column: 0 },
            parts: Vec::new(),
        }
    }

    /// Goes on until about `piece` clients and parts were looked at, those of one node at the least; says whether all
    /// clients are counted.
    pub fn carry_on(&mut self, grid: &Grid, piece: usize) -> bool {
        let mut looked_at = 0;
        while looked_at < piece {
            if let Some(part) = self.parts.pop() {
                looked_at += self.look(grid, part);
            } else if let Some(tile) = self.tiles.pop() {
                self.tile = tile;
                self.parts.push(NodeId::tile(tile));
            } else if !self.enter_zone(grid) {
                return true;
            }
        }
        false
    }

    /// Notes the tiles of the next zone that has clients; says whether there is one.
    fn enter_zone(&mut self, grid: &Grid) -> bool {
        let zones = grid.zones();
        while let Some(zone) = zones.get(self.zones_done) {
            let southwest = zone_corner(self.zones_done);
            self.zones_done += 1;
            if !zone.is_empty() && self.meets(southwest, Level::Zone.cell_bits()) {
                self.note_tiles(southwest, zone.tiles().len());
                return true;
            }
        }
        false
    }

    /// Looks at a part of the tile; says how many clients and parts it has.
    fn look(&mut self, grid: &Grid, part: NodeId) -> usize {
        let mut counting = Counting {
            tile: self.tile,
            census: self,
            looked_at: 1,
        };
        grid.look(part, &mut counting);
        counting.looked_at
    }

    /// The hashes of all clients, if there are no more than were to be named. A client that moved may be named twice.
    #[must_use]
    pub fn all(&self) -> Option<&[u64]> {
        (self.clients == self.all.len()).then_some(&self.all)
    }

    /// The squares with clients, by their row and column among the squares.
    #[must_use]
    pub fn squares(&self) -> &BTreeMap<(u32, u32), Tally> {
        &self.squares
    }

    /// The middle of a square, and its height and width in degrees.
    #[must_use]
    pub fn middle_of(&self, (row, column): (u32, u32)) -> (Coordinates, f64) {
        let degrees = KNOT_DEGREES * f64::from(1_u32 << self.bits);
        let middle = |number: u32| (f64::from(number) + 0.5) * degrees;
        let center = Coordinates {
            latitude_degrees: middle(row) - 90.0,
            longitude_degrees: middle(column) - 180.0,
        };
        (center, degrees)
    }

    fn note_tiles(&mut self, zone: Cell, tiles: usize) {
        let bits = Level::Tile.cell_bits();
        let across = 1 << (Level::Zone.cell_bits() - bits);
        for number in (0..tiles as u16).rev() {
            let tile = Cell {
                row: zone.row + ((number / across) << bits),
                column: zone.column + ((number % across) << bits),
            };
            if self.meets(tile, bits) {
                self.tiles.push(tile);
            }
        }
    }

    fn meets(&self, southwest: Cell, cell_bits: u32) -> bool {
        let knot = |number: u16| u32::from(number) << CELL_KNOT_BITS;
        let corner = (knot(southwest.row), knot(southwest.column));
        self.window.meets(corner, cell_bits + CELL_KNOT_BITS)
    }

    /// Enters a square that has at least one client.
    fn square_at(&mut self, (row, column): (u32, u32)) -> &mut Tally {
        let square = (row >> self.bits, column >> self.bits);
        self.squares.entry(square).or_default()
    }

    fn count_client(&mut self, hash: u64, at: QuantizedLocation) {
        if !self.window.meets((at.row(), at.column()), 0) {
            return;
        }
        self.clients += 1;
        if self.all.len() < self.all_max {
            self.all.push(hash);
        }
        let center = center_of(at);
        let square = self.square_at((at.row(), at.column()));
        square.clients += 1;
        square.latitudes += center.latitude_degrees;
        square.longitudes += center.longitude_degrees;
        if square.named.len() < NAMED_MAX {
            square.named.push(hash);
        }
    }

    /// Whether the number of a part's clients is enough: the part lies in the window and in one square, which has as many
    /// names as it may.
    fn takes_whole(&self, part: NodeId, clients: usize) -> bool {
        let bits = part.cell_bits() + CELL_KNOT_BITS;
        let is_one = bits <= self.bits && self.window.holds(corner_of(part), bits);
        if !is_one || self.clients + clients <= self.all_max {
            return false;
        }
        let (row, column) = corner_of(part);
        let square = self.squares.get(&(row >> self.bits, column >> self.bits));
        square.is_some_and(|square| square.named.len() == NAMED_MAX)
    }

    fn count_part(&mut self, part: NodeId, clients: usize) {
        let center = center_of_square(part.cell, part.cell_bits());
        self.clients += clients;
        let square = self.square_at(corner_of(part));
        square.clients += clients;
        square.latitudes += center.latitude_degrees * clients as f64;
        square.longitudes += center.longitude_degrees * clients as f64;
    }
}

/// The parts of a node that are still to be looked at are put to the others.
struct Counting<'a> {
    census: &'a mut Census,
    tile: Cell,
    looked_at: usize,
}

impl Found for Counting<'_> {
    fn members(&mut self, members: &[Member]) {
        self.looked_at += members.len();
        for member in members {
            self.census
                .count_client(member.hash(), member.at(self.tile));
        }
    }

    fn part(&mut self, part: NodeId, clients: usize) {
        self.looked_at += 1;
        if !self.census.meets(part.cell, part.cell_bits()) {
            return;
        }
        if self.census.takes_whole(part, clients) {
            self.census.count_part(part, clients);
        } else {
            self.census.parts.push(part);
        }
    }
}

fn corner_of(part: NodeId) -> (u32, u32) {
    let knot = |number: u16| u32::from(number) << CELL_KNOT_BITS;
    (knot(part.cell.row), knot(part.cell.column))
}

/// The southwestern cell of the zone of this number.
fn zone_corner(number: usize) -> Cell {
    let bits = Level::Zone.cell_bits();
    let across = 1 << (super::cell::COLUMN_BITS - bits);
    Cell {
        row: ((number / across) as u16) << bits,
        column: ((number % across) as u16) << bits,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(members: &[(u32, u32)]) -> Grid {
        let grid = Grid::default();
        for (hash, &(row, column)) in (0..).zip(members) {
            assert!(
                grid.enter(hash, None, QuantizedLocation::new(row, column))
                    .is_none()
            );
        }
        grid
    }

    fn counted(grid: &Grid, window: Window, bits: u32, all_max: usize) -> Census {
        let mut census = Census::new(window, bits, all_max);
        while !census.carry_on(grid, 100) {}
        census
    }

    const ROWS: u32 = 1 << QUANTIZED_ROW_BITS;
    const COLUMNS: u32 = 1 << QUANTIZED_COLUMN_BITS;

    /// Some all over the earth, and a crowd in one town.
    fn members() -> impl Strategy<Value = Vec<(u32, u32)>> {
        let anywhere = prop::collection::vec((0..ROWS, 0..COLUMNS), 0..200);
        let town = prop::collection::vec((300_000..300_200_u32, 700_000..700_200_u32), 0..2_000);
        (anywhere, town).prop_map(|(anywhere, town)| [anywhere, town].concat())
    }

    fn windows() -> impl Strategy<Value = Window> {
        let edges = (0..ROWS, 0..ROWS, 0..COLUMNS, 0..COLUMNS);
        let around_town = (
            299_900..300_250_u32,
            299_900..300_250_u32,
            699_900..700_250_u32,
            699_900..700_250_u32,
        );
        prop_oneof![edges, around_town].prop_map(|(a, b, west, east)| Window {
            rows: (a.min(b), a.max(b)),
            columns: (west, east),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn each_client_of_the_window_counts_once(
            members in members(), window in windows(), bits in 0_u32..20, all_max in 0_usize..3_000,
        ) {
            let grid = filled(&members);
            let census = counted(&grid, window, bits, all_max);
            let mut expected = BTreeMap::<_, usize>::new();
            for &(row, column) in members.iter().filter(|&&member| window.meets(member, 0)) {
                *expected.entry((row >> bits, column >> bits)).or_default() += 1;
            }
            let numbers = census.squares().iter().map(|(&square, tally)| (square, tally.clients));
            prop_assert_eq!(numbers.collect::<BTreeMap<_, _>>(), expected.clone());
            prop_assert!(expected.len() as u64 <= window.squares(bits));
            for (&square, tally) in census.squares() {
                prop_assert_eq!(tally.named.len(), tally.clients.min(NAMED_MAX));
                let (middle, degrees) = census.middle_of(square);
                let (center, half) = (tally.center(), degrees / 2.0 + 1e-6);
                prop_assert!((center.latitude_degrees - middle.latitude_degrees).abs() <= half);
                prop_assert!((center.longitude_degrees - middle.longitude_degrees).abs() <= half);
            }
            let inside: usize = expected.values().sum();
            let named = (inside <= all_max).then_some(inside);
            prop_assert_eq!(census.all().map(<[u64]>::len), named);
        }
    }

    #[test]
    fn a_crowd_is_counted_without_naming_it() {
        let members: Vec<(u32, u32)> = (0..20_000).map(|n| (300_000 + n % 32, 700_000)).collect();
        let grid = filled(&members);
        let whole = Window::new((-90.0, 90.0), (-180.0, 180.0));
        let census = counted(&grid, whole, 12, 500);
        let tallies: Vec<&Tally> = census.squares().values().collect();
        assert_eq!(tallies.len(), 1);
        assert_eq!(tallies[0].clients, 20_000);
        assert!(tallies[0].named.len() == NAMED_MAX && census.all().is_none());
    }

    #[test]
    fn a_town_is_counted_in_pieces() {
        let members: Vec<(u32, u32)> = (0..20_000)
            .map(|n| (300_000 + n % 200, 700_000 + n / 200))
            .collect();
        let grid = filled(&members);
        let town = Window {
            rows: (300_000, 300_199),
            columns: (700_000, 700_199),
        };
        let mut census = Census::new(town, 0, 0);
        let mut pieces = 0;
        while !census.carry_on(&grid, 1_000) {
            pieces += 1;
        }
        assert!(pieces >= 10, "{pieces}");
        assert_eq!(census.squares().len(), 20_000);
    }

    #[test]
    fn a_window_may_reach_over_the_180th_meridian() {
        let fiji = Window::new((-25.0, -10.0), (170.0, -170.0));
        let at = |latitude: f64, longitude: f64| {
            Window::new((latitude, latitude), (longitude, longitude))
        };
        for (longitude, inside) in [(179.0, true), (-175.0, true), (-160.0, false), (0.0, false)] {
            let point = at(-18.0, longitude);
            let corner = (point.rows.0, point.columns.0);
            assert_eq!(fiji.meets(corner, 0), inside, "{longitude}");
        }
        assert_eq!(fiji.squares(15), 2 * 3);
    }
}
