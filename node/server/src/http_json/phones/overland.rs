//! Overland's batches of GeoJSON (<https://github.com/aaronpk/Overland-iOS#api>).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::osmand::seconds;
use super::outcome::worth_telling;
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
    locations: Vec<Feature<'a>>,
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
    result: &'static str,
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
    if batch.locations.len() > LOCATIONS_MAX {
        return Err(Problem::with(
            Kind::TooLarge,
            "a batch has 5000 locations at most",
        ));
    }
    let mut texts = Vec::with_capacity(batch.locations.len());
    for feature in &batch.locations {
        // What is no place, such as the end of a trip without one, is passed over: the app would send it for ever.
        match report_of(feature) {
            Some(Ok(report)) => texts.push(report),
            Some(Err(problem)) if problem.names("client") => return Err(problem),
            Some(Err(_)) => api.count(0, 1),
            None => {}
        }
    }
    let refused = api.take_in_all(&caller, &texts).await;
    // One that breaks a rule will not be better the next time.
    let told = refused
        .into_iter()
        .filter(|problem| problem.kind() != Kind::Malformed);
    for problem in told {
        worth_telling(problem)?;
    }
    Ok(answer::json(&Done { result: "ok" }))
}

async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let mut body = BoundedBody::new(body, BODY_BYTES_MAX, BODY_TIME);
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// The report of a feature; `None` if it is none.
fn report_of(feature: &Feature<'_>) -> Option<Result<ReportTexts<'static>, Problem>> {
    let coordinates = feature.geometry.as_ref()?.coordinates?;
    // A point; lines and areas have further brackets.
    let point: Vec<&RawValue> = serde_json::from_str(coordinates.get()).ok()?;
    let [longitude, latitude, ..] = point.as_slice() else {
        return None;
    };
    let properties = feature.properties.as_ref()?;
    let time = seconds(properties.timestamp.as_deref()?);
    let client = properties.device_id.clone().unwrap_or_default();
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
