//! The member `crs` of files from before RFC 7946.

use serde_json::Value;

use super::super::super::online::words;

/// Names of the one reference system that GeoJSON has now: longitude and latitude in degrees, by WGS 84.
const WGS_84: [&str; 5] = [
    "urn:ogc:def:crs:OGC:1.3:CRS84",
    "urn:ogc:def:crs:OGC::CRS84",
    "OGC:CRS84",
    "urn:ogc:def:crs:EPSG::4326",
    "EPSG:4326",
];

/// The name of a `crs`, if it is another reference system or an unknown one.
pub(super) fn other_system(crs: &Value) -> Option<String> {
    let name = crs.pointer("/properties/name").and_then(Value::as_str);
    match name {
        Some(name) if WGS_84.iter().any(|known| known.eq_ignore_ascii_case(name)) => None,
        Some(name) => Some(format!("`{}`", words(name))),
        None => Some("that it does not name".to_owned()),
    }
}
