//! Makes tables of places from files: CSV, GeoJSON and OpenStreetMap extracts.

mod bounded_read;
mod csv;
mod derived_id;
mod error;
mod extent;
mod format;
mod geojson;
mod osm_pbf;
mod report;

pub use csv::import_csv;
pub use error::ImportError;
pub use format::ImportFormat;
pub use geojson::import_geojson;
pub use osm_pbf::{import_osm_pbf, osm_source};
pub use report::{BAD_ROWS_LISTED_MAX, BadRow, BadRowReason, ImportReport, RowPlace};
