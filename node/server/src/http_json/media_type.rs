//! Media types of requests and of answers.

use axum::http::{HeaderMap, header};

use super::problem::{Kind, Problem};

/// GeoJSON (RFC 7946).
pub(super) const GEO_JSON: &str = "application/geo+json";

/// Checks that a body is of one of these types.
///
/// A page from elsewhere can send a body of a few other types, such as `text/plain`, without asking first, so it is not
/// enough that a body can be read as JSON.
pub(super) fn check(headers: &HeaderMap, types: &[&str]) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given
        .and_then(|given| given.to_str().ok())
        .unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if types
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
    {
        return Ok(());
    }
    let types = types.join(" or ");
    Err(Problem::with(
        Kind::MediaType,
        format!("send `Content-Type: {types}`"),
    ))
}

/// Whether the client asks for GeoJSON.
pub(super) fn wants_geo_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let accepted = accepted.filter_map(|accepted| accepted.to_str().ok());
    accepted
        .flat_map(|accepted| accepted.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_it = parts
                .next()
                .is_some_and(|essence| essence.eq_ignore_ascii_case(GEO_JSON));
            is_it && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_body_says_what_it_is() {
        let json = &["application/json"][..];
        for good in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(
                check(&headers(header::CONTENT_TYPE, good), json).is_ok(),
                "{good}"
            );
        }
        for bad in [
            "text/plain",
            "application/jsonx",
            "",
            "text/plain; application/json",
        ] {
            let refused = check(&headers(header::CONTENT_TYPE, bad), json).unwrap_err();
            assert_eq!(refused.kind(), Kind::MediaType, "{bad}");
        }
        assert!(check(&HeaderMap::new(), json).is_err());
    }

    #[test]
    fn geo_json_is_for_those_who_ask() {
        for yes in [
            "application/geo+json",
            "text/html, application/GEO+json;q=0.9, */*",
        ] {
            assert!(wants_geo_json(&headers(header::ACCEPT, yes)), "{yes}");
        }
        for no in ["*/*", "application/json", "application/geo+json;q=0"] {
            assert!(!wants_geo_json(&headers(header::ACCEPT, no)), "{no}");
        }
    }
}
