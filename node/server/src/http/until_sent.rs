//! Something that is kept until an answer is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Response;
use hyper::body::{Frame, SizeHint};

/// Keeps something until the whole body is taken to be sent, or the answer is given up.
pub(crate) fn until_sent<T>(response: Response<Body>, kept: T) -> Response<Body>
where
    T: Send + Unpin + 'static,
{
    response.map(|body| Body::new(BodyWith { body, _kept: kept }))
}

struct BodyWith<T> {
    body: Body,
    _kept: T,
}

impl<T: Unpin> HttpBody for BodyWith<T> {
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
