//! Numbers of the file format, for its reader and its writer.
//!
//! All integers are little-endian. The header:
//!
//! | offset | type | content |
//! |---|---|---|
//! | 0 | 8 bytes | [`MAGIC`] |
//! | 8 | u32 | [`FORMAT_VERSION`] |
//! | 12 | u32 | CRC-32 of everything from offset 16 to the end |
//! | 16 | u64 | length of the whole file in bytes |
//! | 24 | u32 | number of places |
//! | 28 | u32 | height of a band in units of latitude |
//! | 32 | u32 | number of sections |
//! | 36 | 20 bytes each | sections: kind u32, offset u64, length u64 |

use super::super::sphere::LATITUDE_UNITS_MAX;

pub(super) const MAGIC: [u8; 8] = *b"HERDPLAC";

/// The format that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

pub(super) const CHECKSUM_OFFSET: usize = 12;
/// The bytes that the checksum covers begin here.
pub(super) const CHECKED_OFFSET: usize = 16;
pub(super) const HEADER_BYTES: usize = 36;
pub(super) const SECTION_ENTRY_BYTES: usize = 20;
/// More sections than any writer makes: a damaged count is told at once.
pub(super) const SECTIONS_MAX: u32 = 64;
/// The longest list of sources, in bytes of JSON. It is the only part that opening parses.
pub(super) const SOURCES_BYTES_MAX: usize = 256 * 1024;

/// Half a degree, 55.6 km. `docs/places.md` has measurements of other heights.
pub(super) const BAND_HEIGHT_UNITS: u32 = 5_000_000;

/// The content of a section. A reader skips kinds that it does not know, so that columns can be added without a new
/// format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Section {
    /// u32 per band and one more: the first row of each band, then the number of rows.
    Bands = 1,
    /// i32 per row: latitude in units of 1e-7 degrees.
    Latitudes = 2,
    /// i32 per row: longitude in units of 1e-7 degrees, rising within a band.
    Longitudes = 3,
    /// u32 per row and one more: where each row's details begin and end in `Details`.
    DetailStarts = 4,
    /// Per row: source u8, type set varint, vicinity varint (0 for none), length of the id without
    /// its source's prefix u8, that id, and the name up to the end.
    Details = 5,
    /// String list: distinct sets of types, joined by commas.
    TypeSets = 6,
    /// String list: distinct vicinities.
    Vicinities = 7,
    /// JSON: the list of sources.
    Sources = 8,
}

pub(super) const SECTIONS: [Section; 8] = [
    Section::Bands,
    Section::Latitudes,
    Section::Longitudes,
    Section::DetailStarts,
    Section::Details,
    Section::TypeSets,
    Section::Vicinities,
    Section::Sources,
];

/// How many bands cover all latitudes; `band_height_units` is not 0.
pub(super) fn band_count(band_height_units: u32) -> u32 {
    (2 * LATITUDE_UNITS_MAX.unsigned_abs()).div_ceil(band_height_units)
}

/// The band of a latitude; beyond a pole, the band at that pole.
pub(super) fn band_of(latitude_units: i32, band_height_units: u32) -> u32 {
    let clamped = latitude_units.clamp(-LATITUDE_UNITS_MAX, LATITUDE_UNITS_MAX);
    let above_south_pole = (clamped + LATITUDE_UNITS_MAX).unsigned_abs();
    (above_south_pole / band_height_units).min(band_count(band_height_units) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_the_sphere() {
        assert_eq!(band_count(BAND_HEIGHT_UNITS), 360);
        assert_eq!(band_of(i32::MIN, BAND_HEIGHT_UNITS), 0);
        assert_eq!(band_of(-LATITUDE_UNITS_MAX, BAND_HEIGHT_UNITS), 0);
        assert_eq!(band_of(-1, BAND_HEIGHT_UNITS), 179);
        assert_eq!(band_of(0, BAND_HEIGHT_UNITS), 180);
        assert_eq!(band_of(LATITUDE_UNITS_MAX, BAND_HEIGHT_UNITS), 359);
        assert_eq!(band_of(i32::MAX, u32::MAX), 0);
    }
}
