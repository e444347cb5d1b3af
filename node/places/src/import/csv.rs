//! Reads places from CSV into a table.
//!
//! The first line names the columns: `name`, `lat` and `lon` are needed; `id`, `types` (words joined by `;`), `vicinity`
//! and `source` (the key of a source) are optional; others are passed over. `latitude`, `longitude`, `lng` and `long`
//! are other names of these, in any case. Columns are separated by commas, semicolons or tabs, and degrees may have a
//! decimal comma.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

use csv::{ByteRecord, Reader, ReaderBuilder};

use herd_files::byte_order_mark;

use super::super::table::{InvalidPlace, NewPlace, TableWriter};
use super::bounded_read::{Allowance, BoundedRead};
use super::derived_id::derived_id;
use super::error::ImportError;
use super::report::{BadRowReason, ImportReport, RowPlace};

/// The longest row, in bytes. A quote that is not closed would otherwise read the whole file into
/// one row.
pub(super) const ROW_BYTES_MAX: usize = 256 * 1024;

/// Reads all rows of `input` into `writer`. Bad rows are left out and reported. Memory grows with
/// the places that were taken, and with nothing else in the input.
///
/// # Errors
/// Says why nothing more can be read; the writer then holds the rows before that.
pub fn import_csv(input: impl Read, writer: &mut TableWriter) -> Result<ImportReport, ImportError> {
    let mut input = BufReader::new(byte_order_mark::skip_in(input)?);
    let first_line = first_line(&mut input)?;
    let separator = separator(&first_line);
    let mut rows = Rows::new(io::Cursor::new(first_line).chain(input), separator);
    let mut row = ByteRecord::new();
    rows.next(&mut row)?;
    let columns = Columns::of(&row)?;
    let source_indexes: HashMap<String, usize> = writer
        .sources()
        .iter()
        .enumerate()
        .map(|(index, source)| (source.key.clone(), index))
        .collect();
    let mut report = ImportReport {
        columns_unknown: columns.unknown.clone(),
        ..ImportReport::default()
    };
    while let Some(line) = rows.next(&mut row)? {
        let result = take_row(&row, &columns, &source_indexes, writer);
        report.note(RowPlace::Line(line), result)?;
    }
    Ok(report)
}

fn take_row(
    row: &ByteRecord,
    columns: &Columns,
    source_indexes: &HashMap<String, usize>,
    writer: &mut TableWriter,
) -> Result<(), BadRowReason> {
    if row.len() != columns.count {
        return Err(BadRowReason::FieldCount {
            expected: columns.count,
            found: row.len(),
        });
    }
    let field = |column: Option<usize>| -> Result<&str, BadRowReason> {
        let bytes = column.and_then(|column| row.get(column));
        let text = std::str::from_utf8(bytes.unwrap_or_default());
        Ok(text.map_err(|_| BadRowReason::NotUtf8)?.trim())
    };
    let degrees = |column| -> Result<f64, BadRowReason> { Ok(degrees_of(field(Some(column))?)) };
    let types: Vec<&str> = match field(columns.types)? {
        "" => Vec::new(),
        types => types.split(';').map(str::trim).collect(),
    };
    let source_index = match columns.source {
        None => 0,
        Some(_) => match source_indexes.get(field(columns.source)?) {
            Some(&index) => index,
            None => return Err(InvalidPlace::Source.into()),
        },
    };
    let (latitude_degrees, longitude_degrees) =
        (degrees(columns.latitude)?, degrees(columns.longitude)?);
    let name = field(Some(columns.name))?;
    let position = (latitude_degrees, longitude_degrees);
    let prefix = || {
        writer
            .sources()
            .get(source_index)
            .map_or("", |source| &source.id_prefix)
    };
    let id = match field(columns.id)? {
        "" => derived_id(prefix(), position, name),
        id => id.to_owned(),
    };
    let place = NewPlace {
        id: &id,
        name,
        latitude_degrees,
        longitude_degrees,
        types: &types,
        vicinity: field(columns.vicinity)?,
        source_index,
    };
    Ok(writer.add(&place)?)
}

