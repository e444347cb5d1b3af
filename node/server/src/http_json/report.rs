//! A report in JSON, and all that is wrong with it.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use herd_crdt::{Operands, ReportTime};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::decimal;
use super::problem::{Fault, Problem};
use super::query::{client_fault, degrees_wanted, is_degrees};
use super::rfc3339;

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
    /// Every mistake that shows before the texts are checked.
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
            _ => Err(Problem::malformed(faults)),
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

    /// The texts, checked. `now` is the server's clock, in seconds.
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
        if let Some(reason) = client_fault(&self.client) {
            faults.push(Fault::new("client", reason));
        }
        if let Err(invalid) = herd_crdt::Location::parse(self.location.text().as_bytes()) {
            let before = faults.len();
            if let Location::Both(text, middle) = &self.location {
                let (latitude, longitude) = text.split_at(*middle);
                let both = [
                    ("latitude", latitude, true),
                    ("longitude", longitude, false),
                ];
                for (name, text, is_latitude) in both {
                    if !is_degrees(text, is_latitude) {
                        faults.push(Fault::new(name, degrees_wanted(is_latitude)));
                    }
                }
            }
            if faults.len() == before {
                faults.push(Fault::of("location", &invalid));
            }
        }
        if let Some(time) = &self.time
            && let Err(invalid) = ReportTime::parse(time.as_bytes())
        {
            faults.push(Fault::of("time", &invalid));
        }
        faults
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

/// The members of a report, as they stand in its text.
#[derive(Default)]
struct Members<'a> {
    client: Option<&'a RawValue>,
    client_base64: Option<&'a RawValue>,
    latitude: Option<&'a RawValue>,
    longitude: Option<&'a RawValue>,
    location: Option<&'a RawValue>,
    time: Option<&'a RawValue>,
    faults: Vec<Fault>,
}

