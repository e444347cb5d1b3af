//! Squares of the lattice, from all of the earth down to a cell.

use herd_crdt::{Coordinates, QUANTIZED_COLUMN_BITS, QUANTIZED_ROW_BITS, QuantizedLocation};

/// The rows and columns of the lattice in a cell, as a power of two: 0.011 degrees.
pub(crate) const CELL_KNOT_BITS: u32 = 5;

/// Rows of cells, as a power of two.
pub(crate) const ROW_BITS: u32 = QUANTIZED_ROW_BITS - CELL_KNOT_BITS;

/// Columns of cells, as a power of two.
pub(crate) const COLUMN_BITS: u32 = QUANTIZED_COLUMN_BITS - CELL_KNOT_BITS;

/// How high and wide a cell is, in degrees.
const CELL_DEGREES: f64 = 180.0 / (1_u32 << ROW_BITS) as f64;

/// How high and wide a square of the lattice is, in degrees.
pub(crate) const KNOT_DEGREES: f64 = CELL_DEGREES / (1_u32 << CELL_KNOT_BITS) as f64;

/// How far beyond the edges of its square a location may lie, in degrees; see [`QuantizedLocation`].
pub(crate) const EDGE_DEGREES: f64 = 2e-7;

/// A square of 0.011 degrees, some 1.2 km.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub(crate) row: u16,
    pub(crate) column: u16,
}

impl Cell {
    /// The cell that this lies in.
    #[must_use]
    #[inline]
    pub fn of(at: QuantizedLocation) -> Self {
        Cell {
            // Both fit: there are no more than 2^14 rows and 2^15 columns.
            row: (at.row() >> CELL_KNOT_BITS) as u16,
            column: (at.column() >> CELL_KNOT_BITS) as u16,
        }
    }
}

/// How large a square is; each consists of squares of the next level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// All of the earth: 16 rows of 32 zones.
    World,
    /// 11.25 degrees: 16 by 16 tiles.
    Zone,
    /// 0.7 degrees, under one lock: 8 by 8 blocks.
    Tile,
    /// 0.09 degrees: 8 by 8 cells.
    Block,
    /// See [`Cell`]. A crowd within one is divided by its hashes.
    Cell,
}

impl Level {
    /// How many cells it is high and wide, as a power of two; of the world, how high.
    pub(crate) const fn cell_bits(self) -> u32 {
        match self {
            Level::World => ROW_BITS,
            Level::Zone => 10,
            Level::Tile => 6,
            Level::Block => 3,
            Level::Cell => 0,
        }
    }

    /// Zones of the world.
    pub(crate) const ZONES: usize = 1 << (ROW_BITS + COLUMN_BITS - 2 * Level::Zone.cell_bits());

    /// Tiles of a zone.
    pub(crate) const TILES: usize = 1 << (2 * (Level::Zone.cell_bits() - Level::Tile.cell_bits()));

    /// Blocks of a tile, and cells of a block.
    pub(crate) const PARTS: usize = 1 << (2 * Level::Block.cell_bits());

    /// The number of this zone in the world.
    pub(crate) fn zone_index(cell: Cell) -> usize {
        let bits = Level::Zone.cell_bits();
        let (row, column) = (
            usize::from(cell.row) >> bits,
            usize::from(cell.column) >> bits,
        );
        row << (COLUMN_BITS - bits) | column
    }

    /// The number of the tile in its zone.
    pub(crate) fn tile_index(cell: Cell) -> usize {
        part(cell, Level::Tile.cell_bits(), Level::Zone.cell_bits())
    }

    /// The number of the block in its tile.
    pub(crate) fn block_index(cell: Cell) -> usize {
        part(cell, Level::Block.cell_bits(), Level::Tile.cell_bits())
    }

    /// The number of the cell in its block.
    pub(crate) fn cell_index(cell: Cell) -> usize {
        part(cell, 0, Level::Block.cell_bits())
    }
}

