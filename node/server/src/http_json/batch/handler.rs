//! The request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use futures_util::future::join_all;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::answers::{AnswerView, Answers, LINES};
use super::execute::{REPORTS_PER_TURN, execute};
use super::split::{SplitFault, Splitter};
use crate::http_json::api::HttpApi;
use crate::http_json::body::BoundedBody;
use crate::http_json::caller::Caller;
use crate::http_json::media_type;
use crate::http_json::problem::{Fault, Kind, Problem, ProblemView};
use crate::http_json::report::ReportView;

/// The largest body, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most reports of a body: of each some bytes are kept until the end.
const REPORTS_MAX: usize = 50_000;

/// How long the server waits for a body, in all.
const BODY_TIME: Duration = Duration::from_secs(60);

/// The media types of lines, and that of an array.
const MEDIA_TYPES: [&str; 4] = [
    "application/json",
    LINES,
    "application/ndjson",
    "application/jsonl",
];

/// Many clients are there.
#[utoipa::path(
    post, path = "/v1/reports", tag = "clients", operation_id = "reports",
    description = "One report a line (NDJSON), or an array of reports. The answers come in the same form and in the order of the reports. \
        A report that is refused keeps no other one out. Up to 50,000 reports and 16 MiB.",
    request_body(content(([ReportView] = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 200, description = "Every report is as safe as the server promises", content(
            ([AnswerView] = "application/json"), (String = "application/x-ndjson"))),
        (status = 207, description = "Not every answer has the same status", content(
            ([AnswerView] = "application/json"), (String = "application/x-ndjson"))),
        (status = "default", description = "A refusal; or answers that all have this status", content(
            (ProblemView = "application/problem+json"), ([AnswerView] = "application/json"), (String = "application/x-ndjson"))),
    )
)]
pub(in crate::http_json) async fn post_reports(
    State(api): State<Arc<HttpApi>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    media_type::check(&headers, &MEDIA_TYPES)?;
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(Problem::with(Kind::TooLarge, "a body has 16 MiB at most"));
    }
    let reading = read_all(api.clone(), caller, body);
    let Some(bulk) = api.service.bulk() else {
        return Ok(reading.await);
    };
    // On the threads of those who send many commands at a time.
    let task = AbortOnDropHandle::new(bulk.spawn(reading));
    // It ends without an answer if it panics, which is a defect, or with the threads that it runs on.
    task.await.map_err(|_| Problem::new(Kind::Stopping))
}

async fn read_all(api: Arc<HttpApi>, caller: Caller, body: Body) -> Response {
    let mut reading = Reading {
        api,
        caller,
        body: BoundedBody::new(body, BODY_BYTES_MAX, BODY_TIME),
        splitter: Splitter::default(),
        answers: Answers::default(),
        confirming: Vec::new(),
        left: REPORTS_MAX,
    };
    if let Err(problem) = reading.run().await {
        reading.answers.end(problem);
    }
    reading.confirm().await;
    let server = Arc::from(reading.api.service.server());
    let is_array = reading.splitter.is_array();
    reading.answers.into_response(server, is_array)
}

/// A body that is being read.
struct Reading {
    api: Arc<HttpApi>,
    caller: Caller,
    body: BoundedBody,
    splitter: Splitter,
    answers: Answers,
    /// What the reports of each chunk of answers wait for.
    confirming: Vec<Box<dyn Future<Output = bool> + Send + Unpin>>,
    /// So many more reports may come.
    left: usize,
}

impl Reading {
    async fn run(&mut self) -> Result<(), Problem> {
        loop {
            self.api.service.locations().ready_for_more().await;
            let piece = self.body.next().await?;
            if let Some(piece) = &piece {
                self.splitter.push(piece);
            }
            let is_last = piece.is_none();
            while self.turn(is_last).await? {}
            if is_last {
                return Ok(());
            }
        }
    }

    /// Takes in as many reports as there are, up to a turn. Says whether there may be more.
    async fn turn(&mut self, is_last: bool) -> Result<bool, Problem> {
        let mut reports = Vec::with_capacity(REPORTS_PER_TURN);
        let mut ended = Ok(());
        while reports.len() < REPORTS_PER_TURN.min(self.left) {
            let next = match is_last {
                true => self.splitter.finish(),
                false => self.splitter.next_report(),
            };
            match next {
                Ok(Some(report)) => reports.push(report),
                Ok(None) => break,
                Err(fault) => {
                    ended = Err(split_problem(fault));
                    break;
                }
            }
        }
        let count = reports.len();
        if count > 0 {
            pace(&self.api, self.caller.address, count).await;
            let api = &self.api;
            // The tokens of now: a body may come slowly, or wait for its pace.
            let principal = api.principal(self.caller.token.as_ref());
            let principal = principal.ok_or(Problem::new(Kind::TokenNeeded))?;
            let (ticket, taken) =
                execute(api, &principal, &self.splitter, &reports, &mut self.answers);
            if api.service.holds_replies() {
                let confirmed = api.service.confirmed(ticket, taken);
                self.confirming.push(Box::new(Box::pin(confirmed)));
            }
            self.left -= count;
            yield_now().await;
        }
        ended?;
        if self.left == 0 && self.has_more(is_last) {
            let text = "the reports behind these were not read: a body has 50000 at most";
            return Err(Problem::with(Kind::TooLarge, text));
        }
        Ok(count == REPORTS_PER_TURN)
    }

    fn has_more(&mut self, is_last: bool) -> bool {
        let next = match is_last {
            true => self.splitter.finish(),
            false => self.splitter.next_report(),
        };
        !matches!(next, Ok(None))
    }

    /// Waits until each chunk is as safe as the server promises, or cannot be.
    async fn confirm(&mut self) {
        let confirmed = join_all(std::mem::take(&mut self.confirming)).await;
        for (chunk, confirmed) in confirmed.into_iter().enumerate() {
            if !confirmed {
                self.answers.unconfirmed(chunk);
            }
        }
    }
}

/// Waits until the address may send so many reports.
pub(in crate::http_json) async fn pace(api: &HttpApi, address: IpAddr, count: usize) {
    let limiter = api.addresses.rate_limiter(address, Instant::now());
    let Some(limiter) = limiter else { return };
    let ready_at = {
        let mut limiter = limiter.lock();
        let ready_at = limiter.ready_at(count as u64);
        limiter.spend(count as u64, Instant::now());
        ready_at
    };
    sleep_until(ready_at).await;
}

fn split_problem(fault: SplitFault) -> Problem {
    match fault {
        SplitFault::TooLong => Problem::with(Kind::TooLarge, fault.to_string()),
        SplitFault::NoEnd | SplitFault::Behind => {
            Problem::malformed(vec![Fault::of("body", &fault)])
        }
    }
}
