//! The parameters of a request, and all that is wrong with them.

use std::fmt::Display;

use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use herd_crdt::Operands;
use percent_encoding::percent_decode_str;

use super::decimal;
use super::problem::{Fault, Problem};

/// The parameters of an address. Values are bytes, for a client ID may be any. A `+` is a plus: nothing here holds blanks.
pub(super) struct Query {
    pairs: Vec<(String, Vec<u8>)>,
    faults: Vec<Fault>,
    is_cut: bool,
}

/// The most parameters. Each is compared with those before it.
const PARAMETERS_MAX: usize = 64;

/// A plain text for numbers that stand for no number.
pub(super) const NO_BOUND: &[u8] = b"*";

impl Query {
    /// The parameters of an address, of which some may be none.
    pub(super) fn of(uri: &Uri) -> Self {
        Query::of_text(uri.query().unwrap_or_default())
    }

    /// Those of a form.
    pub(super) fn of_text(text: &str) -> Self {
        let mut query = Query {
            pairs: Vec::new(),
            faults: Vec::new(),
            is_cut: false,
        };
        let mut parts = text.split('&').filter(|part| !part.is_empty());
        for part in parts.by_ref().take(PARAMETERS_MAX) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
            if query.pairs.iter().any(|(known, _)| *known == name) {
                Fault::of_stranger(&name, "is given more than once").note(&mut query.faults);
                continue;
            }
            let value = percent_decode_str(value).collect();
            query.pairs.push((name, value));
        }
        query.is_cut = parts.next().is_some();
        query
    }

    /// For paths that pass over parameters that they do not know, and so never call [`Query::finish`].
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn bounded(self) -> Result<Self, Problem> {
        match self.is_cut {
            true => Err(too_many()),
            false => Ok(self),
        }
    }

    /// Takes a parameter.
    pub(super) fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        let at = self.pairs.iter().position(|(known, _)| known == name)?;
        Some(self.pairs.swap_remove(at).1)
    }

    /// Whether a parameter is there that was not taken yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(known, _)| known == name)
    }

    /// Notes a mistake if a parameter that has to be there is not.
    pub(super) fn require(&mut self, name: &'static str) {
        if !self.has(name) {
            self.fault(name, &"is missing");
        }
    }

    /// Takes a client ID.
    pub(super) fn take_client(&mut self, name: &'static str) -> Option<Vec<u8>> {
        let client = self.take(name)?;
        match client_fault(&client) {
            None => Some(client),
            Some(reason) => {
                self.fault(name, &reason);
                None
            }
        }
    }

    /// Takes bytes as base64.
    pub(super) fn take_base64(&mut self, name: &'static str) -> Option<Vec<u8>> {
        let decoded = STANDARD.decode(self.take(name)?);
        if decoded.is_err() {
            self.fault(name, &"is not base64");
        }
        decoded.ok()
    }

    /// Takes a number as its decimal, or `*`; then reads it.
    pub(super) fn take_number<T, E: Display>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let text = match value.as_slice() {
            NO_BOUND => value,
            number => decimal::canonical(number).map_or(value, String::into_bytes),
        };
        match read(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, &error);
                None
            }
        }
    }

    /// Takes latitude and longitude as a location's text. Says nothing if neither is there.
    pub(super) fn take_point(&mut self) -> Option<String> {
        let (latitude, longitude) = (self.take("latitude"), self.take("longitude"));
        if latitude.is_none() && longitude.is_none() {
            return None;
        }
        let latitude = self.degrees("latitude", latitude);
        let longitude = self.degrees("longitude", longitude);
        let location = [latitude?, longitude?].concat();
        Some(location)
    }

    /// The signed text of a number of degrees. Where it lies is checked.
    fn degrees(&mut self, name: &'static str, value: Option<Vec<u8>>) -> Option<String> {
        let Some(value) = value else {
            self.fault(name, &"is missing");
            return None;
        };
        match signed_degrees(&value, name == "latitude") {
            Some(text) => Some(text),
            None => {
                self.fault(name, &degrees_wanted(name == "latitude"));
                None
            }
        }
    }

    /// Takes a box, `west,south,east,north`, as the texts of its southwestern and its northeastern corner.
    pub(super) fn take_box(&mut self) -> Option<[String; 2]> {
        let text = self.take("bbox")?;
        let parts: Vec<&[u8]> = text.split(|&byte| byte == b',').collect();
        let &[west, south, east, north] = parts.as_slice() else {
            self.fault("bbox", &"is not west,south,east,north");
            return None;
        };
        let mut corners = [String::new(), String::new()];
        let sides = [
            ("south", south, true, 0),
            ("west", west, false, 0),
            ("north", north, true, 1),
            ("east", east, false, 1),
        ];
        let mut is_whole = true;
        for (name, value, is_latitude, corner) in sides {
            match signed_degrees(value, is_latitude) {
                Some(text) => corners[corner].push_str(&text),
                None => {
                    is_whole = false;
                    self.fault("bbox", &format!("{name} {}", degrees_wanted(is_latitude)));
                }
            }
        }
        is_whole.then_some(corners)
    }

    /// Notes a mistake.
    pub(super) fn fault(&mut self, name: &'static str, reason: &impl Display) {
        Fault::of(name, &reason).note(&mut self.faults);
    }

    /// All was taken that is a parameter of this path.
    ///
    /// # Errors
    /// Every mistake; what was not taken is one.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        if self.is_cut {
            return Err(too_many());
        }
        for (name, _) in std::mem::take(&mut self.pairs) {
            Fault::of_stranger(&name, "is no parameter of this path").note(&mut self.faults);
        }
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Problem::malformed(self.faults))
        }
    }
}

