//! A location to within some metres, in five bytes: enough to find a record by where it is.

use std::fmt;

/// The number of bits of a row of the lattice. Rows are counted from the south pole to the north pole.
pub const QUANTIZED_ROW_BITS: u32 = 19;

/// The number of bits of a column of the lattice. Columns are counted from 180 degrees west eastwards. A column is as
/// wide in degrees as a row is high.
pub const QUANTIZED_COLUMN_BITS: u32 = 20;

/// The number of decimals of degrees that count; the others are cut off.
pub(crate) const DEGREE_DECIMALS: usize = 7;

const UNITS_PER_DEGREE: i64 = 10_i64.pow(DEGREE_DECIMALS as u32);
const LATITUDE_UNITS_MAX: i64 = 90 * UNITS_PER_DEGREE;
const LONGITUDE_UNITS_MAX: i64 = 180 * UNITS_PER_DEGREE;

/// The knot of a lattice of 38 m that a location lies at: the row and the column whose southern and western edges are the
/// next ones.
///
/// Decimals of degrees beyond the seventh are cut off first, so a location may lie up to 1e-7 degrees (11 mm) beyond the
/// edges of its row and column. Longitudes of -180 and +180 degrees are one column.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct QuantizedLocation {
    /// Row and column as one number of 39 bits; the highest bit of the five bytes is not set.
    bytes: [u8; 5],
}

/// The knot that a record without a location has in its place, where nobody asks for it.
pub(crate) const NOWHERE: QuantizedLocation = QuantizedLocation { bytes: [0; 5] };

impl QuantizedLocation {
    /// Of degrees with [`DEGREE_DECIMALS`] decimals, as whole numbers.
    pub(crate) fn of_units(latitude: i64, longitude: i64) -> Self {
        let rows_max = (1 << QUANTIZED_ROW_BITS) - 1;
        let row =
            ((latitude + LATITUDE_UNITS_MAX) << QUANTIZED_ROW_BITS) / (2 * LATITUDE_UNITS_MAX);
        let east = if longitude == LONGITUDE_UNITS_MAX {
            0
        } else {
            longitude + LONGITUDE_UNITS_MAX
        };
        let column = (east << QUANTIZED_COLUMN_BITS) / (2 * LONGITUDE_UNITS_MAX);
        // Both are not negative, for the degrees are within their bounds. The north pole belongs to the last row.
        QuantizedLocation::new(row.min(rows_max) as u32, column as u32)
    }

    /// The knot of this row and this column, counted from the south pole and from 180 degrees west. Bits beyond
    /// [`QUANTIZED_ROW_BITS`] and [`QUANTIZED_COLUMN_BITS`] are left out.
    #[must_use]
    pub fn new(row: u32, column: u32) -> Self {
        let row = u64::from(row) & ((1 << QUANTIZED_ROW_BITS) - 1);
        let column = u64::from(column) & ((1 << QUANTIZED_COLUMN_BITS) - 1);
        let [a, b, c, d, e, ..] = (row << QUANTIZED_COLUMN_BITS | column).to_le_bytes();
        QuantizedLocation {
            bytes: [a, b, c, d, e],
        }
    }

    /// The row, from the south.
    #[must_use]
    #[inline]
    pub fn row(self) -> u32 {
        (self.number() >> QUANTIZED_COLUMN_BITS) as u32
    }

    /// The column, from 180 degrees west.
    #[must_use]
    #[inline]
    pub fn column(self) -> u32 {
        (self.number() & ((1 << QUANTIZED_COLUMN_BITS) - 1)) as u32
    }

    #[inline]
    fn number(self) -> u64 {
        let [a, b, c, d, e] = self.bytes;
        u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
    }
}

impl fmt::Debug for QuantizedLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}, column {}", self.row(), self.column())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Location;

    fn of(text: &str) -> (u32, u32) {
        let quantized = Location::parse(text.as_bytes()).unwrap().quantized();
        (quantized.row(), quantized.column())
    }

    #[test]
    fn edges_poles_and_the_antimeridian_have_their_place() {
        let (rows, columns) = (1 << QUANTIZED_ROW_BITS, 1 << QUANTIZED_COLUMN_BITS);
        for (text, expected) in [
            ("-90-180", (0, 0)),
            ("-90.000+180.0", (0, 0)),
            ("+90-180", (rows - 1, 0)),
            ("+0+0", (rows / 2, columns / 2)),
            ("-0-0", (rows / 2, columns / 2)),
            ("-0.0000001-0.0000001", (rows / 2 - 1, columns / 2 - 1)),
            // Beyond the seventh decimal nothing is seen.
            ("-0.00000009-0.00000009", (rows / 2, columns / 2)),
            ("+45+90", (rows / 4 * 3, columns / 4 * 3)),
            (
                "+00000000000000000000000045.000+90",
                (rows / 4 * 3, columns / 4 * 3),
            ),
            ("+89.9999999+179.9999999999", (rows - 1, columns - 1)),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_location_lies_within_its_row_and_column(
            latitude in -90_i32..90,
            longitude in -180_i32..180,
            fraction in "[0-9]{1,12}",
        ) {
            let text = format!("{latitude:+}.{fraction}{longitude:+}.{fraction}");
            let Ok(location) = Location::parse(text.as_bytes()) else {
                return Ok(());
            };
            let quantized = location.quantized();
            let step = 180.0 / f64::from(1 << QUANTIZED_ROW_BITS);
            let south = f64::from(quantized.row()) * step - 90.0;
            let west = f64::from(quantized.column()) * step - 180.0;
            let at = location.coordinates();
            for (edge, degrees) in [(south, at.latitude_degrees), (west, at.longitude_degrees)] {
                prop_assert!(edge - 1.1e-7 <= degrees && degrees < edge + step + 1.1e-7, "{}", text);
            }
        }

        #[test]
        fn rows_and_columns_come_back(row in 0_u32..1 << 19, column in 0_u32..1 << 20) {
            let quantized = QuantizedLocation::new(row, column);
            prop_assert_eq!((quantized.row(), quantized.column()), (row, column));
        }
    }
}