/// The number of a part, `part_bits` high and wide, in the square around it.
fn part(cell: Cell, part_bits: u32, around_bits: u32) -> usize {
    let mask = (1 << (around_bits - part_bits)) - 1;
    let row = usize::from(cell.row) >> part_bits & mask;
    let column = usize::from(cell.column) >> part_bits & mask;
    row << (around_bits - part_bits) | column
}

/// The edges of rows of cells in degrees, with all that lies in them.
pub(crate) fn latitudes(row: u16, cell_bits: u32) -> (f64, f64) {
    let south = f64::from(row) * CELL_DEGREES - 90.0;
    let north = south + f64::from(1_u32 << cell_bits) * CELL_DEGREES;
    (south - EDGE_DEGREES, north + EDGE_DEGREES)
}

/// The same of columns.
pub(crate) fn longitudes(column: u16, cell_bits: u32) -> (f64, f64) {
    let west = f64::from(column) * CELL_DEGREES - 180.0;
    let east = west + f64::from(1_u32 << cell_bits) * CELL_DEGREES;
    (west - EDGE_DEGREES, east + EDGE_DEGREES)
}

/// The latitudes and longitudes within which a location lies, in degrees.
pub(crate) fn edges_of(at: QuantizedLocation) -> ((f64, f64), (f64, f64)) {
    let south = f64::from(at.row()) * KNOT_DEGREES - 90.0;
    let west = f64::from(at.column()) * KNOT_DEGREES - 180.0;
    let range = |from: f64| (from - EDGE_DEGREES, from + KNOT_DEGREES + EDGE_DEGREES);
    (range(south), range(west))
}

/// The middle of a knot.
pub(crate) fn center_of(at: QuantizedLocation) -> Coordinates {
    Coordinates {
        latitude_degrees: (f64::from(at.row()) + 0.5) * KNOT_DEGREES - 90.0,
        longitude_degrees: (f64::from(at.column()) + 0.5) * KNOT_DEGREES - 180.0,
    }
}

/// The middle of a square of `2^bits` cells that begins at `southwest`.
pub(crate) fn center_of_square(southwest: Cell, bits: u32) -> Coordinates {
    let half_degrees = f64::from(1_u32 << bits) * CELL_DEGREES / 2.0;
    Coordinates {
        latitude_degrees: f64::from(southwest.row) * CELL_DEGREES - 90.0 + half_degrees,
        longitude_degrees: f64::from(southwest.column) * CELL_DEGREES - 180.0 + half_degrees,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_levels_are_as_large_as_they_say() {
        assert_eq!(Level::ZONES, 16 * 32);
        assert_eq!(Level::TILES, 16 * 16);
        assert_eq!(Level::PARTS, 8 * 8);
        let last = Cell::of(QuantizedLocation::new(u32::MAX, u32::MAX));
        assert_eq!((last.row, last.column), ((1 << 14) - 1, (1 << 15) - 1));
        assert_eq!(Level::zone_index(last), Level::ZONES - 1);
        assert_eq!(Level::tile_index(last), Level::TILES - 1);
        assert_eq!(Level::block_index(last), Level::PARTS - 1);
        assert_eq!(Level::cell_index(last), Level::PARTS - 1);
    }

    proptest! {
        #[test]
        fn a_knot_lies_within_its_cell(row in 0_u32..1 << 19, column in 0_u32..1 << 20) {
            let at = QuantizedLocation::new(row, column);
            let cell = Cell::of(at);
            let ((south, north), (west, east)) = edges_of(at);
            let (cell_south, cell_north) = latitudes(cell.row, 0);
            let (cell_west, cell_east) = longitudes(cell.column, 0);
            let slack = 1e-9;
            prop_assert!(cell_south - slack <= south && north <= cell_north + slack);
            prop_assert!(cell_west - slack <= west && east <= cell_east + slack);
        }
    }
}
