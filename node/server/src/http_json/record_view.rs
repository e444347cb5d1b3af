//! A client's record in JSON.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use herd_crdt::Record;
use herd_protocol::difference_text;
use serde::Serialize;
use utoipa::ToSchema;

use super::rfc3339;

/// A client's record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub(super) struct RecordView<'a> {
    #[serde(flatten)]
    client: ClientView<'a>,
    /// Degrees north.
    latitude: f64,
    /// Degrees east.
    longitude: f64,
    /// Latitude and longitude as they were reported.
    #[schema(example = "+34.068930-118.445127")]
    location: &'a str,
    /// When the client was there, in seconds since 1970, as it was reported.
    #[schema(example = "1520023934.918963997")]
    time: &'a str,
    /// The same as a time of RFC 3339.
    #[schema(format = DateTime, example = "2018-03-02T20:52:14.918963997Z")]
    time_utc: String,
    /// The server that heard the report.
    server: &'a str,
    /// That server's clock at the time less the client's, in seconds.
    #[schema(example = "+0.263873386")]
    difference_s: String,
    /// How long ago the client was there, in seconds by the clock of the server that answers.
    age_s: f64,
    /// How far it is from the middle of a search, in kilometres.
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_km: Option<f64>,
}

/// A client's ID: one of the two.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Client)]
pub(super) struct ClientView<'a> {
    /// The client's ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "van7")]
    client: Option<&'a str>,
    /// The ID in base64, if it is not UTF-8 text.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_base64: Option<String>,
}

impl<'a> ClientView<'a> {
    /// Of this ID.
    pub(super) fn new(client: &'a [u8]) -> Self {
        match str::from_utf8(client) {
            Ok(client) => ClientView {
                client: Some(client),
                client_base64: None,
            },
            Err(_) => ClientView {
                client: None,
                client_base64: Some(STANDARD.encode(client)),
            },
        }
    }

    /// The ID, if it is text.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.client
    }
}

impl<'a> RecordView<'a> {
    /// Of this record, when the server's clock says `now_ns`.
    pub(super) fn new(record: &'a Record, now_ns: i64) -> Self {
        let place = record.location().map(|location| location.coordinates());
        let degrees = place.map(|place| [place.latitude_degrees, place.longitude_degrees]);
        // A record that is told has a location.
        let [latitude, longitude] = degrees.unwrap_or_default();
        let age_ns = i128::from(now_ns) - i128::from(record.time().ns());
        RecordView {
            client: ClientView::new(record.client()),
            latitude,
            longitude,
            location: str::from_utf8(record.location_text()).unwrap_or_default(),
            time: str::from_utf8(record.time_text()).unwrap_or_default(),
            time_utc: rfc3339::utc(record.time().ns()),
            server: record.server(),
            difference_s: difference_text(record.difference_ns()),
            age_s: age_ns as f64 / 1e9,
            distance_km: None,
        }
    }

    /// The same of a client that is this far away.
    pub(super) fn at_distance(self, metres: f64) -> Self {
        // Six decimals, as a line has them.
        let distance_km = Some((metres * 1e3).round() / 1e6);
        RecordView {
            distance_km,
            ..self
        }
    }
}

/// A record on a map (RFC 7946).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Feature)]
pub(super) struct FeatureView<'a> {
    /// `Feature`.
    r#type: &'static str,
    /// The client's ID, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    /// Where it is.
    geometry: PointView,
    /// All else.
    properties: RecordView<'a>,
}

/// A point on a map.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Point)]
pub(super) struct PointView {
    /// `Point`.
    r#type: &'static str,
    /// Longitude and latitude.
    coordinates: [f64; 2],
}

impl<'a> FeatureView<'a> {
    /// Of this record.
    pub(super) fn new(properties: RecordView<'a>) -> Self {
        FeatureView {
            r#type: "Feature",
            id: properties.client.text(),
            geometry: PointView {
                r#type: "Point",
                coordinates: [properties.longitude, properties.latitude],
            },
            properties,
        }
    }
}

/// The entity tag of a record, by its time and its server. It is weak: the age of a record is told too.
pub(super) fn entity_tag(record: &Record) -> String {
    let mut tag = format!("W/\"{}-", record.time().to_text());
    for byte in record.server().bytes() {
        match byte {
            b'"' | b'%' => {
                // Writing to a String does not fail.
                let _ = write!(tag, "%{byte:02x}");
            }
            _ => tag.push(char::from(byte)),
        }
    }
    tag.push('"');
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(client: &[u8], server: &str) -> Record {
        let time = b"1520023934.918963997";
        let received_ns = 1_520_023_935_182_837_383;
        Record::new(
            client,
            b"+34.068930-118.445127",
            time,
            server.into(),
            received_ns,
        )
        .unwrap()
    }

    #[test]
    fn a_record_has_its_texts_and_their_meaning() {
        let record = record(b"kiwi", "Hill");
        let view = RecordView::new(&record, 1_520_023_944_918_963_997).at_distance(1_197.676_9);
        let expected = serde_json::json!({
            "client": "kiwi",
            "latitude": 34.06893,
            "longitude": -118.445127,
            "location": "+34.068930-118.445127",
            "time": "1520023934.918963997",
            "time_utc": "2018-03-02T20:52:14.918963997Z",
            "server": "Hill",
            "difference_s": "+0.263873386",
            "age_s": 10.0,
            "distance_km": 1.197677,
        });
        assert_eq!(serde_json::to_value(view).unwrap(), expected);
    }

    #[test]
    fn an_id_that_is_no_text_is_in_base64() {
        let record = record(b"\xff\xa0", "Hill");
        let feature = FeatureView::new(RecordView::new(&record, 0));
        let json = serde_json::to_value(feature).unwrap();
        assert_eq!(json["id"], serde_json::Value::Null);
        assert_eq!(json["properties"]["client_base64"], "/6A=");
        assert_eq!(
            json["geometry"]["coordinates"],
            serde_json::json!([-118.445127, 34.06893])
        );
    }

    #[test]
    fn an_entity_tag_is_of_time_and_server() {
        let tag = entity_tag(&record(b"kiwi", "Hill"));
        assert_eq!(tag, "W/\"1520023934.918963997-Hill\"");
        assert_eq!(
            entity_tag(&record(b"kiwi", "a\"%b")),
            "W/\"1520023934.918963997-a%22%25b\""
        );
    }
}
