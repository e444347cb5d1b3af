//! A report in JSON, and all that is wrong with it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use herd_crdt::{Operands, ReportTime};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use self::members::{Members, Value};
use super::decimal;
use super::problem::{Fault, Problem};
use super::query::{client_fault, degrees_wanted, is_degrees};
use super::rfc3339;
use crate::location_service::Batch;

mod members;

/// A report as the document describes it. It is read without being built: see [`ReportTexts`].
#[derive(ToSchema)]
#[schema(as = Report)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct ReportView {
    /// The client's ID. In a body for one client it may be left out, or has to be that of the path.
    #[schema(required = false, min_length = 1, max_length = 8192, example = "van7")]
    client: String,
    /// The ID in base64, if it is not UTF-8 text.
    #[schema(required = false)]
    client_base64: String,
    /// Degrees north, -90 to 90, as a number or as its text. A text is kept to the byte.
    #[schema(required = false, value_type = NumberOrText, example = 34.06893)]
    latitude: NumberOrText,
    /// Degrees east, -180 to 180, as the latitude.
    #[schema(required = false, value_type = NumberOrText, example = -118.445127)]
    longitude: NumberOrText,
    /// In place of both: latitude and longitude in one text, each with its sign.
    #[schema(required = false, max_length = 64, example = "+34.068930-118.445127")]
    location: String,
    /// When the client was there: seconds since 1970 as a number or as its text, or a time of RFC 3339. Left out: now, by
    /// the server's clock.
    #[schema(required = false, value_type = NumberOrText, example = "1520023934.918963997")]
    time: NumberOrText,
}

/// A number, or its text.
#[derive(ToSchema)]
#[schema(as = NumberOrText)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) enum NumberOrText {
    /// A number.
    Number(f64),
    /// Its text.
    Text(String),
}

/// The three texts of a report, as far as they can be made; [`ReportTexts::operands`] checks them.
#[derive(Debug)]
pub(super) struct ReportTexts<'a> {
    client: Cow<'a, [u8]>,
    location: Location<'a>,
    /// `None` is now.
    time: Option<Cow<'a, str>>,
}

/// How a report says where.
#[derive(Debug)]
enum Location<'a> {
    /// By one text.
    Whole(Cow<'a, str>),
    /// By two, which are one text from here on; the second begins there.
    Both(String, usize),
}

impl<'a> ReportTexts<'a> {
    /// Reads a report. `of` is the client of the path, if there is one.
    ///
    /// # Errors
    /// Every mistake, if one shows before the texts are checked.
    pub(super) fn read(json: &'a [u8], of: Option<&'a [u8]>) -> Result<Self, Problem> {
        let members = Members::read(json)?;
        let mut faults = members.faults;
        let client = client(members.client, members.client_base64, of, &mut faults);
        let location = location(
            members.location,
            [members.latitude, members.longitude],
            &mut faults,
        );
        let time = time(members.time, &mut faults);
        match (client, location) {
            (Some(client), Some(location)) if faults.is_empty() => Ok(ReportTexts {
                client,
                location,
                time,
            }),
            (client, location) => {
                note_client(client.as_deref(), &mut faults);
                note_location(location.as_ref(), &mut faults);
                note_time(time.as_deref(), &mut faults);
                Err(Problem::malformed(faults))
            }
        }
    }

