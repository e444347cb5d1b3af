//! Makes a table. The same places in any order give the same bytes: rows are sorted, and all else
//! follows from their order.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::super::source::{SOURCES_MAX, Source};
use super::super::sphere::{LATITUDE_UNITS_MAX, LONGITUDE_UNITS_MAX, to_units};
use super::error::TableError;
use super::layout::{
    BAND_HEIGHT_UNITS, CHECKED_OFFSET, CHECKSUM_OFFSET, FORMAT_VERSION, HEADER_BYTES, MAGIC,
    SECTION_ENTRY_BYTES, SECTIONS, SOURCES_BYTES_MAX, band_count, band_of,
};

/// The longest id without its source's prefix, in bytes: its length is one byte.
const ID_BYTES_MAX: usize = 255;
const NAME_BYTES_MAX: usize = 1024;
const VICINITY_BYTES_MAX: usize = 1024;
const TYPES_MAX: usize = 32;
const TYPE_BYTES_MAX: usize = 64;

/// A place to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewPlace<'a> {
    /// Its id, with the prefix of its source.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Degrees north; kept to 1e-7 degrees.
    pub latitude_degrees: f64,
    /// Degrees east; kept to 1e-7 degrees.
    pub longitude_degrees: f64,
    /// Its types, maybe none.
    pub types: &'a [&'a str],
    /// The region that it lies in or its address; empty for nothing.
    pub vicinity: &'a str,
    /// The number of its source in the list that the writer was made with.
    pub source_index: usize,
}

/// Why a place cannot be written. The writer is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// No id, one that is too long, or white space or control characters in it.
    #[error("id is empty, longer than {ID_BYTES_MAX} bytes, or has blanks in it")]
    Id,
    /// The id does not begin as its source says that its ids do.
    #[error("id does not begin with `{prefix}`, as ids of its source do")]
    IdPrefix {
        /// The prefix of the source.
        prefix: String,
    },
    /// Another place has the id.
    #[error("id is that of an earlier place")]
    Duplicate,
    /// No name, one that is too long, or control characters in it.
    #[error("name is empty, longer than {NAME_BYTES_MAX} bytes, or has control characters in it")]
    Name,
    /// Not a number from -90 to 90.
    #[error("latitude is not a number from -90 to 90")]
    Latitude,
    /// Not a number from -180 to 180.
    #[error("longitude is not a number from -180 to 180")]
    Longitude,
    /// Too many types, one that is empty or too long, or one with a blank, comma or control
    /// character in it.
    #[error(
        "types are more than {TYPES_MAX}, or one is empty, longer than {TYPE_BYTES_MAX} bytes, or \
         has blanks or commas in it"
    )]
    Types,
    /// Too long, or control characters in it.
    #[error("vicinity is longer than {VICINITY_BYTES_MAX} bytes, or has control characters in it")]
    Vicinity,
    /// There is no such source.
    #[error("source is not in the list of sources")]
    Source,
    /// More than a file of this format can hold: 4 GiB of texts.
    #[error("table is full; split the input into several tables")]
    Full,
}

/// Collects places and makes a table of them. It holds 24 bytes and the texts of each place, and a
/// hash table of ids; nothing is allocated per place.
pub struct TableWriter {
    sources: Vec<Source>,
    rows: Vec<TableRow>,
    /// Local id and name of each row, one after the other.
    texts: Vec<u8>,
    type_sets: Interner,
    vicinities: Interner,
    /// Row numbers by id.
    ids: HashTable<u32>,
    hasher: RandomState,
}

#[derive(Clone, Copy)]
struct TableRow {
    latitude: i32,
    longitude: i32,
    text_start: u32,
    type_set: u32,
    /// 0 for none, else one more than its number.
    vicinity: u32,
    name_bytes: u16,
    id_bytes: u8,
    source: u8,
}

