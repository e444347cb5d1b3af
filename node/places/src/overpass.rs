//! OpenStreetMap, through an Overpass API: `POST /api/interpreter`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::online::{
    Answer, ApiKey, HttpReply, HttpRequest, JsonBody, OnlineProvider, ProviderError, url_below,
    words,
};
use super::osm_tags::{ATTRIBUTION, ID_PREFIX, KIND_KEYS, OsmTags};
use super::provider::NearbyQuery;
use super::reply::{Geometry, LatLng, Place};

const PATH: &str = "api/interpreter";

/// So many elements are asked for: three times the most that a client gets, since the service does
/// not put the nearest first.
const ELEMENTS_MAX: usize = 60;

/// The longest answer that is read, in bytes. A relation comes with all its members.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Asks an Overpass API.
pub struct Overpass {
    url: Url,
    /// The maximal time of the service for a question, in seconds: no client waits longer.
    timeout_s: u64,
}

impl Overpass {
    /// The service at a base URL, for questions of which each may take `timeout`.
    #[must_use]
    pub fn new(base: &Url, timeout: Duration) -> Self {
        Overpass {
            url: url_below(base, PATH),
            timeout_s: timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0),
        }
    }

    fn question(&self, query: &NearbyQuery) -> String {
        let keys = KIND_KEYS.join("|");
        format!(
            "[out:json][timeout:{}];nwr(around:{},{},{})[name][~\"^({keys})$\"~\".\"];\
             out center {ELEMENTS_MAX};",
            self.timeout_s,
            query.radius_m,
            query.center.latitude_degrees,
            query.center.longitude_degrees,
        )
    }
}

impl OnlineProvider for Overpass {
    fn label(&self) -> &'static str {
        "Overpass"
    }

    fn key(&self) -> Option<&ApiKey> {
        None
    }

    fn asks_for_results_max(&self) -> bool {
        false
    }

    fn answer_bytes_max(&self) -> usize {
        ANSWER_BYTES_MAX
    }

    fn request(&self, query: &NearbyQuery) -> HttpRequest {
        // The encoding of forms is that of queries.
        let mut form = self.url.clone();
        form.query_pairs_mut()
            .clear()
            .append_pair("data", &self.question(query));
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        HttpRequest {
            url: self.url.clone(),
            headers: vec![(CONTENT_TYPE, content_type)],
            post: Some(form.query().unwrap_or_default().to_owned()),
        }
    }

    fn read(&self, reply: &HttpReply) -> Result<Answer, ProviderError> {
        if let Some(error) = reply.failure("") {
            return Err(error);
        }
        let found: OverpassAnswer<'_> = JsonBody::of(reply)?.read()?;
        // The service ran out of time or memory, so its results are not complete.
        if let Some(remark) = found.remark {
            return Err(ProviderError::Failed {
                reason: words(&remark),
                passing: false,
                retry_after: reply.retry_after,
            });
        }
        let elements = found.elements.into_iter();
        let places = elements.filter_map(|element| element.map());
        Ok(Answer::of_places(
            vec![ATTRIBUTION.to_owned()],
            places.collect(),
            true,
        ))
    }
}

#[derive(Deserialize)]
struct OverpassAnswer<'a> {
    #[serde(borrow)]
    elements: Vec<OverpassElement<'a>>,
    #[serde(borrow)]
    remark: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct OverpassElement<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    id: i64,
    lat: Option<f64>,
    lon: Option<f64>,
    center: Option<Center>,
    #[serde(default)]
    tags: HashMap<String, String>,
    /// Not looked at, and may be long.
    #[serde(rename = "members", borrow)]
    _members: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Center {
    lat: f64,
    lon: f64,
}

impl OverpassElement<'_> {
    /// The place that it is; `None` for one without name, kind or position.
    fn map(&self) -> Option<Place<'static>> {
        let (lat, lng) = match (&self.center, self.lat, self.lon) {
            (Some(center), ..) => (center.lat, center.lon),
            (None, Some(lat), Some(lon)) => (lat, lon),
            _ => return None,
        };
        if !matches!(&*self.kind, "node" | "way" | "relation") {
            return None;
        }
        let tags = OsmTags::read(&KIND_KEYS, |key| self.tags.get(key).map(String::as_str))?;
        Some(Place {
            geometry: Geometry {
                location: LatLng { lat, lng },
                viewport: None,
            },
            name: tags.name.into(),
            place_id: format!("{ID_PREFIX}{}/{}", self.kind, self.id).into(),
            types: tags.types.into_iter().map(Cow::from).collect(),
            vicinity: (!tags.vicinity.is_empty()).then(|| tags.vicinity.into()),
            ..Place::default()
        })
    }
}

#[cfg(test)]
mod tests;