/// The value of a member.
enum Value<'a> {
    Text(Cow<'a, str>),
    Number(&'a str),
    Other,
}

/// The name of a member, borrowed if it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'a> Members<'a> {
    fn read(json: &'a [u8]) -> Result<Self, Problem> {
        serde_json::from_slice(json)
            .map_err(|error| Problem::malformed(vec![Fault::of("body", &error)]))
    }

    fn place(&mut self, name: &str) -> Option<&mut Option<&'a RawValue>> {
        Some(match name {
            "client" => &mut self.client,
            "client_base64" => &mut self.client_base64,
            "latitude" => &mut self.latitude,
            "longitude" => &mut self.longitude,
            "location" => &mut self.location,
            "time" => &mut self.time,
            _ => return None,
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a report")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some(Name(name)) = map.next_key()? {
                    let value: &'de RawValue = map.next_value()?;
                    let Some(place) = members.place(&name) else {
                        let name: String = name.chars().take(64).collect();
                        members
                            .faults
                            .push(Fault::new(name, "is no member of a report"));
                        continue;
                    };
                    if place.is_some() {
                        return Err(A::Error::custom(format!("`{name}` is there twice")));
                    }
                    if value.get() != "null" {
                        *place = Some(value);
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a member")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

impl<'a> Value<'a> {
    fn of(raw: &'a RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'"') if !text.contains('\\') => {
                let inside = text.get(1..text.len() - 1).unwrap_or_default();
                Value::Text(Cow::Borrowed(inside))
            }
            Some(b'"') => match serde_json::from_str(text) {
                Ok(text) => Value::Text(Cow::Owned(text)),
                // Such as half of a pair of surrogates, which is no text.
                Err(_) => Value::Other,
            },
            Some(b'-' | b'0'..=b'9') => Value::Number(text),
            _ => Value::Other,
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
        let mut text = latitude?;
        let middle = text.len();
        text.push_str(&longitude?);
        return Some(Location::Both(text, middle));
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The three texts of a report of no path, or the fields that are wrong.
    fn read(json: &str) -> Result<[String; 3], Vec<String>> {
        let fields = |problem: Problem| -> Vec<String> {
            let problem = serde_json::to_value(problem.view()).unwrap();
            let faults = problem["errors"].as_array().unwrap().iter();
            faults
                .map(|fault| fault["field"].as_str().unwrap().to_owned())
                .collect()
        };
        let texts = ReportTexts::read(json.as_bytes(), None).map_err(fields)?;
        let operands = texts.operands("7.5").map_err(fields)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok([
            text(operands.client()),
            text(operands.location()),
            text(operands.time()),
        ])
    }

    #[test]
    fn texts_are_kept_and_numbers_are_canonical() {
        for (json, expected) in [
            (
                r#"{"client":"van7","latitude":34.068930,"longitude":-118.445127,"time":"1520023934.918963997"}"#,
                ["van7", "+34.06893-118.445127", "1520023934.918963997"],
            ),
            (
                r#" { "client" : "van\u0037" , "latitude" : "34.068930", "longitude":"-0118.10" , "time" : 15.20 } "#,
                ["van7", "+34.068930-0118.10", "15.2"],
            ),
            (
                r#"{"client_base64":"dmFuNw==","location":"+34.068930-118.445127","time":null}"#,
                ["van7", "+34.068930-118.445127", "7.5"],
            ),
            (
                r#"{"client":"Zürich","latitude":1e1,"longitude":-0,"time":"2018-03-02T20:52:14.9Z"}"#,
                ["Zürich", "+10+0", "1520023934.9"],
            ),
        ] {
            assert_eq!(
                read(json)
                    .as_ref()
                    .map(|texts| texts.each_ref().map(String::as_str)),
                Ok(expected),
                "{json}"
            );
        }
    }

    #[test]
    fn every_mistake_of_a_report_is_named() {
        for (json, fields) in [
            ("", &["body"][..]),
            ("[]", &["body"]),
            ("{} x", &["body"]),
            (r#"{"client":"a","client":"b"}"#, &["body"]),
            (
                r#"{"client":"a","latitude":1,"longitude":2,"latitude":3}"#,
                &["body"],
            ),
            ("{}", &["client", "latitude", "longitude"]),
            (
                r#"{"lat":1,"client":1,"latitude":[],"longitude":true,"time":{}}"#,
                &["lat", "client", "latitude", "longitude", "time"],
            ),
            (
                r#"{"client":"a b","latitude":91,"longitude":181,"time":9223372037}"#,
                &["client", "latitude", "longitude", "time"],
            ),
            (r#"{"client":"a","location":"34-118"}"#, &["location"]),
            (
                r#"{"client":"a","location":"+1+1","latitude":1}"#,
                &["location"],
            ),
            (
                r#"{"client":"a","client_base64":"YQ==","location":"+1+1"}"#,
                &["client_base64"],
            ),
            (
                r#"{"client_base64":"?","location":1}"#,
                &["client_base64", "location"],
            ),
            (r#"{"client":"\ud800","location":"+1+1"}"#, &["client"]),
            (
                r#"{"client":"a","location":"+1+1","time":"yesterday at 12:00"}"#,
                &["time"],
            ),
            (
                r#"{"client":"a","location":"+1+1","time":1.0123456789}"#,
                &["time"],
            ),
            (
                r#"{"client":"a","latitude":"","longitude":"+1+1"}"#,
                &["latitude", "longitude"],
            ),
            (
                r#"{"client":"a","latitude":1e64,"longitude":0}"#,
                &["latitude"],
            ),
        ] {
            let expected: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
            assert_eq!(read(json), Err(expected), "{json}");
        }
    }

    #[test]
    fn the_client_of_the_path_is_the_clients() {
        let read = |json: &'static str, of: &'static [u8]| {
            let texts = ReportTexts::read(json.as_bytes(), Some(of));
            texts.map(|texts| texts.client().to_vec()).ok()
        };
        let rest = r#"{"location":"+1+1"}"#;
        assert_eq!(read(rest, b"\xff"), Some(b"\xff".to_vec()));
        assert_eq!(
            read(r#"{"client":"a","location":"+1+1"}"#, b"a"),
            Some(b"a".to_vec())
        );
        assert_eq!(read(r#"{"client":"b","location":"+1+1"}"#, b"a"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_report_or_refused(bytes: Vec<u8>) {
            if let Ok(texts) = ReportTexts::read(&bytes, None) {
                let _ = texts.operands("1");
            }
        }

        #[test]
        fn any_members_are_a_report_or_refused(
            members in prop::collection::vec(
                ("client|client_base64|latitude|longitude|location|time|x", "\"[-+.0-9eTZ:a=\\\\]{0,9}\"|-?[0-9.e]{1,6}|null|\\[\\]"),
                0..6,
            )
        ) {
            let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let json = format!("{{{}}}", members.join(","));
            if let Ok(texts) = ReportTexts::read(json.as_bytes(), None)
                && let Err(problem) = texts.operands("1")
            {
                let problem = serde_json::to_value(problem.view()).unwrap();
                prop_assert!(!problem["errors"].as_array().unwrap().is_empty());
            }
        }
    }
}
