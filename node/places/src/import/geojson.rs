//! Reads places from GeoJSON into a table, feature by feature.
//!
//! A feature's `properties` give `name`; `types` (words joined by `;` or a list) or the keys of OpenStreetMap;
//! `vicinity` or the address keys of OpenStreetMap. Its id is its `id`, or the property `id` or `@id`, or made of its
//! position and name. A geometry larger than a point stands at the middle of the box around it. Features may follow each
//! other line by line, with record separators (RFC 8142) or without.

use std::cell::RefCell;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use herd_files::byte_order_mark;

use super::super::online::words;
use super::super::table::TableWriter;
use super::bounded_read::{Allowance, BoundedRead};
use super::error::ImportError;
use super::report::{ImportReport, RowPlace};

mod feature;
mod geometry;
mod reference_system;

use feature::take_feature;
use reference_system::other_system;

/// The longest feature, in bytes, so that no file is taken into memory as a whole.
pub(super) const FEATURE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads all features of `input` into `writer`. Bad ones are left out and reported.
///
/// # Errors
/// Says why nothing more can be read; the writer then holds the features before that.
pub fn import_geojson(
    input: impl Read,
    writer: &mut TableWriter,
) -> Result<ImportReport, ImportError> {
    let input = byte_order_mark::skip_in(input)?;
    let (bounded, allowance) = BoundedRead::new(input, FEATURE_BYTES_MAX);
    let import = RefCell::new(GeoJsonImport {
        writer,
        report: ImportReport::default(),
        features: 0,
        stopped: None,
        allowance: allowance.clone(),
    });
    let mut deserializer = serde_json::Deserializer::from_reader(WithoutSeparators(bounded));
    let read = read_documents(&mut deserializer, &import);
    let import = import.into_inner();
    if let Some(error) = import.stopped {
        return Err(error);
    }
    match read {
        Ok(()) => Ok(import.report),
        Err(_) if allowance.is_spent() => Err(ImportError::FeatureTooLong {
            feature: import.features,
        }),
        Err(error) if error.is_io() => Err(ImportError::Io(error.into())),
        Err(error) => Err(ImportError::NotGeoJson(words(&error.to_string()))),
    }
}

/// Reads one feature collection, or features until the end.
fn read_documents<R: Read>(
    deserializer: &mut serde_json::Deserializer<serde_json::de::IoRead<R>>,
    import: &RefCell<GeoJsonImport<'_>>,
) -> Result<(), serde_json::Error> {
    loop {
        let is_feature = deserializer.deserialize_map(Document(import))?;
        match deserializer.end() {
            Err(error) if error.is_syntax() && is_feature => {}
            ended => return ended,
        }
    }
}

/// Text sequences with their record separators as blanks: RFC 8142 puts one before each text, where JSON permits blanks
/// only, and within texts they stand escaped.
struct WithoutSeparators<R>(R);

impl<R: Read> Read for WithoutSeparators<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        const RECORD_SEPARATOR: u8 = 0x1e;
        let count = self.0.read(buffer)?;
        for byte in buffer.iter_mut().take(count) {
            if *byte == RECORD_SEPARATOR {
                *byte = b' ';
            }
        }
        Ok(count)
    }
}

struct GeoJsonImport<'a> {
    writer: &'a mut TableWriter,
    report: ImportReport,
    features: u64,
    /// The error that ended the import, if it was not the JSON.
    stopped: Option<ImportError>,
    allowance: Allowance,
}

impl GeoJsonImport<'_> {
    fn take(&mut self, feature: &str) -> Result<(), ()> {
        self.features += 1;
        self.allowance.grant(FEATURE_BYTES_MAX);
        let result = take_feature(feature, self.writer);
        let at = RowPlace::Feature(self.features);
        self.report.note(at, result).map_err(|error| {
            self.stopped = Some(error);
        })
    }
}

/// A document: a feature collection, or one feature. Gives whether it is the latter.
struct Document<'a, 'b>(&'a RefCell<GeoJsonImport<'b>>);

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a FeatureCollection or a Feature")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        use serde::de::Error as _;
        let mut kind: Option<String> = None;
        let mut has_features = false;
        let mut single: Vec<(String, Box<RawValue>)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "type" => kind = Some(map.next_value()?),
                "features" => {
                    has_features = true;
                    map.next_value_seed(Features(self.0))?;
                }
                "crs" => {
                    let system: Value = map.next_value()?;
                    if let Some(other) = other_system(&system) {
                        let error = ImportError::OtherReferenceSystem(other);
                        self.0.borrow_mut().stopped = Some(error);
                        return Err(A::Error::custom("stopped"));
                    }
                }
                "id" | "geometry" | "properties" => single.push((key, map.next_value()?)),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match kind.as_deref() {
            Some("FeatureCollection") if has_features => Ok(false),
            Some("FeatureCollection") => Err(A::Error::custom("it has no `features`")),
            Some("Feature") => {
                let members: Vec<String> = single
                    .iter()
                    .map(|(key, value)| format!("\"{key}\":{value}"))
                    .collect();
                let feature = format!("{{\"type\":\"Feature\",{}}}", members.join(","));
                let taken = self.0.borrow_mut().take(&feature);
                taken.map_err(|()| A::Error::custom("stopped"))?;
                Ok(true)
            }
            _ => Err(A::Error::custom(
                "its `type` is neither `FeatureCollection` nor `Feature`",
            )),
        }
    }
}

/// The list of features. Each is taken before the next is read.
struct Features<'a, 'b>(&'a RefCell<GeoJsonImport<'b>>);

impl<'de> DeserializeSeed<'de> for Features<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Features<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of features")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        use serde::de::Error as _;
        while let Some(feature) = list.next_element::<Box<RawValue>>()? {
            let taken = self.0.borrow_mut().take(feature.get());
            taken.map_err(|()| A::Error::custom("stopped"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
