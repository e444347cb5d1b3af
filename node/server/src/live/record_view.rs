//! The record of the client that a page has chosen, and the places near it.

use herd_crdt::Record;
use serde::Serialize;

use super::client_text;
use herd_places::{EmbeddedPlaces, NearbyQuery, NearbyReply};
use herd_protocol::difference_text;

/// Characters of an id that a page shows beside a record.
const LABEL_CHARS_MAX: usize = 256;

/// How far a place may be from the client.
const PLACES_RADIUS_M: f64 = 50_000.0;

/// How many places are shown.
const PLACES_MAX: usize = 5;

/// A record, for a page.
#[derive(Debug, Serialize)]
pub(super) struct RecordView<'a> {
    /// The id byte for byte, in base64url.
    id: String,
    /// The id as a person reads it.
    label: String,
    id_bytes: usize,
    location: String,
    latitude: f64,
    longitude: f64,
    /// As the client wrote it.
    time: String,
    /// In ms since the epoch.
    time_ms: f64,
    server: &'a str,
    /// The server's clock when it heard the report, in ms since the epoch.
    received_ms: f64,
    /// As in its AT line.
    difference: String,
    /// The places of the embedded table near it. A provider on the network is never asked for a page: it costs, and
    /// the terms of some forbid to show their places on a map that is not theirs.
    places: NearbyReply<'a>,
}

impl<'a> RecordView<'a> {
    /// Of this record; `None` if its location cannot be read, which no record's is.
    #[must_use]
    pub(super) fn new(record: &'a Record, places: &'a EmbeddedPlaces) -> Option<Self> {
        let center = record.location()?.coordinates();
        let query = NearbyQuery {
            center,
            radius_m: PLACES_RADIUS_M,
            results_max: PLACES_MAX,
        };
        Some(RecordView {
            id: client_text::encoded(record.client()),
            label: client_text::label(record.client(), LABEL_CHARS_MAX),
            id_bytes: record.client().len(),
            location: String::from_utf8_lossy(record.location_text()).into_owned(),
            latitude: center.latitude_degrees,
            longitude: center.longitude_degrees,
            time: String::from_utf8_lossy(record.time_text()).into_owned(),
            time_ms: ms(record.time().ns()),
            server: record.server(),
            received_ms: ms(record.received_ns()),
            difference: difference_text(record.difference_ns()),
            places: places.reply(&query, None),
        })
    }
}

/// For a page, whose numbers are doubles.
pub(super) fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}
