//! Answers in JSON.

use axum::body::{Bytes, HttpBody as _};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::problem::{Kind, Problem};
use crate::http::until_sent;
use crate::location_service::AnswerBytes;

/// An answer of 200.
pub(super) fn json(value: &impl Serialize) -> Response {
    of_type(value, "application/json")
}

/// The same of another media type.
pub(super) fn of_type(value: &impl Serialize, media_type: &'static str) -> Response {
    // Nothing that is told can fail to become JSON.
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes_of_type(bytes.into(), media_type)
}

/// An answer of 200 with bytes that are made already. Locations change, so nobody is to keep them.
pub(super) fn bytes_of_type(bytes: Bytes, media_type: &'static str) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let no_sniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, no_sniff);
    response
}

/// Says that the answer depends on the media types that the client takes.
pub(super) fn by_media_type(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// Counts the memory of an answer, which was that of its records before, until it is sent.
///
/// # Errors
/// With the other answers it takes more memory than there is for them.
pub(super) fn keeping(response: Response, mut bytes: AnswerBytes) -> Result<Response, Problem> {
    // It was made whole, so its length is known.
    let length = response.body().size_hint().lower();
    if !bytes.set(usize::try_from(length).unwrap_or(usize::MAX)) {
        return Err(Problem::new(Kind::TooMany));
    }
    if !bytes.is_counted() {
        return Ok(response);
    }
    Ok(until_sent(response, bytes))
}
