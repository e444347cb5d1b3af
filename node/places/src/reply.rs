//! The reply to a question for places, in the form of Google's Nearby Search.
//!
//! A field that a provider does not have is absent, never invented.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

/// People read replies with netcat, and this is how Google prints them.
const INDENT: &[u8] = b"   ";

/// The approximate size of a printed result, in bytes, so that the buffer seldom grows.
const RESULT_BYTES_USUAL: usize = 400;

/// A Nearby Search reply.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NearbyReply<'a> {
    /// HTML that must be shown with the results, one text per source that contributed to them.
    pub html_attributions: Vec<Cow<'a, str>>,
    /// The places, nearest first.
    pub results: Vec<Place<'a>>,
    /// How it went.
    pub status: ReplyStatus,
    /// Why there are no results, when the provider failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<Cow<'a, str>>,
    /// Messages for the reader about this reply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub info_messages: Vec<Cow<'a, str>>,
}

/// The statuses of Google's Nearby Search that herd gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReplyStatus {
    /// There is at least one result.
    Ok,
    /// The search went well and found nothing.
    #[default]
    ZeroResults,
    /// The provider failed in a way that has no status of its own.
    UnknownError,
    /// The provider refused because it was asked too often.
    OverQueryLimit,
    /// The provider refused the request, for instance because of its key.
    RequestDenied,
}

/// One place.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Place<'a> {
    /// Where it is.
    pub geometry: Geometry,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its id, such as `gn:3038832`; the part before the colon names the source.
    pub place_id: Cow<'a, str>,
    /// Whether it is open for business at all, such as `OPERATIONAL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_status: Option<Cow<'a, str>>,
    /// How expensive it is, 0 to 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_level: Option<u8>,
    /// The rating by its users, 1 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<f64>,
    /// How many of them said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_ratings_total: Option<u64>,
    /// Its types, in the words of Google or OpenStreetMap.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<Cow<'a, str>>,
    /// A short address or the region that it lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vicinity: Option<Cow<'a, str>>,
}

/// The geometry of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Geometry {
    /// Its point.
    pub location: LatLng,
    /// The part of a map that shows it well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viewport: Option<Viewport>,
}

/// A part of a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Viewport {
    /// Its north-eastern corner.
    pub northeast: LatLng,
    /// Its south-western corner.
    pub southwest: LatLng,
}

/// A point as Google writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LatLng {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lng: f64,
}

impl<'a> NearbyReply<'a> {
    /// The reply of a provider that failed; `status` is one of the errors.
    pub fn failed(status: ReplyStatus, error_message: impl Into<Cow<'a, str>>) -> Self {
        NearbyReply {
            status,
            error_message: Some(error_message.into()),
            ..NearbyReply::default()
        }
    }

    /// The reply as JSON text, printed for people, without a trailing newline.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        let mut text = Vec::with_capacity(256 + self.results.len() * RESULT_BYTES_USUAL);
        let formatter = PrettyFormatter::with_indent(INDENT);
        let mut serializer = Serializer::with_formatter(&mut text, formatter);
        // Strings, lists and numbers into a Vec: neither the data nor the writer can fail.
        match self.serialize(&mut serializer) {
            Ok(()) => Bytes::from(text),
            Err(_) => super::zero_results(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_has_googles_form() {
        let reply = NearbyReply {
            html_attributions: vec!["<a href=\"https://example.org/\">Example</a>".into()],
            results: vec![Place {
                geometry: Geometry {
                    location: LatLng {
                        lat: 60.3172,
                        lng: 24.9633,
                    },
                    viewport: None,
                },
                name: "Helsinki\u{2013}\u{201c}Vantaa\u{201d} \u{c4}".into(),
                place_id: "ap:EFHK".into(),
                types: vec!["airport".into()],
                ..Place::default()
            }],
            status: ReplyStatus::Ok,
            ..NearbyReply::default()
        };
        let text = reply.to_json();
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            r#"{
   "html_attributions": [
      "<a href=\"https://example.org/\">Example</a>"
   ],
   "results": [
      {
         "geometry": {
            "location": {
               "lat": 60.3172,
               "lng": 24.9633
            }
         },
         "name": "Helsinki–“Vantaa” Ä",
         "place_id": "ap:EFHK",
         "types": [
            "airport"
         ]
      }
   ],
   "status": "OK"
}"#
        );
    }

    #[test]
    fn failures_say_why() {
        for (status, text) in [
            (ReplyStatus::UnknownError, "UNKNOWN_ERROR"),
            (ReplyStatus::OverQueryLimit, "OVER_QUERY_LIMIT"),
            (ReplyStatus::RequestDenied, "REQUEST_DENIED"),
        ] {
            let mut reply = NearbyReply::failed(status, "because");
            reply.info_messages.push("more".into());
            let json: serde_json::Value = serde_json::from_slice(&reply.to_json()).unwrap();
            let expected = serde_json::json!({
                "html_attributions": [],
                "results": [],
                "status": text,
                "error_message": "because",
                "info_messages": ["more"],
            });
            assert_eq!(json, expected);
        }
    }
}
