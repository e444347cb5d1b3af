//! Places API (New), Nearby Search: `POST /v1/places:searchNearby`.
//!
//! Its places are mapped to the form of the old Nearby Search. Fields without a counterpart there are not requested,
//! and fields that Google leaves out are absent.

use std::borrow::Cow;

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;

use super::super::online::{
    Answer, ApiKey, HttpReply, HttpRequest, JsonBody, OnlineProvider, ProviderError, url_below,
    words,
};
use super::super::provider::NearbyQuery;
use super::super::reply::{Geometry, LatLng, Place, Viewport};
use super::{ANSWER_BYTES_MAX, RADIUS_M_MAX};

const PATH: &str = "v1/places:searchNearby";

/// The maximal number of places in an answer of the service.
const RESULTS_MAX: usize = 20;

/// The requested fields of each place. The service demands a list, and bills by it.
const FIELD_MASK: &str = "places.id,places.displayName,places.location,places.viewport,\
    places.types,places.rating,places.userRatingCount,places.priceLevel,places.businessStatus,\
    places.shortFormattedAddress,places.formattedAddress,places.attributions";

/// The attribution that Google demands beside its content where there is no Google map.
const ATTRIBUTION: &str = "Google Maps";

/// Asks Places API (New).
pub struct GooglePlaces {
    url: Url,
    key: ApiKey,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl GooglePlaces {
    /// The service at a base URL.
    #[must_use]
    pub fn new(base: &Url, key: ApiKey) -> Self {
        // A key is printable ASCII.
        let mut key_value =
            HeaderValue::from_str(key.reveal()).unwrap_or(HeaderValue::from_static(""));
        key_value.set_sensitive(true);
        GooglePlaces {
            url: url_below(base, PATH),
            headers: vec![
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (HeaderName::from_static("x-goog-api-key"), key_value),
                (
                    HeaderName::from_static("x-goog-fieldmask"),
                    HeaderValue::from_static(FIELD_MASK),
                ),
            ],
            key,
        }
    }
}

impl OnlineProvider for GooglePlaces {
    fn label(&self) -> &'static str {
        "Google Places"
    }

    fn key(&self) -> Option<&ApiKey> {
        Some(&self.key)
    }

    fn asks_for_results_max(&self) -> bool {
        true
    }

    fn answer_bytes_max(&self) -> usize {
        ANSWER_BYTES_MAX
    }

    fn request(&self, query: &NearbyQuery) -> HttpRequest {
        let body = json!({
            "maxResultCount": query.results_max.clamp(1, RESULTS_MAX),
            "locationRestriction": {
                "circle": {
                    "center": {
                        "latitude": query.center.latitude_degrees,
                        "longitude": query.center.longitude_degrees,
                    },
                    "radius": query.radius_m.min(RADIUS_M_MAX),
                },
            },
        });
        HttpRequest {
            url: self.url.clone(),
            headers: self.headers.clone(),
            post: Some(body.to_string()),
        }
    }

    fn read(&self, reply: &HttpReply) -> Result<Answer, ProviderError> {
        if !(200..=299).contains(&reply.status) {
            return Err(failure(reply));
        }
        let found: NearbyAnswer<'_> = JsonBody::of(reply)?.read()?;
        let mut attributions = vec![ATTRIBUTION.to_owned()];
        for attribution in found.places.iter().flat_map(|place| &place.attributions) {
            if let Some(html) = attribution.html()
                && !attributions.contains(&html)
            {
                attributions.push(html);
            }
        }
        let places = found.places.into_iter().filter_map(FoundPlace::map);
        Ok(Answer::of_places(attributions, places.collect(), false))
    }
}