    /// A report of numbers: latitude and longitude, and seconds since 1970, which are now if they are not there.
    ///
    /// # Errors
    /// Every number that is missing or none.
    pub(super) fn of_numbers(
        client: Cow<'a, [u8]>,
        [latitude, longitude]: [Option<String>; 2],
        time: Option<String>,
    ) -> Result<Self, Problem> {
        let mut faults = Vec::new();
        let mut number = |name: &'static str, text: Option<String>| {
            let text = text.unwrap_or_default();
            let read = decimal::canonical_signed(text.trim_matches('"').as_bytes());
            if read.is_none() {
                faults.push(Fault::new(name, degrees_wanted(name == "latitude")));
            }
            read.unwrap_or_default()
        };
        let mut location = number("latitude", latitude);
        let middle = location.len();
        location.push_str(&number("longitude", longitude));
        let time = time.map(|time| match decimal::canonical(time.as_bytes()) {
            Some(time) => Cow::Owned(time),
            None => {
                faults.push(Fault::new("time", TIME_WANTED));
                Cow::Borrowed("")
            }
        });
        match faults.is_empty() {
            true => Ok(ReportTexts {
                client,
                location: Location::Both(location, middle),
                time,
            }),
            false => Err(Problem::malformed(faults)),
        }
    }

    /// The client's ID.
    pub(super) fn client(&self) -> &[u8] {
        &self.client
    }

    /// When it counts as received, in nanoseconds, and the time of a report that has none: a fresh one of the batch, lest
    /// two reports of a client have the same and one of them be lost. Else `received_ns`.
    pub(super) fn received(&self, batch: &mut Batch<'_>, received_ns: i64) -> (i64, String) {
        if self.time.is_some() {
            return (received_ns, String::new());
        }
        let own_ns = batch.next_time_ns();
        (own_ns, ReportTime::of_ns(own_ns).to_text())
    }

    /// The texts, checked. `now` is the time of a report that has none, in seconds.
    ///
    /// # Errors
    /// Every one that is wrong.
    pub(super) fn operands<'b>(&'b self, now: &'b str) -> Result<Operands<'b>, Problem> {
        let location = self.location.text();
        let time = self.time.as_deref().unwrap_or(now);
        let checked = Operands::check(&self.client, location.as_bytes(), time.as_bytes());
        checked.map_err(|_| Problem::malformed(self.faults()))
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        note_client(Some(&self.client), &mut faults);
        note_location(Some(&self.location), &mut faults);
        note_time(self.time.as_deref(), &mut faults);
        faults
    }
}

/// Notes what is wrong with an ID, if there is one.
fn note_client(client: Option<&[u8]>, faults: &mut Vec<Fault>) {
    if let Some(reason) = client.and_then(client_fault) {
        faults.push(Fault::new("client", reason));
    }
}

/// The same of a location.
fn note_location(location: Option<&Location<'_>>, faults: &mut Vec<Fault>) {
    let Some(location) = location else { return };
    let Err(invalid) = herd_crdt::Location::parse(location.text().as_bytes()) else {
        return;
    };
    let before = faults.len();
    if let Location::Both(text, middle) = location {
        let (latitude, longitude) = text.split_at(*middle);
        note_degrees(Some(latitude), true, faults);
        note_degrees(Some(longitude), false, faults);
    }
    if faults.len() == before {
        faults.push(Fault::of("location", &invalid));
    }
}

/// The same of a latitude or a longitude.
fn note_degrees(text: Option<&str>, is_latitude: bool, faults: &mut Vec<Fault>) {
    if text.is_some_and(|text| !is_degrees(text, is_latitude)) {
        let name = if is_latitude { "latitude" } else { "longitude" };
        faults.push(Fault::new(name, degrees_wanted(is_latitude)));
    }
}

/// The same of a time.
fn note_time(time: Option<&str>, faults: &mut Vec<Fault>) {
    if let Some(time) = time
        && let Err(invalid) = ReportTime::parse(time.as_bytes())
    {
        faults.push(Fault::of("time", &invalid));
    }
}

impl Location<'_> {
    fn text(&self) -> &str {
        match self {
            Location::Whole(text) => text,
            Location::Both(text, _) => text,
        }
    }
}

