//! Checks before the JSON of a reply can be parsed.

use serde::Deserialize;

use super::error::{ProviderError, words};
use super::provider::HttpReply;

/// The longest name of a media type that is told further, in bytes.
const MEDIA_TYPE_BYTES_MAX: usize = 60;

/// The body of a reply, checked to be JSON by its name.
#[derive(Clone, Copy, Debug)]
pub struct JsonBody<'a>(&'a [u8]);

impl<'a> JsonBody<'a> {
    /// The body of a reply whose media type, if it names one, is that of JSON.
    ///
    /// # Errors
    /// If it is something else, such as a page for people.
    pub fn of(reply: &'a HttpReply) -> Result<Self, ProviderError> {
        if let Some(content_type) = &reply.content_type
            && !is_json(content_type)
        {
            let name: String = words(content_type)
                .chars()
                .take(MEDIA_TYPE_BYTES_MAX)
                .collect();
            return Err(ProviderError::NotJson(name));
        }
        if reply.body.trim_ascii().is_empty() {
            return Err(ProviderError::NotJson("nothing".to_owned()));
        }
        Ok(JsonBody(&reply.body))
    }

    /// The body, an object, as `T`.
    ///
    /// # Errors
    /// Says how it differs.
    pub fn read<T: Deserialize<'a>>(&self) -> Result<T, ProviderError> {
        // Serde would take a list for the fields of an object in their order.
        if matches!(self.0.trim_ascii_start(), [b'[' | b'"', ..]) {
            return Err(ProviderError::Malformed("it is not an object".to_owned()));
        }
        serde_json::from_slice(self.0).map_err(|error| {
            if error.is_data() {
                ProviderError::Malformed(words(&error.to_string()))
            } else {
                let position = format!("line {}, column {}", error.line(), error.column());
                ProviderError::NotJson(format!("text that is not JSON at {position}"))
            }
        })
    }
}

/// Whether a `Content-Type` names JSON.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    let subtype = subtype.to_ascii_lowercase();
    kind.eq_ignore_ascii_case("application") && (subtype == "json" || subtype.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn reply(content_type: Option<&str>, body: &'static str) -> HttpReply {
        HttpReply {
            status: 200,
            content_type: content_type.map(str::to_owned),
            retry_after: None,
            body: body.as_bytes().into(),
        }
    }

    #[test]
    fn a_body_that_is_not_json_is_named() {
        let told = |content_type, body| {
            let reply = reply(content_type, body);
            let read = JsonBody::of(&reply).and_then(|body| body.read::<HashMap<String, u8>>());
            read.map(|object| object.len())
                .map_err(|error| error.to_string())
        };
        let json = Some("application/json; charset=UTF-8");
        assert_eq!(told(json, "{\"a\": 1}"), Ok(1));
        assert_eq!(told(None, "{\"a\": 1}"), Ok(1));
        assert_eq!(told(Some("application/problem+json"), "{\"a\": 1}"), Ok(1));
        let error = |content_type, body| told(content_type, body).unwrap_err();
        assert_eq!(
            error(Some("text/html; charset=utf-8"), "<html>"),
            "answered text/html; charset=utf-8 instead of JSON"
        );
        assert_eq!(error(json, " \n"), "answered nothing instead of JSON");
        assert_eq!(
            error(json, "{\"a\": <"),
            "answered text that is not JSON at line 1, column 7 instead of JSON"
        );
        for other in ["{\"a\": \"b\"}", "[1]", "\"a\""] {
            assert!(error(json, other).starts_with("the answer has another form"));
        }
    }
}
