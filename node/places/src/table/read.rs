//! Reads a table in place. Opening checks the frame of the file; every access checks its own bounds,
//! so that no damage to a file can do worse than leave places out.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;

use super::super::source::{SOURCES_MAX, Source};
use super::super::sphere::to_degrees;
use super::error::{TableError, damaged};
use super::layout::{
    CHECKSUM_OFFSET, FORMAT_VERSION, HEADER_BYTES, MAGIC, SECTION_ENTRY_BYTES, SECTIONS,
    SECTIONS_MAX, SOURCES_BYTES_MAX, Section, band_count,
};

/// An open table. The bytes may be a part of the program or of the heap.
#[derive(Clone, Debug)]
pub struct Table {
    bytes: Bytes,
    row_count: u32,
    pub(super) band_height_units: u32,
    ranges: [Range<usize>; SECTIONS.len()],
    sources: Vec<Source>,
}

/// One place of a table.
#[derive(Clone, Copy, Debug)]
pub struct PlaceRow<'a> {
    /// Where it comes from.
    pub source: &'a Source,
    /// The number of its source in [`Table::sources`].
    pub source_index: usize,
    /// Its id without the prefix of its source.
    pub local_id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its types: words joined by commas, maybe none.
    pub types: &'a str,
    /// The region that it lies in or its address.
    pub vicinity: Option<&'a str>,
    /// Degrees north.
    pub latitude_degrees: f64,
    /// Degrees east.
    pub longitude_degrees: f64,
}

impl Table {
    /// Opens a table: checks its header, its length and where its sections lie. That takes microseconds for any size;
    /// [`Table::verify`] reads all of it.
    ///
    /// # Errors
    /// If the bytes are not a table, are of a later format, or are cut off or damaged.
    pub fn open(bytes: Bytes) -> Result<Self, TableError> {
        if bytes.get(..MAGIC.len()) != Some(&MAGIC) {
            return Err(TableError::NotATable);
        }
        let cut_off = damaged("the header is cut off");
        let version = u32_at(&bytes, 8).ok_or(cut_off.clone())?;
        if version > FORMAT_VERSION {
            return Err(TableError::NewerFormat { found: version });
        }
        if version == 0 {
            return Err(damaged("format 0 does not exist"));
        }
        let expected = u64_at(&bytes, 16).ok_or(cut_off.clone())?;
        let found = bytes.len() as u64;
        if expected != found {
            return Err(TableError::Length { expected, found });
        }
        let row_count = u32_at(&bytes, 24).ok_or(cut_off.clone())?;
        let band_height_units = u32_at(&bytes, 28).ok_or(cut_off.clone())?;
        if band_height_units == 0 {
            return Err(damaged("bands have no height"));
        }
        let section_count = u32_at(&bytes, 32).ok_or(cut_off)?;
        let ranges = section_ranges(&bytes, section_count)?;

        let mut table = Table {
            bytes,
            row_count,
            band_height_units,
            ranges,
            sources: Vec::new(),
        };
        table.check_lengths()?;
        table.sources = table.read_sources()?;
        Ok(table)
    }

    /// How many places it has.
    #[must_use]
    pub fn row_count(&self) -> u32 {
        self.row_count
    }

    /// How long it is, in bytes.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// The CRC-32 that its header holds.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        u32_at(&self.bytes, CHECKSUM_OFFSET).unwrap_or_default()
    }

    /// Where its places come from.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// One place, or `None` if there is no such row or it is damaged.
    #[must_use]
    pub fn place(&self, row: u32) -> Option<PlaceRow<'_>> {
        let details = self.details(row)?;
        let (&source_index, rest) = details.split_first()?;
        let (type_set, rest) = take_varint(rest)?;
        let (vicinity, rest) = take_varint(rest)?;
        let (&id_bytes, rest) = rest.split_first()?;
        let (local_id, name) = rest.split_at_checked(usize::from(id_bytes))?;
        let source_index = usize::from(source_index);
        Some(PlaceRow {
            source: self.sources.get(source_index)?,
            source_index,
            local_id: std::str::from_utf8(local_id).ok()?,
            name: std::str::from_utf8(name).ok()?,
            types: self.string(Section::TypeSets, type_set)?,
            vicinity: match vicinity.checked_sub(1) {
                None => None,
                Some(index) => Some(self.string(Section::Vicinities, index)?),
            },
            latitude_degrees: to_degrees(self.latitude_units(row)?),
            longitude_degrees: to_degrees(self.longitude_units(row)?),
        })
    }

    /// The distinct sets of types, each joined by commas.
    pub fn type_sets(&self) -> impl Iterator<Item = &str> {
        let count = u32_at(self.section(Section::TypeSets), 0).unwrap_or_default();
        (0..count).map_while(|index| self.string(Section::TypeSets, index))
    }

    pub(super) fn latitude_units(&self, row: u32) -> Option<i32> {
        Some(u32_nth(self.section(Section::Latitudes), row)?.cast_signed())
    }

    pub(super) fn longitude_units(&self, row: u32) -> Option<i32> {
        Some(u32_nth(self.section(Section::Longitudes), row)?.cast_signed())
    }

    /// The rows of a band; empty if there is no such band or its bounds are damaged.
    pub(super) fn band_rows(&self, band: u32) -> Range<u32> {
        let bands = self.section(Section::Bands);
        let bound = |nth| u32_nth(bands, nth).unwrap_or_default().min(self.row_count);
        let start = bound(band);
        start..bound(band.saturating_add(1)).max(start)
    }

    pub(super) fn section(&self, section: Section) -> &[u8] {
        self.ranges
            .get(section as usize - 1)
            .and_then(|range| self.bytes.get(range.clone()))
            .unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn details(&self, row: u32) -> Option<&[u8]> {
        let starts = self.section(Section::DetailStarts);
        let start = u32_nth(starts, row)? as usize;
        let end = u32_nth(starts, row.checked_add(1)?)? as usize;
        self.section(Section::Details).get(start..end)
    }

    /// A text of a string list: count, then one more bounds than texts, then the texts.
    fn string(&self, section: Section, index: u32) -> Option<&str> {
        let list = self.section(section);
        let count = u32_at(list, 0)?;
        if index >= count {
            return None;
        }
        let (_, bounds) = list.split_at_checked(4)?;
        let texts_offset = (count as usize).checked_add(1)?.checked_mul(4)?;
        let texts = bounds.get(texts_offset..)?;
        let start = u32_nth(bounds, index)? as usize;
        let end = u32_nth(bounds, index.checked_add(1)?)? as usize;
        std::str::from_utf8(texts.get(start..end)?).ok()
    }

    fn check_lengths(&self) -> Result<(), TableError> {
        let rows = self.row_count as usize;
        let bands = band_count(self.band_height_units) as usize;
        for (section, numbers) in [
            (Section::Bands, bands.checked_add(1)),
            (Section::Latitudes, Some(rows)),
            (Section::Longitudes, Some(rows)),
            (Section::DetailStarts, rows.checked_add(1)),
        ] {
            let expected = numbers.and_then(|numbers| numbers.checked_mul(4));
            if Some(self.section(section).len()) != expected {
                return Err(damaged(
                    "a column has another length than the table has rows",
                ));
            }
        }
        Ok(())
    }

    fn read_sources(&self) -> Result<Vec<Source>, TableError> {
        let text = self.section(Section::Sources);
        if text.len() > SOURCES_BYTES_MAX {
            return Err(damaged("the list of sources is too long"));
        }
        let sources: Vec<Source> =
            serde_json::from_slice(text).map_err(|error| TableError::Sources {
                reason: error.to_string(),
            })?;
        if sources.len() > SOURCES_MAX {
            return Err(damaged("there are too many sources"));
        }
        Ok(sources)
    }
}

