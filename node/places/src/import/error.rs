//! Why an import stopped.

use std::io;

use super::super::table::InvalidPlace;
use super::csv::ROW_BYTES_MAX;
use super::geojson::FEATURE_BYTES_MAX;
use super::osm_pbf::POINTS_MAX;
use super::report::RowPlace;

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The first line lacks columns that are needed, or has one twice.
    #[error(
        "column `{0}` is missing or there twice: the first line must name the columns, between commas, semicolons or \
         tabs; `name`, `lat` and `lon` are needed, and `id`, `types`, `vicinity` and `source` are optional"
    )]
    Column(&'static str),
    /// The first line is not UTF-8.
    #[error("the first line is not UTF-8")]
    FirstLineNotUtf8,
    /// A row of more than 256 KiB: most likely a quote that is not closed.
    #[error(
        "the row at line {line} has more than {ROW_BYTES_MAX} bytes; is there a quote that is not \
         closed?"
    )]
    RowTooLong {
        /// The line it begins on.
        line: u64,
    },
    /// A feature, or the text around the features, is longer than the limit.
    #[error("the text after feature {feature} has more than {FEATURE_BYTES_MAX} bytes")]
    FeatureTooLong {
        /// The feature before it, from 1; 0 for the start of the file.
        feature: u64,
    },
    /// Coordinates of another kind than latitude and longitude.
    #[error(
        "its coordinates are of the reference system {0}, and only WGS 84 (longitude and latitude in degrees, as RFC \
         7946 has it) can be read; convert it, for instance by `ogr2ogr -t_srs EPSG:4326 converted.geojson FILE`"
    )]
    OtherReferenceSystem(String),
    /// Not JSON, or not GeoJSON.
    #[error("not GeoJSON: {0}")]
    NotGeoJson(String),
    /// Not an OpenStreetMap extract, or a damaged one.
    #[error("not a whole OpenStreetMap extract (.osm.pbf): {0}")]
    NotOsmPbf(String),
    /// An extract that needs more than this program can do.
    #[error("the extract needs `{0}`, which this program does not know")]
    OsmFeature(String),
    /// The outlines of its places have more points than are kept in memory.
    #[error(
        "the outlines of its places have more than {POINTS_MAX} points; split the extract, for \
         instance by region"
    )]
    TooManyPoints,
    /// The table cannot take more; see [`InvalidPlace::Full`].
    #[error("{at}: {full}")]
    Full {
        /// The row that found no room.
        at: RowPlace,
        /// The writer's words.
        full: InvalidPlace,
    },
    /// The input cannot be read.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
}
