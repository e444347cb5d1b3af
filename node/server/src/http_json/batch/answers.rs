//! The answers to the reports of a body, kept small until all of it was read.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use herd_protocol::difference_text;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http_json::problem::{Kind, Problem, ProblemView};

/// The media type of one JSON text a line.
pub(super) const LINES: &str = "application/x-ndjson";

/// Answers that are written as one piece of a body.
const ANSWERS_A_PIECE: usize = 512;

/// A piece ends with the answer that reaches this number of bytes: of one with many mistakes there are some KiB.
const PIECE_BYTES: usize = 64 * 1024;

/// Reports of which every mistake is named. Of further ones it is only said that they are malformed.
const NAMED_MAX: usize = 100;

/// The answer to a report that was taken in.
#[derive(Serialize, ToSchema)]
#[schema(as = Taken)]
pub(in crate::http_json) struct TakenView<'a> {
    /// 200.
    status: u16,
    /// The server that heard the report: this one.
    server: &'a str,
    /// Its clock at the time less the client's, in seconds.
    #[schema(example = "+0.263873386")]
    difference_s: String,
}

/// The answer to one report.
#[derive(Serialize, ToSchema)]
#[schema(as = Answer)]
#[serde(untagged)]
pub(in crate::http_json) enum AnswerView<'a> {
    /// It is as safe as the server promises.
    Taken(TakenView<'a>),
    /// It is not.
    Refused(ProblemView<'a>),
}

/// One answer, in few bytes.
#[derive(Debug)]
pub(super) enum Answer {
    /// Taken in; the time of the report.
    Taken(i64),
    /// A refusal without particulars.
    Refused(Kind),
    /// A refusal with particulars.
    Named(Box<Problem>),
}

/// Reports that were taken in together, by one reading of the clock.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) received_ns: i64,
    pub(super) answers: Vec<Answer>,
}

/// All answers to a body so far.
#[derive(Debug, Default)]
pub(super) struct Answers {
    chunks: Vec<Chunk>,
    named: usize,
}

impl Answers {
    /// A refusal, with its particulars if there is room for them.
    pub(super) fn refused(&mut self, problem: Problem) -> Answer {
        self.named += 1;
        match self.named <= NAMED_MAX {
            true => Answer::Named(Box::new(problem)),
            false => Answer::Refused(problem.kind()),
        }
    }

    /// Keeps the answers to some reports.
    pub(super) fn push(&mut self, chunk: Chunk) {
        self.chunks.push(chunk);
    }

    /// Says why the rest of the body was not read.
    pub(super) fn end(&mut self, problem: Problem) {
        self.chunks.push(Chunk {
            received_ns: 0,
            answers: vec![Answer::Named(Box::new(problem))],
        });
    }

    /// The reports of this chunk did not become as safe as promised.
    pub(super) fn unconfirmed(&mut self, chunk: usize) {
        let chunk = self.chunks.get_mut(chunk);
        for answer in chunk.into_iter().flat_map(|chunk| &mut chunk.answers) {
            if matches!(answer, Answer::Taken(_)) {
                *answer = Answer::Refused(Kind::Unconfirmed);
            }
        }
    }

    /// The status of all: the one that they share, else 207.
    fn status(&self) -> StatusCode {
        let answers = self.chunks.iter().flat_map(|chunk| &chunk.answers);
        let mut statuses = answers.map(Answer::status);
        let first = statuses.next().unwrap_or(StatusCode::OK);
        match statuses.all(|status| status == first) {
            true => first,
            false => StatusCode::MULTI_STATUS,
        }
    }