fn too_many() -> Problem {
    let fault = Fault::new("parameters", "there are more than 64");
    Problem::malformed(vec![fault])
}

/// What is wrong with a client ID.
pub(super) fn client_fault(client: &[u8]) -> Option<String> {
    // A tombstone's operands are those of a client alone.
    let checked = Operands::tombstone(client, b"0");
    checked.err().map(|invalid| invalid.to_string())
}

/// The text of a latitude or a longitude, if it is one.
pub(super) fn signed_degrees(value: &[u8], is_latitude: bool) -> Option<String> {
    let text = decimal::canonical_signed(value)?;
    is_degrees(&text, is_latitude).then_some(text)
}

/// Whether a text is a latitude or a longitude as a location has it.
pub(super) fn is_degrees(text: &str, is_latitude: bool) -> bool {
    let location = match is_latitude {
        true => [text, "+0"].concat(),
        false => ["+0", text].concat(),
    };
    herd_crdt::Location::parse(location.as_bytes()).is_ok()
}

/// What a latitude or a longitude is.
pub(super) fn degrees_wanted(is_latitude: bool) -> &'static str {
    match is_latitude {
        true => "is not a number of degrees from -90 to 90",
        false => "is not a number of degrees from -180 to 180",
    }
}

#[cfg(test)]
mod tests {
    use herd_protocol::{parse_limit, parse_reach};
    use proptest::prelude::*;

    use super::*;

    fn query(text: &str) -> Query {
        Query::of(&format!("/v1/nearby?{text}").parse().unwrap())
    }

    #[test]
    fn parameters_are_bytes_and_a_plus_is_a_plus() {
        let mut some =
            query("client=a%2Fb%FF&latitude=+34.0690&longitude=-1.18445e2&radius_km=*&&limit=1e1");
        assert_eq!(some.take_client("client").as_deref(), Some(&b"a/b\xff"[..]));
        assert_eq!(some.take_point().as_deref(), Some("+34.069-118.445"));
        assert_eq!(
            some.take_number("radius_km", parse_reach)
                .map(|radius| radius.is_none()),
            Some(true)
        );
        assert_eq!(some.take_number("limit", parse_limit), Some(10));
        assert!(some.finish().is_ok());
    }

    #[test]
    fn every_mistake_is_named() {
        let mut some = query("latitude=91&client=a%20b&client=c&radius_km=x&bbox=1,2,3&nothing=1");
        assert_eq!(some.take_client("client"), None);
        assert_eq!(some.take_point(), None);
        assert!(some.take_number("radius_km", parse_reach).is_none());
        assert_eq!(some.take_box(), None);
        some.require("prefix");
        let problem = serde_json::to_value(some.finish().unwrap_err().view()).unwrap();
        let fields = problem["errors"].as_array().unwrap().iter();
        let fields: Vec<&str> = fields
            .map(|fault| fault["field"].as_str().unwrap())
            .collect();
        let expected = [
            "client",
            "client",
            "latitude",
            "longitude",
            "radius_km",
            "bbox",
            "prefix",
            "nothing",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn so_many_mistakes_are_named_and_no_more() {
        let names = (0..60).map(|number| format!("{}{number}=1", "x".repeat(100)));
        let some = query(&names.collect::<Vec<_>>().join("&"));
        let problem = serde_json::to_value(some.finish().unwrap_err().view()).unwrap();
        let faults = problem["errors"].as_array().unwrap();
        assert_eq!(faults.len(), 33);
        assert_eq!(faults[0]["field"], "x".repeat(64));
        assert_eq!(faults[31]["detail"], "is no parameter of this path");
        assert_eq!(faults[32]["detail"], "and further ones");
    }

    #[test]
    fn so_many_parameters_are_read_and_no_more() {
        let of = |count: usize| Query::of_text(&"a=1&&".repeat(count));
        assert!(of(PARAMETERS_MAX).bounded().is_ok());
        for refused in [
            of(PARAMETERS_MAX + 1).finish(),
            of(65).bounded().map(|_| ()),
        ] {
            let problem = refused.unwrap_err();
            assert!(problem.names("parameters"));
        }
    }

    #[test]
    fn a_box_goes_from_southwest_to_northeast() {
        let corners = query("bbox=170,-10.50,-170,10").take_box().unwrap();
        assert_eq!(corners, ["-10.5+170", "+10-170"]);
        let mut wrong = query("bbox=181,0,x,0");
        assert_eq!(wrong.take_box(), None);
        assert_eq!(wrong.faults.len(), 2);
    }

    proptest! {
        #[test]
        fn any_query_is_taken_or_refused(text in "[a-z%=&+,.0-9]{0,60}") {
            let mut some = query(&text);
            let _ = (some.take_client("a"), some.take_point(), some.take_box());
            let _ = some.finish();
        }
    }
}