impl TableWriter {
    /// A writer without places.
    ///
    /// # Errors
    /// If the sources are more than a table can name, or too long.
    pub fn new(sources: Vec<Source>) -> Result<Self, TableError> {
        if sources.len() > SOURCES_MAX || sources_json(&sources)?.len() > SOURCES_BYTES_MAX {
            return Err(TableError::TooManySources);
        }
        Ok(TableWriter {
            sources,
            rows: Vec::new(),
            texts: Vec::new(),
            type_sets: Interner::default(),
            vicinities: Interner::default(),
            ids: HashTable::new(),
            hasher: RandomState::new(),
        })
    }

    /// The sources that it was made with.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Takes in a place.
    ///
    /// # Errors
    /// If the place is invalid; then the table does not change.
    pub fn add(&mut self, place: &NewPlace<'_>) -> Result<(), InvalidPlace> {
        let source = self.sources.get(place.source_index);
        let source = source.ok_or(InvalidPlace::Source)?;
        let Some(local_id) = place.id.strip_prefix(source.id_prefix.as_str()) else {
            let prefix = source.id_prefix.clone();
            return Err(InvalidPlace::IdPrefix { prefix });
        };
        check_place(place, local_id)?;
        let latitude = to_units(place.latitude_degrees, LATITUDE_UNITS_MAX);
        let longitude = to_units(place.longitude_degrees, LONGITUDE_UNITS_MAX);
        let (latitude, longitude) = (
            latitude.ok_or(InvalidPlace::Latitude)?,
            longitude.ok_or(InvalidPlace::Longitude)?,
        );
        let hash = self.hasher.hash_one((source.id_prefix.as_str(), local_id));
        let same = |&row: &u32| self.is_row(row, &source.id_prefix, local_id);
        if self.ids.find(hash, same).is_some() {
            return Err(InvalidPlace::Duplicate);
        }

        let full = |_| InvalidPlace::Full;
        let number = u32::try_from(self.rows.len()).map_err(full)?;
        let text_start = u32::try_from(self.texts.len()).map_err(full)?;
        // Details are at most 12 bytes longer than texts, which the final size check covers.
        let row = TableRow {
            latitude,
            longitude,
            text_start,
            type_set: self
                .type_sets
                .number_of(&place.types.join(","), &self.hasher),
            vicinity: match place.vicinity {
                "" => 0,
                vicinity => self.vicinities.number_of(vicinity, &self.hasher) + 1,
            },
            name_bytes: u16::try_from(place.name.len()).map_err(full)?,
            id_bytes: u8::try_from(local_id.len()).map_err(full)?,
            source: u8::try_from(place.source_index).map_err(full)?,
        };
        self.texts.extend_from_slice(local_id.as_bytes());
        self.texts.extend_from_slice(place.name.as_bytes());
        self.rows.push(row);
        let (rows, texts, sources) = (&self.rows, &self.texts, &self.sources);
        let hasher = &self.hasher;
        self.ids.insert_unique(hash, number, |&other| {
            let row = rows.get(other as usize);
            let prefix = row.map_or("", |row| row.prefix(sources));
            let id = row.and_then(|row| std::str::from_utf8(row.id(texts)).ok());
            hasher.hash_one((prefix, id.unwrap_or_default()))
        });
        Ok(())
    }

