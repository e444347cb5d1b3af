//! Nearby Search (Legacy): `GET /maps/api/place/nearbysearch/json`. Its reply is passed on byte for
//! byte, but for results beyond the bound.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use reqwest::Url;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::online::{
    Answer, ApiKey, HttpReply, HttpRequest, JsonBody, OnlineProvider, ProviderError, url_below,
    words,
};
use super::super::provider::NearbyQuery;
use super::{ANSWER_BYTES_MAX, RADIUS_M_MAX};

const PATH: &str = "maps/api/place/nearbysearch/json";

/// Asks Nearby Search (Legacy).
pub struct GoogleLegacy {
    url: Url,
    key: ApiKey,
}

impl GoogleLegacy {
    /// The service at a base URL.
    #[must_use]
    pub fn new(base: &Url, key: ApiKey) -> Self {
        GoogleLegacy {
            url: url_below(base, PATH),
            key,
        }
    }
}

impl OnlineProvider for GoogleLegacy {
    fn label(&self) -> &'static str {
        "Google Places (Legacy)"
    }

    fn key(&self) -> Option<&ApiKey> {
        Some(&self.key)
    }

    fn asks_for_results_max(&self) -> bool {
        false
    }

    fn answer_bytes_max(&self) -> usize {
        ANSWER_BYTES_MAX
    }

    fn request(&self, query: &NearbyQuery) -> HttpRequest {
        let center = query.center;
        let location = format!("{},{}", center.latitude_degrees, center.longitude_degrees);
        let radius = query.radius_m.min(RADIUS_M_MAX).to_string();
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("location", &location)
            .append_pair("radius", &radius)
            .append_pair("key", self.key.reveal());
        HttpRequest {
            url,
            headers: Vec::new(),
            post: None,
        }
    }

    fn read(&self, reply: &HttpReply) -> Result<Answer, ProviderError> {
        let read = JsonBody::of(reply).and_then(|body| body.read::<NearbySearch<'_>>());
        if !(200..=299).contains(&reply.status) {
            let said = read.map(|search| search.said()).unwrap_or_default();
            let unknown = || ProviderError::Malformed(format!("HTTP {}", reply.status));
            return Err(reply.failure(&said).unwrap_or_else(unknown));
        }
        let search = read?;
        let said = search.said();
        let error = match &*search.status {
            "OK" | "ZERO_RESULTS" => {
                return LegacyReply::new(&reply.body, &search).map(Answer::Legacy);
            }
            "OVER_QUERY_LIMIT" | "OVER_DAILY_LIMIT" => ProviderError::TooOften {
                retry_after: reply.retry_after,
                reason: said,
            },
            "REQUEST_DENIED" | "INVALID_REQUEST" => ProviderError::Denied(said),
            "UNKNOWN_ERROR" => ProviderError::Failed {
                reason: said,
                passing: true,
                retry_after: reply.retry_after,
            },
            _ => ProviderError::Malformed(format!("status {}", words(&search.status))),
        };
        // Where it has the whole form, it can be told in Google's own words.
        match LegacyReply::new(&reply.body, &search) {
            Ok(whole) if whole.results.is_empty() => Err(ProviderError::InItsOwnWords {
                error: Box::new(error),
                reply: whole.text,
            }),
            _ => Err(error),
        }
    }
}

/// The parsed fields of a reply. Everything else stays as it is.
#[derive(Deserialize)]
struct NearbySearch<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    results: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    html_attributions: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    error_message: Option<Cow<'a, str>>,
}

impl NearbySearch<'_> {
    /// The status of the reply and its message.
    fn said(&self) -> String {
        match &self.error_message {
            Some(message) => format!("{}: {}", words(&self.status), words(message)),
            None => words(&self.status),
        }
    }
}

/// A Nearby Search reply as it came, with the places of its results known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyReply {
    text: Bytes,
    /// Where each result is in the text.
    results: Vec<Range<usize>>,
}

impl LegacyReply {
    fn new(text: &Bytes, search: &NearbySearch<'_>) -> Result<Self, ProviderError> {
        let missing = |what| ProviderError::Malformed(format!("it has no `{what}`"));
        let results = search.results.as_ref().ok_or(missing("results"))?;
        if search.html_attributions.is_none() {
            return Err(missing("html_attributions"));
        }
        // The results are borrowed from the text, so their addresses tell where they are in it.
        let start = text.as_ptr() as usize;
        let place = |result: &&RawValue| -> Option<Range<usize>> {
            let result = result.get();
            let from = (result.as_ptr() as usize).checked_sub(start)?;
            let range = from..from.checked_add(result.len())?;
            text.get(range.clone()).map(|_| range)
        };
        let results: Option<Vec<Range<usize>>> = results.iter().map(place).collect();
        let lost = || ProviderError::Malformed("its results are not in its text".to_owned());
        Ok(LegacyReply {
            text: text.clone(),
            results: results.ok_or_else(lost)?,
        })
    }

    /// The text with its first `results_max` results. Nothing else changes, not even white space: only the text from
    /// the last result kept to the end of the last result goes.
    #[must_use]
    pub fn cut(&self, results_max: usize) -> Bytes {
        if self.results.len() <= results_max {
            return self.text.clone();
        }
        let (Some(first), Some(last)) = (self.results.first(), self.results.last()) else {
            return self.text.clone();
        };
        let kept = results_max.checked_sub(1);
        let kept_end = match kept.and_then(|index| self.results.get(index)) {
            Some(result) => result.end,
            None => first.start,
        };
        let mut text = Vec::with_capacity(self.text.len());
        text.extend_from_slice(self.text.get(..kept_end).unwrap_or_default());
        text.extend_from_slice(self.text.get(last.end..).unwrap_or_default());
        Bytes::from(text)
    }

    /// How long it is, in bytes.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.text.len() + self.results.len() * size_of::<Range<usize>>()
    }
}

#[cfg(test)]
mod tests;
