//! Answers in JSON.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Frame, SizeHint};
use serde::Serialize;

use super::problem::{Kind, Problem};
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
    Ok(response.map(|body| {
        Body::new(KeepingBody {
            body,
            _bytes: bytes,
        })
    }))
}

struct KeepingBody {
    body: Body,
    _bytes: AnswerBytes,
}

impl HttpBody for KeepingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