    /// How many places it has.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Sorts the places and makes the file.
    ///
    /// # Errors
    /// If the table would be larger than the format can hold.
    pub fn finish(mut self) -> Result<Vec<u8>, TableError> {
        let (texts, sources) = (&self.texts, &self.sources);
        self.rows.sort_unstable_by(|a, b| {
            let band = |row: &TableRow| band_of(row.latitude, BAND_HEIGHT_UNITS);
            (band(a), a.longitude, a.latitude)
                .cmp(&(band(b), b.longitude, b.latitude))
                .then_with(|| a.prefix(sources).cmp(b.prefix(sources)))
                .then_with(|| a.id(texts).cmp(b.id(texts)))
                .then_with(|| a.source.cmp(&b.source))
        });
        let (type_sets, type_numbers) =
            self.in_order_of_use(&self.type_sets, |row| Some(row.type_set));
        let (vicinities, vicinity_numbers) =
            self.in_order_of_use(&self.vicinities, |row| row.vicinity.checked_sub(1));
        let mut starts = Vec::with_capacity(4 * (self.rows.len() + 1));
        let mut details = Vec::with_capacity(self.texts.len() + 8 * self.rows.len());
        for row in &self.rows {
            push_length(&mut starts, details.len())?;
            let number = |numbers: &[u32], old: u32| numbers.get(old as usize).copied();
            details.push(row.source);
            push_varint(
                &mut details,
                number(&type_numbers, row.type_set).unwrap_or(0),
            );
            let vicinity = row.vicinity.checked_sub(1);
            let vicinity = vicinity.and_then(|old| number(&vicinity_numbers, old));
            push_varint(&mut details, vicinity.map_or(0, |new| new + 1));
            details.push(row.id_bytes);
            details.extend_from_slice(row.id(&self.texts));
            details.extend_from_slice(row.name(&self.texts));
        }
        push_length(&mut starts, details.len())?;

        let column = |value: fn(&TableRow) -> i32| -> Vec<u8> {
            self.rows
                .iter()
                .flat_map(|row| value(row).to_le_bytes())
                .collect()
        };
        // In the order of `SECTIONS`.
        let sections = [
            self.band_starts()?,
            column(|row| row.latitude),
            column(|row| row.longitude),
            starts,
            details,
            string_list(&type_sets)?,
            string_list(&vicinities)?,
            sources_json(&self.sources)?,
        ];
        let rows = u32::try_from(self.rows.len()).map_err(|_| too_large())?;
        Ok(assemble(rows, &sections))
    }

    fn is_row(&self, row: u32, prefix: &str, local_id: &str) -> bool {
        self.rows.get(row as usize).is_some_and(|row| {
            row.prefix(&self.sources) == prefix && row.id(&self.texts) == local_id.as_bytes()
        })
    }

    /// The texts of an interner in the order in which sorted rows use them, and for each of its
    /// numbers the new one: neighbours then share pages, and the order of the input leaves no trace.
    fn in_order_of_use<'a>(
        &self,
        interner: &'a Interner,
        number_of: impl Fn(&TableRow) -> Option<u32>,
    ) -> (Vec<&'a str>, Vec<u32>) {
        let mut texts = Vec::with_capacity(interner.texts.len());
        let mut numbers = vec![u32::MAX; interner.texts.len()];
        for old in self.rows.iter().filter_map(number_of) {
            let text = interner.texts.get(old as usize);
            if let (Some(new), Some(text)) = (numbers.get_mut(old as usize), text)
                && *new == u32::MAX
            {
                *new = texts.len() as u32;
                texts.push(&**text);
            }
        }
        (texts, numbers)
    }

    fn band_starts(&self) -> Result<Vec<u8>, TableError> {
        let mut bands = Vec::new();
        for band in 0..=band_count(BAND_HEIGHT_UNITS) {
            let before = |row: &TableRow| band_of(row.latitude, BAND_HEIGHT_UNITS) < band;
            push_length(&mut bands, self.rows.partition_point(before))?;
        }
        Ok(bands)
    }
}

impl TableRow {
    fn prefix<'a>(&self, sources: &'a [Source]) -> &'a str {
        let source = sources.get(usize::from(self.source));
        source.map_or("", |source| source.id_prefix.as_str())
    }

    fn id<'a>(&self, texts: &'a [u8]) -> &'a [u8] {
        let start = self.text_start as usize;
        texts
            .get(start..start + usize::from(self.id_bytes))
            .unwrap_or_default()
    }

    fn name<'a>(&self, texts: &'a [u8]) -> &'a [u8] {
        let start = self.text_start as usize + usize::from(self.id_bytes);
        texts
            .get(start..start + usize::from(self.name_bytes))
            .unwrap_or_default()
    }
}