    /// The answers as they are sent: one a line, or an array.
    pub(super) fn into_response(self, server: Arc<str>, is_array: bool) -> Response {
        let status = self.status();
        let answers = self.chunks.into_iter().flat_map(|chunk| {
            let received_ns = chunk.received_ns;
            let answers = chunk.answers.into_iter();
            answers.map(move |answer| (received_ns, answer))
        });
        let mut writer = Writer {
            answers: answers.peekable(),
            server,
            is_array,
            is_begun: false,
        };
        // One piece at a time: no client makes the server write more than it reads.
        let pieces = stream::iter(std::iter::from_fn(move || {
            writer.next_piece().map(Ok::<_, std::convert::Infallible>)
        }));
        let mut response = Response::new(Body::from_stream(pieces));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let media_type = if is_array { "application/json" } else { LINES };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl Answer {
    fn status(&self) -> StatusCode {
        match self {
            Answer::Taken(_) => StatusCode::OK,
            Answer::Refused(kind) => kind.status(),
            Answer::Named(problem) => problem.kind().status(),
        }
    }

    fn write(&self, received_ns: i64, server: &str, out: &mut Vec<u8>) {
        let plain;
        let view = match self {
            Answer::Taken(time_ns) => AnswerView::Taken(TakenView {
                status: StatusCode::OK.as_u16(),
                server,
                difference_s: difference_text(i128::from(received_ns) - i128::from(*time_ns)),
            }),
            Answer::Refused(kind) => {
                plain = Problem::new(*kind);
                AnswerView::Refused(plain.view())
            }
            Answer::Named(problem) => AnswerView::Refused(problem.view()),
        };
        // Writing to a Vec does not fail, and nothing of it can fail to become JSON.
        let _ = serde_json::to_writer(out, &view);
    }
}

struct Writer<I: Iterator> {
    answers: std::iter::Peekable<I>,
    server: Arc<str>,
    is_array: bool,
    is_begun: bool,
}

impl<I: Iterator<Item = (i64, Answer)>> Writer<I> {
    fn next_piece(&mut self) -> Option<Bytes> {
        if self.is_begun && self.answers.peek().is_none() {
            return None;
        }
        let mut out = Vec::with_capacity(64 * ANSWERS_A_PIECE);
        if self.is_array && !self.is_begun {
            out.push(b'[');
        }
        self.is_begun = true;
        for (received_ns, answer) in self.answers.by_ref().take(ANSWERS_A_PIECE) {
            answer.write(received_ns, &self.server, &mut out);
            out.push(if self.is_array { b',' } else { b'\n' });
            if out.len() >= PIECE_BYTES {
                break;
            }
        }
        if self.is_array && self.answers.peek().is_none() {
            if out.ends_with(b",") {
                out.pop();
            }
            out.extend_from_slice(b"]\n");
        }
        Some(out.into())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    async fn sent(answers: Answers, is_array: bool) -> (u16, String) {
        let response = answers.into_response("Hill".into(), is_array);
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn of(answers: Vec<Answer>) -> Answers {
        let mut all = Answers::default();
        all.push(Chunk {
            received_ns: 5,
            answers,
        });
        all
    }

    #[tokio::test]
    async fn answers_have_the_status_that_they_share() {
        let taken = "{\"status\":200,\"server\":\"Hill\",\"difference_s\":\"+0.000000004\"}";
        let (status, body) = sent(of(vec![Answer::Taken(1), Answer::Taken(1)]), false).await;
        assert_eq!((status, body), (200, format!("{taken}\n{taken}\n")));
        let (status, body) = sent(of(vec![Answer::Taken(1), Answer::Taken(1)]), true).await;
        assert_eq!((status, body), (200, format!("[{taken},{taken}]\n")));
        let some = of(vec![Answer::Taken(1), Answer::Refused(Kind::Forbidden)]);
        assert_eq!(sent(some, true).await.0, 207);
        assert_eq!(
            sent(of(vec![Answer::Refused(Kind::Ahead)]), false).await.0,
            400
        );
        assert_eq!(
            sent(Answers::default(), true).await,
            (200, "[]\n".to_owned())
        );
        assert_eq!(sent(Answers::default(), false).await, (200, String::new()));
        let mut unsafe_ones = of(vec![Answer::Taken(1), Answer::Taken(1)]);
        unsafe_ones.unconfirmed(0);
        assert_eq!(sent(unsafe_ones, false).await.0, 503);
    }

    #[tokio::test]
    async fn many_answers_come_in_pieces_that_fit_together() {
        for count in [
            ANSWERS_A_PIECE - 1,
            ANSWERS_A_PIECE,
            2 * ANSWERS_A_PIECE + 1,
        ] {
            let answers = of((0..count).map(|_| Answer::Taken(1)).collect());
            let (_, body) = sent(answers, true).await;
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body.as_array().unwrap().len(), count);
        }
    }

    #[tokio::test]
    async fn a_piece_ends_after_so_many_bytes() {
        let long = || {
            let problem = Problem::with(Kind::Malformed, "x".repeat(PIECE_BYTES / 2));
            Answer::Named(Box::new(problem))
        };
        let response = of((0..5).map(|_| long()).collect()).into_response("Hill".into(), true);
        let pieces: Vec<_> = response.into_body().into_data_stream().collect().await;
        let lengths: Vec<usize> = pieces.iter().flatten().map(Bytes::len).collect();
        assert_eq!(lengths.len(), 3);
        assert!(lengths.iter().all(|&length| length < 2 * PIECE_BYTES));
    }

    #[test]
    fn mistakes_are_named_of_so_many_reports() {
        let mut answers = Answers::default();
        for number in 0..2 * NAMED_MAX {
            let answer = answers.refused(Problem::new(Kind::Malformed));
            assert_eq!(matches!(answer, Answer::Named(_)), number < NAMED_MAX);
        }
        assert!(size_of::<Answer>() <= 16, "many of them are kept");
    }
}
