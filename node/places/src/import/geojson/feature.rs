//! From one feature to one place.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::super::online::words;
use super::super::super::osm_tags::{NODE_KEYS, OsmTags};
use super::super::super::table::{InvalidPlace, NewPlace, TableWriter};
use super::super::derived_id::derived_id;
use super::super::report::BadRowReason;
use super::geometry::FeatureGeometry;
use super::reference_system::other_system;

#[derive(Deserialize)]
struct Feature {
    #[serde(rename = "type")]
    kind: String,
    id: Option<Value>,
    geometry: Option<FeatureGeometry>,
    crs: Option<Value>,
    properties: Option<HashMap<String, Value>>,
}

/// Takes the place that the text of a feature describes.
pub(super) fn take_feature(text: &str, writer: &mut TableWriter) -> Result<(), BadRowReason> {
    let feature: Feature = serde_json::from_str(text)
        .map_err(|error| BadRowReason::NotAFeature(words(&error.to_string())))?;
    if feature.kind != "Feature" {
        let kind = words(&feature.kind);
        return Err(BadRowReason::NotAFeature(format!("its `type` is `{kind}`")));
    }
    let geometry = feature.geometry.as_ref().ok_or(BadRowReason::NoPosition)?;
    if let Some(other) = feature.crs.as_ref().and_then(other_system) {
        return Err(BadRowReason::OtherReferenceSystem(other));
    }
    let middle = geometry.extent()?.middle();
    let (latitude_degrees, longitude_degrees) = middle.ok_or(BadRowReason::NoPosition)?;
    let properties = feature.properties.unwrap_or_default();
    let text = |key: &str| properties.get(key).and_then(Value::as_str);
    let id = [
        feature.id.as_ref(),
        properties.get("id"),
        properties.get("@id"),
    ];
    let id = id.into_iter().flatten().find_map(id_text);
    let tags = OsmTags::read(&NODE_KEYS, text);
    let types = match properties.get("types") {
        Some(types) => words_of(types).ok_or(InvalidPlace::Types)?,
        None => tags
            .as_ref()
            .map(|tags| tags.types.clone())
            .unwrap_or_default(),
    };
    let types: Vec<&str> = types.iter().map(String::as_str).collect();
    let vicinity = text("vicinity").map(str::trim);
    let name = text("name").unwrap_or_default().trim();
    let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| {
        let prefix = writer
            .sources()
            .first()
            .map_or("", |source| &source.id_prefix);
        derived_id(prefix, (latitude_degrees, longitude_degrees), name)
    });
    let place = NewPlace {
        id: &id,
        name,
        latitude_degrees,
        longitude_degrees,
        types: &types,
        vicinity: vicinity.unwrap_or(tags.as_ref().map_or("", |tags| &tags.vicinity)),
        source_index: 0,
    };
    Ok(writer.add(&place)?)
}

fn id_text(id: &Value) -> Option<String> {
    match id {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Words joined by `;`, or a list of words.
fn words_of(types: &Value) -> Option<Vec<String>> {
    match types {
        Value::Null => Some(Vec::new()),
        Value::String(text) => {
            let words = text
                .split(';')
                .map(str::trim)
                .filter(|word| !word.is_empty());
            Some(words.map(str::to_owned).collect())
        }
        Value::Array(list) => list
            .iter()
            .map(|word| word.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}
