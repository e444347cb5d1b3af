//! Squares of cells, and the few of them that cover an area.

use super::area::Area;
use super::cell::{COLUMN_BITS, Cell, ROW_BITS, latitudes, longitudes};

/// A square of `2^bits` by `2^bits` cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Square {
    bits: u8,
    row: u16,
    column: u16,
}

impl Square {
    /// The number of sizes of squares: from a cell to one half of the earth.
    pub const SIZES: usize = ROW_BITS as usize + 1;

    /// The square of this size that a cell lies in; sizes are counted from 0, a cell.
    #[must_use]
    pub fn around(cell: Cell, size: usize) -> Self {
        let bits = size.min(Self::SIZES - 1) as u8;
        Square {
            bits,
            row: cell.row >> bits,
            column: cell.column >> bits,
        }
    }

    /// How large it is, as in [`Square::around`].
    #[must_use]
    pub fn size(self) -> usize {
        usize::from(self.bits)
    }

    /// The halves of the earth.
    fn halves() -> [Square; 2] {
        let bits = ROW_BITS as u8;
        [0, 1].map(|column| Square {
            bits,
            row: 0,
            column,
        })
    }

    /// Its quarters; nothing of a cell.
    fn quarters(self) -> impl Iterator<Item = Square> {
        let bits = self.bits.checked_sub(1);
        bits.into_iter().flat_map(move |bits| {
            [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(north, east)| Square {
                bits,
                row: self.row << 1 | north,
                column: self.column << 1 | east,
            })
        })
    }

    fn overlaps(self, area: &Area) -> bool {
        let bits = u32::from(self.bits);
        let row = area.row(latitudes(self.row << bits, bits));
        let column = area.column(longitudes(self.column << bits, bits));
        row.bound(column) <= area.bound_max()
    }
}

impl Area {
    /// At most `squares_max` squares, at least two, that hold all locations of the area. They do not overlap.
    #[must_use]
    pub fn cover(&self, squares_max: usize) -> Vec<Square> {
        let mut cover: Vec<Square> = Square::halves()
            .into_iter()
            .filter(|half| half.overlaps(self))
            .collect();
        // Round by round all are of one size, so what is left of a round that would be too many is of the next.
        loop {
            let finer: Vec<Square> = cover
                .iter()
                .flat_map(|square| square.quarters())
                .filter(|quarter| quarter.overlaps(self))
                .collect();
            if finer.is_empty() || finer.len() > squares_max {
                return cover;
            }
            cover = finer;
        }
    }
}

const _: () = assert!(COLUMN_BITS == ROW_BITS + 1, "there are two halves");

#[cfg(test)]
mod tests {
    use herd_crdt::Location;
    use proptest::prelude::*;

    use super::super::area::tests::location;
    use super::super::{Circle, Rectangle};
    use super::*;

    fn is_covered(area: &Area, squares_max: usize, location: &Location<'_>) -> bool {
        let cell = Cell::of(location.quantized());
        let cover = area.cover(squares_max);
        assert!(cover.len() <= squares_max);
        cover
            .iter()
            .any(|&square| square == Square::around(cell, square.size()))
    }

    proptest! {
        #[test]
        fn a_circle_is_covered_to_its_edge(
            center in location(),
            other in location(),
            squares_max in 2_usize..40,
        ) {
            let (center, other) = (
                Location::parse(center.as_bytes()).unwrap(),
                Location::parse(other.as_bytes()).unwrap(),
            );
            let all = Area::Circle(Circle::new(center.coordinates(), None));
            let (radius_m, _) = all.distance(&other).unwrap();
            let area = Area::Circle(Circle::new(center.coordinates(), Some(radius_m)));
            prop_assert!(is_covered(&area, squares_max, &other));
        }

        #[test]
        fn a_rectangle_is_covered(
            southwest in location(),
            northeast in location(),
            other in location(),
            squares_max in 2_usize..40,
        ) {
            let other = Location::parse(other.as_bytes()).unwrap();
            let rectangle = Rectangle::new(southwest.as_bytes(), northeast.as_bytes());
            if let Ok(rectangle) = rectangle && rectangle.contains(&other) {
                prop_assert!(is_covered(&Area::Rectangle(rectangle), squares_max, &other));
            }
        }
    }

    #[test]
    fn a_small_circle_has_small_squares() {
        let center = Location::parse(b"+34.07-118.44").unwrap().coordinates();
        let cover = Area::Circle(Circle::new(center, Some(1_000.0))).cover(16);
        assert!(cover.iter().all(|square| square.size() == 0), "{cover:?}");
        let all = Area::Circle(Circle::new(center, None)).cover(16);
        assert_eq!(all.len(), 8, "eighths of the earth: {all:?}");
    }
}
