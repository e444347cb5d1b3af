//! The formats that can be imported.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A format of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportFormat {
    /// Comma-separated values with named columns.
    Csv,
    /// GeoJSON: a feature collection, or features one after the other.
    GeoJson,
    /// An OpenStreetMap extract.
    OsmPbf,
}

impl ImportFormat {
    /// The format that a file's name tells.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" | "tsv" => Some(ImportFormat::Csv),
            "geojson" | "json" | "geojsonl" | "geojsons" | "geojsonseq" | "ndjson" | "jsonl" => {
                Some(ImportFormat::GeoJson)
            }
            "pbf" => Some(ImportFormat::OsmPbf),
            _ => None,
        }
    }
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ImportFormat::Csv => "csv",
            ImportFormat::GeoJson => "geojson",
            ImportFormat::OsmPbf => "osm-pbf",
        })
    }
}

impl FromStr for ImportFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "csv" => Ok(ImportFormat::Csv),
            "geojson" => Ok(ImportFormat::GeoJson),
            "osm-pbf" => Ok(ImportFormat::OsmPbf),
            _ => Err("is none of `csv`, `geojson` and `osm-pbf`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_format() {
        let of = |name: &str| ImportFormat::of(Path::new(name));
        assert_eq!(of("Helsinki.osm.pbf"), Some(ImportFormat::OsmPbf));
        assert_eq!(of("a/b.GeoJSON"), Some(ImportFormat::GeoJson));
        assert_eq!(of("b.csv"), Some(ImportFormat::Csv));
        assert_eq!(of("b.tsv"), Some(ImportFormat::Csv));
        assert_eq!(of("b.ndjson"), Some(ImportFormat::GeoJson));
        assert_eq!((of("b.xml"), of("b")), (None, None));
        for format in [
            ImportFormat::Csv,
            ImportFormat::GeoJson,
            ImportFormat::OsmPbf,
        ] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
    }
}
