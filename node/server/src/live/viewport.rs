//! The part of the world that a page shows, and the grid that thins it.

use super::DOTS_MAX;

/// The finest level: cells of about 40 m.
const GRID_LEVEL_MAX: u32 = 40;

/// Why a text is no viewport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a view is SOUTH,WEST,NORTH,EAST in degrees, such as -60,-180,85,180")]
pub struct InvalidViewport;

/// A part of the world between two parallels and two meridians. One that is further east in the west than
/// in the east reaches over the 180th meridian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PageViewport {
    south: f64,
    west: f64,
    north: f64,
    east: f64,
}

/// A cell of the grid, by its place east of the 180th meridian and north of the south pole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Cell {
    column: u32,
    row: u32,
}

/// Square cells, in degrees, at positions that do not depend on the viewport: when it moves a little, the dots stay
/// in place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    cell_degrees: f64,
}

impl PageViewport {
    /// All of it.
    pub(super) const WORLD: PageViewport = PageViewport {
        south: -90.0,
        west: -180.0,
        north: 90.0,
        east: 180.0,
    };

    /// Reads `SOUTH,WEST,NORTH,EAST`.
    ///
    /// # Errors
    /// If the text has another form, or south is not below north.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidViewport> {
        let mut numbers = text.split(',').map(|number| number.parse::<f64>());
        let mut next = |limit: f64| match numbers.next() {
            Some(Ok(number)) if number.abs() <= limit => Ok(number),
            _ => Err(InvalidViewport),
        };
        let (south, west, north, east) = (next(90.0)?, next(180.0)?, next(90.0)?, next(180.0)?);
        if numbers.next().is_some() || south >= north {
            return Err(InvalidViewport);
        }
        Ok(PageViewport {
            south,
            west,
            north,
            east,
        })
    }

    /// Whether a point lies in it, its edges included.
    #[must_use]
    pub(super) fn contains(&self, latitude: f64, longitude: f64) -> bool {
        let between = if self.west <= self.east {
            self.west <= longitude && longitude <= self.east
        } else {
            self.west <= longitude || longitude <= self.east
        };
        between && self.south <= latitude && latitude <= self.north
    }

    /// The finest grid of which no more than [`DOTS_MAX`] cells reach into this viewport.
    #[must_use]
    pub(super) fn grid(&self) -> Grid {
        let width = if self.west <= self.east {
            self.east - self.west
        } else {
            self.east - self.west + 360.0
        };
        let height = self.north - self.south;
        let cells = |level: u32| {
            let cell_degrees = cell_degrees(level);
            // One more each way, since a viewport seldom begins where a cell does; and one for a point
            // that lies on the edge itself.
            let (columns, rows) = (width / cell_degrees + 2.0, height / cell_degrees + 2.0);
            columns * rows
        };
        let mut level = 0;
        while level < GRID_LEVEL_MAX && cells(level + 1) <= DOTS_MAX as f64 {
            level += 1;
        }
        Grid {
            cell_degrees: cell_degrees(level),
        }
    }
}

/// The side of a cell: a part of the circumference that halves with every other level.
fn cell_degrees(level: u32) -> f64 {
    let whole = 1_u32 << (level / 2);
    let parts = if level.is_multiple_of(2) {
        whole
    } else {
        whole + whole / 2
    };
    360.0 / f64::from(parts)
}

impl Grid {
    /// The cell that a point lies in.
    #[must_use]
    pub(super) fn cell(&self, latitude: f64, longitude: f64) -> Cell {
        // Both are non-negative, and there are at most two to the power of 20 cells around the world.
        Cell {
            column: ((longitude + 180.0) / self.cell_degrees) as u32,
            row: ((latitude + 90.0) / self.cell_degrees) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_numbers_make_a_viewport() {
        assert_eq!(
            PageViewport::parse("-90,-180,90,180"),
            Ok(PageViewport::WORLD)
        );
        for text in [
            "",
            "1,2,3",
            "1,2,3,4,5",
            "a,2,3,4",
            "nan,0,1,1",
            "-91,0,1,1",
            "0,0,1,181",
            "0,0,inf,1",
            "5,0,5,1",
            "6,0,5,1",
        ] {
            assert_eq!(PageViewport::parse(text), Err(InvalidViewport), "{text}");
        }
    }

    #[test]
    fn a_viewport_may_reach_over_the_180th_meridian() {
        let fiji = PageViewport::parse("-25,170,-10,-170").unwrap();
        for (longitude, inside) in [
            (179.0, true),
            (180.0, true),
            (-180.0, true),
            (-175.0, true),
            (-169.0, false),
            (0.0, false),
            (169.0, false),
        ] {
            assert_eq!(fiji.contains(-18.0, longitude), inside, "{longitude}");
        }
        assert!(!fiji.contains(-9.0, 179.0));
    }

    proptest! {
        #[test]
        fn no_more_cells_hold_points_than_dots_may_be_sent(
            south in -90.0..89.0_f64,
            height in 0.0001..180.0_f64,
            west in -180.0..180.0_f64,
            east in -180.0..180.0_f64,
        ) {
            let north = (south + height).min(90.0);
            let viewport = PageViewport { south, west, north, east };
            let grid = viewport.grid();
            let width = if west <= east { east - west } else { east - west + 360.0 };
            let mut cells = BTreeSet::new();
            // Every cell that reaches into the viewport holds one of these points.
            let steps = |length: f64| (length / grid.cell_degrees * 2.0) as usize + 2;
            for column in 0..=steps(width) {
                for row in 0..=steps(north - south) {
                    let longitude = west + width * column as f64 / steps(width) as f64;
                    let longitude = if longitude > 180.0 { longitude - 360.0 } else { longitude };
                    let latitude = south + (north - south) * row as f64 / steps(north - south) as f64;
                    if viewport.contains(latitude, longitude) {
                        cells.insert(grid.cell(latitude, longitude));
                    }
                }
            }
            prop_assert!(cells.len() <= DOTS_MAX, "{} cells", cells.len());
        }
    }
}