/// The first line with its end, or as much of it as a row may have.
fn first_line(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    input
        .take(ROW_BYTES_MAX as u64)
        .read_until(b'\n', &mut line)?;
    Ok(line)
}

/// The byte between columns: the most frequent one of the first line, a comma if there is none.
fn separator(first_line: &[u8]) -> u8 {
    let count = |separator: u8| first_line.iter().filter(|byte| **byte == separator).count();
    // Of equal counts the last one wins.
    let found = [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|separator| count(*separator));
    found.unwrap_or(b',')
}

/// Degrees with a decimal point or comma. Text that is not a number becomes a number out of every range.
fn degrees_of(text: &str) -> f64 {
    let number = text.parse().ok();
    let number = number.or_else(|| text.replacen(',', ".", 1).parse().ok());
    number.unwrap_or(f64::NAN)
}

/// The name of a column as it is known here.
fn column_name(name: &str) -> String {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "latitude" => "lat".to_owned(),
        "longitude" | "lng" | "long" => "lon".to_owned(),
        _ => name,
    }
}

/// The columns of a row.
struct Columns {
    count: usize,
    id: Option<usize>,
    name: usize,
    latitude: usize,
    longitude: usize,
    types: Option<usize>,
    vicinity: Option<usize>,
    source: Option<usize>,
    unknown: Vec<String>,
}

impl Columns {
    fn of(first_line: &ByteRecord) -> Result<Self, ImportError> {
        let mut names = Vec::new();
        let mut written = Vec::new();
        for field in first_line {
            let name = std::str::from_utf8(field).map_err(|_| ImportError::FirstLineNotUtf8)?;
            names.push(column_name(name));
            written.push(name.trim());
        }
        let optional = |wanted: &'static str| {
            let mut places = names
                .iter()
                .enumerate()
                .filter(|(_, name)| **name == *wanted);
            match (places.next(), places.next()) {
                (found, None) => Ok(found.map(|(index, _)| index)),
                _ => Err(ImportError::Column(wanted)),
            }
        };
        let needed = |wanted| optional(wanted)?.ok_or(ImportError::Column(wanted));
        let known = ["id", "name", "lat", "lon", "types", "vicinity", "source"];
        Ok(Columns {
            count: names.len(),
            id: optional("id")?,
            name: needed("name")?,
            latitude: needed("lat")?,
            longitude: needed("lon")?,
            types: optional("types")?,
            vicinity: optional("vicinity")?,
            source: optional("source")?,
            unknown: names
                .iter()
                .zip(written)
                .filter(|(name, _)| !known.contains(&name.as_str()))
                .map(|(_, written)| written.to_owned())
                .collect(),
        })
    }
}

/// The rows of a file, none longer than [`ROW_BYTES_MAX`].
struct Rows<R> {
    reader: Reader<BoundedRead<R>>,
    allowance: Allowance,
}

impl<R: Read> Rows<R> {
    fn new(input: R, separator: u8) -> Self {
        let (counted, allowance) = BoundedRead::new(input, ROW_BYTES_MAX);
        let mut builder = ReaderBuilder::new();
        // The first line is read like any other, and field counts are checked here.
        builder
            .has_headers(false)
            .flexible(true)
            .delimiter(separator);
        Rows {
            reader: builder.from_reader(counted),
            allowance,
        }
    }

    /// Reads the next row; the line that it begins on, or `None` at the end.
    fn next(&mut self, row: &mut ByteRecord) -> Result<Option<u64>, ImportError> {
        self.allowance.grant(ROW_BYTES_MAX);
        let line = self.reader.position().line();
        match self.reader.read_byte_record(row) {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(row.position().map_or(line, csv::Position::line))),
            Err(_) if self.allowance.is_spent() => Err(ImportError::RowTooLong { line }),
            Err(error) => Err(ImportError::Io(error.into())),
        }
    }
}

#[cfg(test)]
mod tests;
