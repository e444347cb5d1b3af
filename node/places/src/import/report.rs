//! The result of an import, with the rows that were wrong.

use std::fmt;

use super::super::table::InvalidPlace;
use super::error::ImportError;

/// How many bad rows a report lists; all are counted.
pub const BAD_ROWS_LISTED_MAX: usize = 100;

/// The result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Rows that became places.
    pub rows_taken: u64,
    /// Rows that were left out.
    pub rows_bad: u64,
    /// The first of those, at most [`BAD_ROWS_LISTED_MAX`].
    pub bad_rows: Vec<BadRow>,
    /// Columns that mean nothing here and were passed over.
    pub columns_unknown: Vec<String>,
}

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Where it is.
    pub at: RowPlace,
    /// The mistake.
    pub reason: BadRowReason,
}

/// Where a row is in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowPlace {
    /// The line that it begins on, from 1.
    Line(u64),
    /// The number of a GeoJSON feature, from 1.
    Feature(u64),
    /// An element of OpenStreetMap, such as `way/5`.
    Element(String),
}

impl fmt::Display for RowPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowPlace::Line(line) => write!(f, "line {line}"),
            RowPlace::Feature(number) => write!(f, "feature {number}"),
            RowPlace::Element(id) => f.write_str(id),
        }
    }
}

/// Why a row was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRowReason {
    /// It has more or fewer fields than the first line.
    #[error("{found} fields where the first line has {expected}")]
    FieldCount {
        /// Fields of the first line.
        expected: usize,
        /// Fields of this row.
        found: usize,
    },
    /// Text in another encoding.
    #[error("not UTF-8")]
    NotUtf8,
    /// JSON, but no feature.
    #[error("not a GeoJSON feature: {0}")]
    NotAFeature(String),
    /// It has no position: no geometry, or one without a point.
    #[error("it has no position")]
    NoPosition,
    /// Its coordinates are of another kind than latitude and longitude.
    #[error(
        "its coordinates are of the reference system {0}, not of WGS 84; convert the file, for instance by `ogr2ogr \
         -t_srs EPSG:4326 converted.geojson FILE`"
    )]
    OtherReferenceSystem(String),
    /// Some of the nodes or ways that it is made of are not in the extract, so its middle is not known.
    #[error("some of its points are not in the file, so its middle is not known")]
    PointsIncomplete,
    /// None of the nodes that it is made of is in the extract.
    #[error("none of its points is in the file")]
    PointsMissing,
    /// Its fields make no place.
    #[error(transparent)]
    Place(#[from] InvalidPlace),
}

impl ImportReport {
    /// Counts a row that was taken or left out.
    pub(super) fn note(
        &mut self,
        at: RowPlace,
        result: Result<(), BadRowReason>,
    ) -> Result<(), ImportError> {
        match result {
            Ok(()) => self.rows_taken += 1,
            Err(BadRowReason::Place(full @ InvalidPlace::Full)) => {
                return Err(ImportError::Full { at, full });
            }
            Err(reason) => {
                self.rows_bad += 1;
                if self.bad_rows.len() < BAD_ROWS_LISTED_MAX {
                    self.bad_rows.push(BadRow { at, reason });
                }
            }
        }
        Ok(())
    }
}
