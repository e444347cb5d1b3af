//! The members of a report, found without building any of them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::http_json::problem::{Fault, Problem};

/// The members of a report, as they stand in its text.
#[derive(Default)]
pub(super) struct Members<'a> {
    pub(super) client: Option<&'a RawValue>,
    pub(super) client_base64: Option<&'a RawValue>,
    pub(super) latitude: Option<&'a RawValue>,
    pub(super) longitude: Option<&'a RawValue>,
    pub(super) location: Option<&'a RawValue>,
    pub(super) time: Option<&'a RawValue>,
    pub(super) faults: Vec<Fault>,
}

/// The value of a member.
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(&'a str),
    Other,
}

/// The name of a member, borrowed if it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'a> Members<'a> {
    pub(super) fn read(json: &'a [u8]) -> Result<Self, Problem> {
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
                        let fault = Fault::of_stranger(&name, "is no member of a report");
                        fault.note(&mut members.faults);
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
    pub(super) fn of(raw: &'a RawValue) -> Self {
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