impl<'a> PlaceRow<'a> {
    /// Its id, with the prefix of its source.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}{}", self.source.id_prefix, self.local_id)
    }

    /// Its types, one by one.
    pub fn type_words(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.types.split(',').filter(|word| !word.is_empty())
    }

    /// Compares ids as bytes.
    pub(super) fn id_order(&self, other: &PlaceRow<'_>) -> Ordering {
        fn bytes<'a>(place: &PlaceRow<'a>) -> impl Iterator<Item = u8> {
            place.source.id_prefix.bytes().chain(place.local_id.bytes())
        }
        bytes(self).cmp(bytes(other))
    }
}

fn section_ranges(bytes: &[u8], count: u32) -> Result<[Range<usize>; SECTIONS.len()], TableError> {
    if count > SECTIONS_MAX {
        return Err(damaged("there are too many sections"));
    }
    let mut ranges: [Option<Range<usize>>; SECTIONS.len()] = Default::default();
    for nth in 0..count as usize {
        let entry = HEADER_BYTES + nth * SECTION_ENTRY_BYTES;
        let cut_off = damaged("the list of sections is cut off");
        let kind = u32_at(bytes, entry).ok_or(cut_off.clone())?;
        let offset = u64_at(bytes, entry + 4).ok_or(cut_off.clone())?;
        let length = u64_at(bytes, entry + 12).ok_or(cut_off)?;
        let Some(place) = SECTIONS
            .iter()
            .position(|&section| section as u32 == kind)
            .and_then(|index| ranges.get_mut(index))
        else {
            continue;
        };
        let end = offset.checked_add(length);
        let range = match (usize::try_from(offset), end.map(usize::try_from)) {
            (Ok(start), Some(Ok(end))) if end <= bytes.len() => start..end,
            _ => return Err(damaged("a section lies beyond the end")),
        };
        if place.replace(range).is_some() {
            return Err(damaged("a section is there twice"));
        }
    }
    let mut found: [Range<usize>; SECTIONS.len()] = Default::default();
    for (to, from) in found.iter_mut().zip(ranges) {
        *to = from.ok_or(damaged("a section is missing"))?;
    }
    Ok(found)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let four = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let eight = bytes.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(eight.try_into().ok()?))
}

/// The nth number of a column.
fn u32_nth(column: &[u8], nth: u32) -> Option<u32> {
    u32_at(column, (nth as usize).checked_mul(4)?)
}

/// An unsigned LEB128 number of at most five bytes, and the bytes after it.
fn take_varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0_u32;
    for (index, &byte) in bytes.iter().enumerate().take(5) {
        let bits = u32::from(byte & 0x7f);
        let shift = 7 * index as u32;
        if index == 4 && bits > 0x0f {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints() {
        assert_eq!(take_varint(&[0x05, 9]), Some((5, &[9][..])));
        assert_eq!(take_varint(&[0x80, 0x01]), Some((128, &[][..])));
        let greatest = [0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(take_varint(&greatest), Some((u32::MAX, &[][..])));
        assert_eq!(take_varint(&[0xff, 0xff, 0xff, 0xff, 0x1f]), None);
        assert_eq!(take_varint(&[0x80; 9]), None);
        assert_eq!(take_varint(&[]), None);
    }
}