/// Gives each distinct text a number.
#[derive(Default)]
struct Interner {
    texts: Vec<Box<str>>,
    numbers: HashTable<u32>,
}

impl Interner {
    fn number_of(&mut self, text: &str, hasher: &RandomState) -> u32 {
        let hash = hasher.hash_one(text);
        let texts = &self.texts;
        let at = |number: u32| texts.get(number as usize).map_or("", |text| &**text);
        if let Some(&number) = self.numbers.find(hash, |&number| at(number) == text) {
            return number;
        }
        // Each text belongs to a row, and rows are numbered in a u32.
        let number = self.texts.len() as u32;
        self.numbers
            .insert_unique(hash, number, |&other| hasher.hash_one(at(other)));
        self.texts.push(text.into());
        number
    }
}

fn check_place(place: &NewPlace<'_>, local_id: &str) -> Result<(), InvalidPlace> {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    if local_id.is_empty() || local_id.len() > ID_BYTES_MAX || place.id.contains(blank) {
        return Err(InvalidPlace::Id);
    }
    let (name, vicinity) = (place.name, place.vicinity);
    if name.trim().is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        return Err(InvalidPlace::Name);
    }
    if vicinity.len() > VICINITY_BYTES_MAX || vicinity.contains(char::is_control) {
        return Err(InvalidPlace::Vicinity);
    }
    let word = |word: &&str| {
        let fits = !word.is_empty() && word.len() <= TYPE_BYTES_MAX;
        fits && !word.contains(|c| c == ',' || blank(c))
    };
    if place.types.len() > TYPES_MAX || !place.types.iter().all(word) {
        return Err(InvalidPlace::Types);
    }
    Ok(())
}

fn assemble(row_count: u32, sections: &[Vec<u8>; SECTIONS.len()]) -> Vec<u8> {
    let mut offset = (HEADER_BYTES + sections.len() * SECTION_ENTRY_BYTES) as u64;
    let total = offset
        + sections
            .iter()
            .map(|section| section.len() as u64)
            .sum::<u64>();
    let mut file = Vec::new();
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    file.extend_from_slice(&[0; CHECKED_OFFSET - CHECKSUM_OFFSET]);
    file.extend_from_slice(&total.to_le_bytes());
    file.extend_from_slice(&row_count.to_le_bytes());
    file.extend_from_slice(&BAND_HEIGHT_UNITS.to_le_bytes());
    file.extend_from_slice(&(sections.len() as u32).to_le_bytes());
    for (kind, section) in SECTIONS.iter().zip(sections) {
        file.extend_from_slice(&(*kind as u32).to_le_bytes());
        file.extend_from_slice(&offset.to_le_bytes());
        file.extend_from_slice(&(section.len() as u64).to_le_bytes());
        offset += section.len() as u64;
    }
    for section in sections {
        file.extend_from_slice(section);
    }
    let checksum = crc32fast::hash(file.get(CHECKED_OFFSET..).unwrap_or_default());
    if let Some(place) = file.get_mut(CHECKSUM_OFFSET..CHECKED_OFFSET) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
    file
}

fn string_list(texts: &[&str]) -> Result<Vec<u8>, TableError> {
    let mut list = Vec::new();
    push_length(&mut list, texts.len())?;
    let mut end = 0;
    push_length(&mut list, end)?;
    for text in texts {
        end += text.len();
        push_length(&mut list, end)?;
    }
    for text in texts {
        list.extend_from_slice(text.as_bytes());
    }
    Ok(list)
}

fn push_length(column: &mut Vec<u8>, length: usize) -> Result<(), TableError> {
    let length = u32::try_from(length).map_err(|_| too_large())?;
    column.extend_from_slice(&length.to_le_bytes());
    Ok(())
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn sources_json(sources: &[Source]) -> Result<Vec<u8>, TableError> {
    serde_json::to_vec(sources).map_err(|error| TableError::Sources {
        reason: error.to_string(),
    })
}

fn too_large() -> TableError {
    TableError::TooLarge
}
