//! Overland's batches of GeoJSON (<https://github.com/aaronpk/Overland-iOS#api>).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::osmand::seconds;
use crate::http_json::answer;
use crate::http_json::api::HttpApi;
use crate::http_json::body::BoundedBody;
use crate::http_json::caller::Caller;
use crate::http_json::problem::{Fault, Kind, Problem};
use crate::http_json::query::client_fault;
use crate::http_json::report::ReportTexts;

/// The largest batch, in bytes. The app sends up to some thousand locations of half a KiB.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How long the server waits for it, in all.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The most locations of a batch.
const LOCATIONS_MAX: usize = 5_000;

/// What the app sends, as far as it matters here.
#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow, default)]
    locations: Locations<'a>,
}

/// The locations of a batch. Each is read by itself, so that one that cannot be read keeps no other out.
#[derive(Default)]
struct Locations<'a> {
    raw: Vec<&'a RawValue>,
    /// There are more than may be, which were passed over.
    are_too_many: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Locations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded;

        impl<'de> Visitor<'de> for Bounded {
            type Value = Locations<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of locations")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut locations = Locations::default();
                while locations.raw.len() < LOCATIONS_MAX {
                    match list.next_element()? {
                        Some(location) => locations.raw.push(location),
                        None => return Ok(locations),
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    locations.are_too_many = true;
                }
                Ok(locations)
            }
        }

        deserializer.deserialize_seq(Bounded)
    }
}

#[derive(Deserialize)]
struct Feature<'a> {
    #[serde(borrow)]
    geometry: Option<Geometry<'a>>,
    properties: Option<Properties>,
}

#[derive(Deserialize)]
struct Geometry<'a> {
    #[serde(borrow, default)]
    coordinates: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Properties {
    timestamp: Option<String>,
    device_id: Option<String>,
}

#[derive(Serialize)]
struct Done {
    /// The app throws the batch away if this is `ok`, and else sends it again and again, all later ones behind it.
    result: &'static str,
    /// How many locations were left out for good. The app does not look at it.
    #[serde(skip_serializing_if = "is_none")]
    refused: usize,
    /// Why the first of them was.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// The locations that will not be better the next time, if any.
#[derive(Default)]
struct LeftOut {
    count: usize,
    first: Option<Problem>,
}

impl LeftOut {
    fn add(&mut self, problem: Problem) {
        self.count += 1;
        self.first.get_or_insert(problem);
    }
}

/// Takes in a batch.
pub(super) async fn overland(
    State(api): State<Arc<HttpApi>>,
    caller: Caller,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    let batch: Batch<'_> = serde_json::from_slice(&body)
        .map_err(|error| Problem::malformed(vec![Fault::of("body", &error)]))?;
    if batch.locations.are_too_many {
        return Err(Problem::with(
            Kind::TooLarge,
            "a batch has 5000 locations at most",
        ));
    }
    let mut left_out = LeftOut::default();
    let mut texts = Vec::with_capacity(batch.locations.raw.len());
    for location in &batch.locations.raw {
        match report_of(location) {
            Some(Ok(report)) => texts.push(report),
            Some(Err(problem)) => {
                api.count(0, 1);
                left_out.add(problem);
            }
            None => {}
        }
    }
    let refused = api.take_in_all(&caller, &texts).await;
    let is_any_taken = refused.len() < texts.len();
    let (for_good, passing): (Vec<Problem>, Vec<Problem>) = refused
        .into_iter()
        .partition(|problem| is_for_good(problem.kind()));
    if let Some(problem) = passing.into_iter().next() {
        return Err(problem);
    }
    for problem in for_good {
        // A token that may report none of the batch is a mistake in the set-up, which somebody can mend.
        if problem.kind() == Kind::Forbidden && !is_any_taken {
            return Err(problem);
        }
        left_out.add(problem);
    }
    Ok(answer::json(&Done {
        result: "ok",
        refused: left_out.count,
        reason: left_out.first.map(|problem| problem.summary()),
    }))
}

/// Whether the location will not be better the next time.
fn is_for_good(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Malformed | Kind::Ahead | Kind::IdTooLong | Kind::Forbidden
    )
}

async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let mut body = BoundedBody::new(body, BODY_BYTES_MAX, BODY_TIME);
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// The report of a location; `None` if it tells of no place, as the end of a trip without one.
fn report_of(location: &RawValue) -> Option<Result<ReportTexts<'static>, Problem>> {
    let feature: Feature<'_> = match serde_json::from_str(location.get()) {
        Ok(feature) => feature,
        Err(error) => {
            let fault = Fault::of("locations", &error);
            return Some(Err(Problem::malformed(vec![fault])));
        }
    };
    let coordinates = feature.geometry?.coordinates?;
    // A point; lines and areas have further brackets.
    let point: Vec<&RawValue> = serde_json::from_str(coordinates.get()).ok()?;
    let [longitude, latitude, ..] = point.as_slice() else {
        return None;
    };
    let properties = feature.properties?;
    let time = seconds(properties.timestamp.as_deref()?);
    let client = properties.device_id.unwrap_or_default();
    if let Some(reason) = client_fault(client.as_bytes()) {
        let reason = format!("device_id: {reason}; set a device id in the app");
        return Some(Err(Problem::malformed(vec![Fault::new("client", reason)])));
    }
    let numbers = [latitude, longitude].map(|number| Some(number.get().to_owned()));
    Some(ReportTexts::of_numbers(
        client.into_bytes().into(),
        numbers,
        Some(time),
    ))
}