/// Google's word for a failure decides where its HTTP status says less: a bad key is a 400.
fn failure(reply: &HttpReply) -> ProviderError {
    let said: Option<GoogleError> = JsonBody::of(reply).and_then(|body| body.read()).ok();
    let said = said.map(|refusal| refusal.error).unwrap_or_default();
    let mut text = words(&said.message);
    if !said.status.is_empty() {
        text = format!("{}: {text}", words(&said.status));
    }
    match said.status.as_str() {
        "RESOURCE_EXHAUSTED" => ProviderError::TooOften {
            retry_after: reply.retry_after,
            reason: text,
        },
        "PERMISSION_DENIED" | "UNAUTHENTICATED" => ProviderError::Denied(text),
        _ => {
            let unknown = || ProviderError::Malformed(format!("HTTP {}", reply.status));
            reply.failure(&text).unwrap_or_else(unknown)
        }
    }
}

#[derive(Deserialize)]
struct GoogleError {
    error: GoogleErrorBody,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GoogleErrorBody {
    message: String,
    status: String,
}

#[derive(Deserialize)]
struct NearbyAnswer<'a> {
    #[serde(default, borrow)]
    places: Vec<FoundPlace<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundPlace<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    display_name: Option<LocalizedText>,
    location: Option<GoogleLocation>,
    viewport: Option<FoundViewport>,
    #[serde(default)]
    types: Vec<String>,
    rating: Option<f64>,
    user_rating_count: Option<u64>,
    price_level: Option<String>,
    business_status: Option<String>,
    short_formatted_address: Option<String>,
    formatted_address: Option<String>,
    #[serde(default)]
    attributions: Vec<Attribution>,
}

#[derive(Deserialize)]
struct LocalizedText {
    #[serde(default)]
    text: String,
}

/// A coordinate that is 0 is left out of the service's JSON.
#[derive(Default, Deserialize)]
#[serde(default)]
struct GoogleLocation {
    latitude: f64,
    longitude: f64,
}

#[derive(Deserialize)]
struct FoundViewport {
    #[serde(default)]
    low: GoogleLocation,
    #[serde(default)]
    high: GoogleLocation,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Attribution {
    provider: String,
    provider_uri: String,
}

impl FoundPlace<'_> {
    /// The place in the old form; `None` for one without id, name or position.
    fn map(self) -> Option<Place<'static>> {
        let name = self.display_name.map(|name| name.text)?;
        let place_id = self.id?.into_owned();
        if name.is_empty() || place_id.is_empty() {
            return None;
        }
        let stated = |text: Option<String>| text.filter(|text| !text.is_empty());
        let vicinity = stated(self.short_formatted_address).or(stated(self.formatted_address));
        let business_status =
            stated(self.business_status).filter(|status| status != "BUSINESS_STATUS_UNSPECIFIED");
        Some(Place {
            geometry: Geometry {
                location: self.location?.into(),
                viewport: self.viewport.map(|viewport| Viewport {
                    northeast: viewport.high.into(),
                    southwest: viewport.low.into(),
                }),
            },
            name: name.into(),
            place_id: place_id.into(),
            business_status: business_status.map(Cow::from),
            price_level: self.price_level.as_deref().and_then(price_level),
            rating: self.rating,
            user_ratings_total: self.user_rating_count,
            types: self.types.into_iter().map(Cow::from).collect(),
            vicinity: vicinity.map(Cow::from),
        })
    }
}

impl From<GoogleLocation> for LatLng {
    fn from(position: GoogleLocation) -> Self {
        LatLng {
            lat: position.latitude,
            lng: position.longitude,
        }
    }
}

impl Attribution {
    /// As a link, where it has an address that is safe in one.
    fn html(&self) -> Option<String> {
        if self.provider.is_empty() {
            return None;
        }
        let name = escape(&self.provider);
        let uri = &self.provider_uri;
        if !uri.starts_with("https://") && !uri.starts_with("http://") {
            return Some(name);
        }
        Some(format!("<a href=\"{}\">{name}</a>", escape(uri)))
    }
}

fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}

fn price_level(name: &str) -> Option<u8> {
    match name {
        "PRICE_LEVEL_FREE" => Some(0),
        "PRICE_LEVEL_INEXPENSIVE" => Some(1),
        "PRICE_LEVEL_MODERATE" => Some(2),
        "PRICE_LEVEL_EXPENSIVE" => Some(3),
        "PRICE_LEVEL_VERY_EXPENSIVE" => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