fn client<'a>(
    text: Option<&'a RawValue>,
    base64: Option<&'a RawValue>,
    of: Option<&'a [u8]>,
    faults: &mut Vec<Fault>,
) -> Option<Cow<'a, [u8]>> {
    let client = match (text.map(Value::of), base64.map(Value::of)) {
        (Some(_), Some(_)) => {
            faults.push(Fault::new("client_base64", "is there beside client"));
            return None;
        }
        (Some(Value::Text(Cow::Borrowed(client))), None) => Cow::Borrowed(client.as_bytes()),
        (Some(Value::Text(Cow::Owned(client))), None) => Cow::Owned(client.into_bytes()),
        (Some(_), None) => {
            faults.push(Fault::new("client", "is not a text"));
            return None;
        }
        (None, Some(base64)) => {
            let decoded = match base64 {
                Value::Text(base64) => STANDARD.decode(base64.as_bytes()).ok(),
                Value::Number(_) | Value::Other => None,
            };
            if decoded.is_none() {
                faults.push(Fault::new("client_base64", "is not a text of base64"));
            }
            Cow::Owned(decoded?)
        }
        (None, None) => match of {
            Some(client) => Cow::Borrowed(client),
            None => {
                faults.push(Fault::new("client", "is missing"));
                return None;
            }
        },
    };
    if of.is_some_and(|of| *client != *of) {
        faults.push(Fault::new("client", "is not the client of the path"));
        return None;
    }
    Some(client)
}

fn location<'a>(
    whole: Option<&'a RawValue>,
    both: [Option<&'a RawValue>; 2],
    faults: &mut Vec<Fault>,
) -> Option<Location<'a>> {
    let Some(whole) = whole else {
        let [latitude, longitude] = both;
        let latitude = degrees(latitude, "latitude", faults);
        let longitude = degrees(longitude, "longitude", faults);
        return match (latitude, longitude) {
            (Some(mut text), Some(longitude)) => {
                let middle = text.len();
                text.push_str(&longitude);
                Some(Location::Both(text, middle))
            }
            (latitude, longitude) => {
                note_degrees(latitude.as_deref(), true, faults);
                note_degrees(longitude.as_deref(), false, faults);
                None
            }
        };
    };
    if both.iter().any(Option::is_some) {
        faults.push(Fault::new(
            "location",
            "is there beside latitude or longitude",
        ));
        return None;
    }
    match Value::of(whole) {
        Value::Text(text) => Some(Location::Whole(text)),
        Value::Number(_) | Value::Other => {
            faults.push(Fault::new("location", "is not a text"));
            None
        }
    }
}

/// The signed text of degrees: a text to the byte, but for a sign where it has none.
fn degrees(
    value: Option<&RawValue>,
    name: &'static str,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let Some(value) = value else {
        faults.push(Fault::new(name, "is missing"));
        return None;
    };
    let text = match Value::of(value) {
        Value::Text(text) if text.starts_with(['+', '-']) => Some(text.into_owned()),
        Value::Text(text) => Some(format!("+{text}")),
        Value::Number(number) => decimal::canonical_signed(number.as_bytes()),
        Value::Other => None,
    };
    if text.is_none() {
        faults.push(Fault::new(name, degrees_wanted(name == "latitude")));
    }
    text
}

/// What a time is.
const TIME_WANTED: &str =
    "is neither seconds since 1970 nor a time of RFC 3339 with its distance from UTC";

/// A time, if it is there. A text to the byte, unless it is one of RFC 3339.
fn time<'a>(value: Option<&'a RawValue>, faults: &mut Vec<Fault>) -> Option<Cow<'a, str>> {
    let text = match Value::of(value?) {
        Value::Text(text) if rfc3339::is_meant(&text) => rfc3339::seconds(&text).map(Cow::Owned),
        Value::Text(text) => Some(text),
        Value::Number(number) => decimal::canonical(number.as_bytes()).map(Cow::Owned),
        Value::Other => None,
    };
    if text.is_none() {
        faults.push(Fault::new("time", TIME_WANTED));
    }
    text
}

#[cfg(test)]
mod tests;
