//! What a phone is told of its report.

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::http_json::problem::{Kind, Problem};

/// Answers 503 where it would be 408 or 429: apps throw a report away at 4xx, and a limit is no fault of the report.
pub(super) async fn later(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let is_passing = matches!(
        response.status(),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
    );
    if !is_passing {
        return response;
    }
    let mut later = Problem::new(Kind::Later).into_response();
    // Of a body that did not come in time the rest may come yet.
    if let Some(close) = response.headers_mut().remove(header::CONNECTION) {
        later.headers_mut().insert(header::CONNECTION, close);
    }
    later
}

/// Passes on a refusal that the app or its user can do something about. A report that will never be taken in is as good
/// as taken: the app would send it for ever.
pub(super) fn worth_telling(refused: Problem) -> Result<(), Problem> {
    match refused.kind() {
        Kind::Ahead | Kind::IdTooLong => Ok(()),
        _ => Err(refused),
    }
}
