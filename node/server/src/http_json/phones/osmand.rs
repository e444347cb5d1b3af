//! OsmAnd's protocol, which Traccar Client and GPSLogger speak too (<https://www.traccar.org/osmand/>).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::outcome::worth_telling;
use crate::http_json::api::HttpApi;
use crate::http_json::body;
use crate::http_json::caller::Caller;
use crate::http_json::cross_origin::is_of_browser;
use crate::http_json::problem::{Fault, Kind, Problem};
use crate::http_json::query::Query;
use crate::http_json::report::ReportTexts;
use crate::http_json::rfc3339;

/// Numbers from here on are milliseconds: as seconds they are after the year 5000.
const MILLISECONDS_FROM: f64 = 1e11;

/// The body of newer apps, as far as it matters here.
#[derive(Deserialize)]
struct Message<'a> {
    device_id: Option<String>,
    #[serde(borrow)]
    location: Option<Place<'a>>,
}

#[derive(Deserialize)]
struct Place<'a> {
    timestamp: Option<String>,
    #[serde(borrow)]
    coords: Option<Coordinates<'a>>,
}

#[derive(Deserialize)]
struct Coordinates<'a> {
    #[serde(borrow)]
    latitude: Option<&'a RawValue>,
    #[serde(borrow)]
    longitude: Option<&'a RawValue>,
}

/// A report in the address.
pub(super) async fn osmand_get(
    State(api): State<Arc<HttpApi>>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // A page from elsewhere could send one with an image.
    if is_of_browser(&headers) {
        return Err(Problem::with(
            Kind::FromElsewhere,
            "a browser reports nothing in this way",
        ));
    }
    taken_in(&api, &caller, in_address(Query::of(&uri))?).await
}

/// A report in the address, in a form, or in JSON.
pub(super) async fn osmand_post(
    State(api): State<Arc<HttpApi>>,
    caller: Caller,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let body = body::small(body).await?;
    let text = body.trim_ascii();
    let texts = match text.first() {
        None => in_address(Query::of(&uri))?,
        Some(b'{') => in_json(text)?,
        Some(_) => {
            let malformed =
                |_| Problem::malformed(vec![Fault::new("body", "is neither JSON nor a form")]);
            let text = str::from_utf8(text).map_err(malformed)?;
            in_address(Query::of_text(text))?
        }
    };
    taken_in(&api, &caller, texts).await
}

async fn taken_in(
    api: &HttpApi,
    caller: &Caller,
    texts: ReportTexts<'_>,
) -> Result<Response, Problem> {
    let taken = api.take_in_texts(caller, &texts).await;
    taken.map(|_| ()).or_else(worth_telling)?;
    Ok(().into_response())
}

fn in_address(query: Query) -> Result<ReportTexts<'static>, Problem> {
    let mut query = query.bounded()?;
    let client = query
        .take("id")
        .or_else(|| query.take("deviceid"))
        .unwrap_or_default();
    let mut text = |name| {
        query
            .take(name)
            .map(|value| String::from_utf8_lossy(&value).into_owned())
    };
    let numbers = [text("lat"), text("lon")];
    let time = text("timestamp").map(|time| seconds(&time));
    ReportTexts::of_numbers(client.into(), numbers, time)
}

fn in_json(json: &[u8]) -> Result<ReportTexts<'static>, Problem> {
    let message: Message<'_> = serde_json::from_slice(json)
        .map_err(|error| Problem::malformed(vec![Fault::of("body", &error)]))?;
    let client = message.device_id.unwrap_or_default().into_bytes();
    let (time, coords) = message
        .location
        .map_or((None, None), |place| (place.timestamp, place.coords));
    let number = |value: Option<&'_ RawValue>| value.map(|value| value.get().to_owned());
    let numbers = coords.map_or([None, None], |coords| {
        [coords.latitude, coords.longitude].map(number)
    });
    ReportTexts::of_numbers(client.into(), numbers, time.map(|time| seconds(&time)))
}

/// The seconds of a time in seconds, in milliseconds, or as RFC 3339, of UTC unless it says otherwise. Any other text stays
/// as it is, and is refused for that.
pub(super) fn seconds(time: &str) -> String {
    if rfc3339::is_meant(time) {
        let of_utc = || rfc3339::seconds(&format!("{time}Z"));
        return rfc3339::seconds(time)
            .or_else(of_utc)
            .unwrap_or_else(|| time.to_owned());
    }
    match time.parse::<f64>() {
        // The dot goes three places to the left: no digit is lost.
        Ok(number) if number >= MILLISECONDS_FROM => format!("{time}e-3"),
        _ => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_milliseconds_or_text() {
        for (time, expected) in [
            ("1520023934", "1520023934"),
            ("1520023934.5", "1520023934.5"),
            ("1520023934918", "1520023934918e-3"),
            ("2018-03-02T20:52:14.918Z", "1520023934.918"),
            ("2018-03-02 20:52:14", "1520023934"),
            ("2018-03-02T12:52:14-0800", "1520023934"),
            ("soon", "soon"),
        ] {
            assert_eq!(seconds(time), expected, "{time}");
        }
    }
}
