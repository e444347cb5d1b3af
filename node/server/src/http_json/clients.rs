//! One client, and the list of all.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use herd_crdt::{Record, ServerName};
use herd_locations::ListQuery;
use herd_protocol::parse_limit;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use tokio::task::yield_now;
use utoipa::ToSchema;

use super::answer;
use super::api::HttpApi;
use super::area_question::AreaQuestion;
use super::batch::{REPORTS_PER_TURN, pace};
use super::body;
use super::caller::Caller;
use super::media_type::{self, GEO_JSON};
use super::problem::{Fault, Kind, Problem, ProblemView};
use super::query::client_fault;
use super::record_view::{ClientView, FeatureView, RecordView, entity_tag};
use super::report::{ReportTexts, ReportView};
use super::rfc3339;
use crate::location_service::{Forgetting, Gone};

/// The path of all clients; that of one begins so.
pub(super) const CLIENTS_PATH: &str = "/v1/clients";

/// How many clients a page has unless the request says so.
const PAGE_CLIENTS: usize = 100;

/// A client that is forgotten.
#[derive(Serialize, ToSchema)]
#[schema(as = Forgotten)]
pub(super) struct GoneView<'a> {
    #[serde(flatten)]
    client: ClientView<'a>,
    /// The server that was told to.
    server: &'a str,
    /// The time of the tombstone, in seconds since 1970. Reports of that time and earlier ones change nothing.
    #[schema(example = "1520023934.918963997")]
    time: String,
    /// The same as a time of RFC 3339.
    #[schema(format = DateTime)]
    time_utc: String,
}

/// A page of clients, in the order of their IDs' bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = Page)]
pub(super) struct PageView<'a> {
    clients: Vec<RecordView<'a>>,
    #[serde(flatten)]
    next: NextView<'a>,
}

/// Where the next page goes on, if there is one: one of the two.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = Next)]
pub(super) struct NextView<'a> {
    /// The `after` of the next request.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
    /// Its `after_base64`, if the last ID is not UTF-8 text.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_base64: Option<String>,
}

impl<'a> NextView<'a> {
    fn new(last: &'a [u8]) -> Self {
        match str::from_utf8(last) {
            Ok(last) => NextView {
                next: Some(last),
                next_base64: None,
            },
            Err(_) => NextView {
                next: None,
                next_base64: Some(STANDARD.encode(last)),
            },
        }
    }
}

/// Clients on a map (RFC 7946).
#[derive(Serialize, ToSchema)]
#[schema(as = FeatureCollection)]
pub(super) struct FeaturesView<'a> {
    /// `FeatureCollection`.
    pub(super) r#type: &'static str,
    pub(super) features: Vec<FeatureView<'a>>,
    /// Of a search: whether there are further clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) more: Option<bool>,
    /// Of a list.
    #[serde(flatten)]
    pub(super) next: NextView<'a>,
}

/// Where is a client?
#[utoipa::path(
    get, path = "/v1/clients/{id}", tag = "clients", operation_id = "locate",
    params(("id" = String, Path, description = "The client's ID, percent-encoded")),
    responses(
        (status = 200, description = "Its record", body = RecordView, headers(("ETag" = String, description = "Of time and server; `If-None-Match` takes it"))),
        (status = 304, description = "The record is the one that `If-None-Match` names"),
        (status = 404, description = "Nobody has reported it, or it is forgotten or expired", body = ProblemView, content_type = "application/problem+json"),
        (status = "default", description = "A refusal", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(super) async fn locate(
    State(api): State<Arc<HttpApi>>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let client = client_of_path(&uri)?;
    if !caller.principal.may_ask(&client) {
        return Err(Problem::new(Kind::Forbidden));
    }
    let record = api
        .service
        .locate(&caller.principal, &client)
        .answer()
        .await;
    let record = record.ok_or(Problem::new(Kind::UnknownClient))?;
    let tag = entity_tag(&record);
    let mut response = match is_known(&headers, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => answer::json(&RecordView::new(&record, api.clock.now_ns())),
    };
    tagged(&mut response, &tag);
    Ok(response)
}

/// A client is there.
#[utoipa::path(
    put, path = "/v1/clients/{id}", tag = "clients", operation_id = "report",
    params(("id" = String, Path, description = "The client's ID, percent-encoded")),
    request_body = ReportView,
    responses(
        (status = 200, description = "The report is as safe as the server promises. The record that is known now, which may be a later one", body = RecordView, headers(("ETag" = String, description = "Of time and server"))),
        (status = 400, description = "Malformed, with every mistake, or too far ahead of the server's clock", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "It could not be made as safe as promised; try again", body = ProblemView, content_type = "application/problem+json"),
        (status = "default", description = "A refusal", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(super) async fn report(
    State(api): State<Arc<HttpApi>>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let client = client_of_path(&uri)?;
    media_type::check(&headers, &["application/json"])?;
    let body = body::small(body).await?;
    let record = api.take_in(&caller, &body, Some(&client)).await?;
    let tag = entity_tag(&record);
    let mut response = answer::json(&RecordView::new(&record, api.clock.now_ns()));
    tagged(&mut response, &tag);
    Ok(response)
}

/// A client is to be forgotten.
#[utoipa::path(
    delete, path = "/v1/clients/{id}", tag = "clients", operation_id = "forget",
    params(("id" = String, Path, description = "The client's ID, percent-encoded")),
    responses(
        (status = 200, description = "The whole herd forgets it, known or not", body = GoneView),
        (status = 503, description = "It could not be made as safe as promised; try again", body = ProblemView, content_type = "application/problem+json"),
        (status = "default", description = "A refusal", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(super) async fn forget(
    State(api): State<Arc<HttpApi>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let client = client_of_path(&uri)?;
    api.service.locations().ready_for_more().await;
    let Gone { server, time, .. } = api.forget(&caller, &client).await?;
    Ok(answer::json(&GoneView {
        client: ClientView::new(&client),
        server: &server,
        time: time.to_text(),
        time_utc: rfc3339::utc(time.ns()),
    }))
}

/// Which clients are known?
#[utoipa::path(
    get, path = "/v1/clients", tag = "clients", operation_id = "list",
    params(
        ("prefix" = Option<String>, Query, description = "How their IDs begin"),
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
        ("after_base64" = Option<String>, Query, description = "Its `next_base64`, in place of `after`"),
        ("limit" = Option<u32>, Query, minimum = 0, maximum = 1000, description = "How many at most; 100 unless it is said"),
    ),
    responses(
        (status = 200, description = "A page of clients, in the order of their IDs' bytes", content(
            (PageView = "application/json"), (FeaturesView = "application/geo+json"))),
        (status = "default", description = "A refusal", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(question: AreaQuestion) -> Result<Response, Problem> {
    let AreaQuestion {
        api,
        caller,
        mut query,
        wants_geo_json,
    } = question;
    let prefix = query.take("prefix").unwrap_or_default();
    let after = query.take("after");
    let after_base64 = query.take_base64("after_base64");
    if after.is_some() && after_base64.is_some() {
        query.fault("after_base64", &"is there beside after");
    }
    let limit = query.take_number("limit", parse_limit);
    query.finish()?;
    let query = ListQuery {
        prefix: prefix.into(),
        after: after.or(after_base64).map(Into::into),
        limit: limit.unwrap_or(PAGE_CLIENTS),
    };
    let page = api.service.list(&caller.principal, query).answer().await?;
    let now_ns = api.clock.now_ns();
    let records = page.listed.records.iter();
    let clients = records.map(|record| RecordView::new(record, now_ns));
    let next = page.listed.next.as_deref().map(NextView::new);
    let next = next.unwrap_or_default();
    let response = if wants_geo_json {
        let features = FeaturesView {
            r#type: "FeatureCollection",
            features: clients.map(FeatureView::new).collect(),
            more: None,
            next,
        };
        answer::of_type(&features, GEO_JSON)
    } else {
        let clients = clients.collect();
        answer::json(&PageView { clients, next })
    };
    answer::keeping(answer::by_media_type(response), page.bytes)
}

impl HttpApi {
    /// Takes in one report, and waits until it is as safe as the server promises. Returns the record that is known then,
    /// as far as the caller may ask about it; else the record of the report.
    pub(super) async fn take_in(
        &self,
        caller: &Caller,
        json: &[u8],
        of: Option<&[u8]>,
    ) -> Result<Record, Problem> {
        let texts = ReportTexts::read(json, of).inspect_err(|_| self.count(0, 1))?;
        self.take_in_texts(caller, &texts).await
    }

    /// The same of a report that was read.
    pub(super) async fn take_in_texts(
        &self,
        caller: &Caller,
        texts: &ReportTexts<'_>,
    ) -> Result<Record, Problem> {
        self.service.locations().ready_for_more().await;
        let (reported, ticket) = {
            let received_ns = self.clock.now_ns();
            let mut batch = self.service.begin_batch(received_ns);
            let (received_ns, now) = texts.received(&mut batch, received_ns);
            let operands = texts.operands(&now).inspect_err(|_| self.count(0, 1))?;
            let taken = batch.report_received(&caller.principal, &operands, received_ns);
            let ticket = batch.finish();
            let taken = taken.map_err(|refusal| {
                self.count(0, 1);
                Problem::new(Kind::from(refusal))
            })?;
            self.count(1, 0);
            (
                Record::of(&operands, ServerName::clone(taken.server), received_ns),
                ticket,
            )
        };
        if self.service.holds_replies() && !self.service.confirmed(ticket, 1).await {
            return Err(Problem::new(Kind::Unconfirmed));
        }
        let client = reported.client();
        let known = caller
            .principal
            .may_see(client)
            .then(|| self.service.locations().find(client));
        Ok(known.flatten().unwrap_or(reported))
    }

    /// Takes in some reports, and waits until they are as safe as the server promises. Returns every refusal up to the
    /// first [`Kind::Unconfirmed`], behind which no report is taken in: all of them will come again. So it is with
    /// [`Kind::TokenNeeded`], if the caller's token was taken away meanwhile.
    pub(super) async fn take_in_all(
        &self,
        caller: &Caller,
        reports: &[ReportTexts<'_>],
    ) -> Vec<Problem> {
        let mut refused = Vec::new();
        for turn in reports.chunks(REPORTS_PER_TURN) {
            self.service.locations().ready_for_more().await;
            pace(self, caller.address, turn.len()).await;
            // The tokens of now: the batch may have waited for its pace.
            let Some(principal) = self.principal(caller.token.as_ref()) else {
                refused.push(Problem::new(Kind::TokenNeeded));
                break;
            };
            let received_ns = self.clock.now_ns();
            let before = refused.len();
            let ticket = {
                let mut batch = self.service.begin_batch(received_ns);
                for texts in turn {
                    let (heard_ns, now) = texts.received(&mut batch, received_ns);
                    let taken = texts.operands(&now).and_then(|operands| {
                        let taken = batch.report_received(&principal, &operands, heard_ns);
                        taken.map_err(|refusal| Problem::new(Kind::from(refusal)))
                    });
                    refused.extend(taken.err());
                }
                batch.finish()
            };
            let not_taken = (refused.len() - before) as u64;
            let taken = turn.len() as u64 - not_taken;
            self.count(taken, not_taken);
            if self.service.holds_replies() && !self.service.confirmed(ticket, taken).await {
                refused.push(Problem::new(Kind::Unconfirmed));
                break;
            }
            yield_now().await;
        }
        refused
    }

    /// Counts reports.
    pub(super) fn count(&self, taken: u64, refused: u64) {
        let statistics = &self.statistics;
        for (count, by) in [
            (&statistics.reports_taken, taken),
            (&statistics.reports_refused, refused),
        ] {
            if by > 0 {
                count.fetch_add(by, Ordering::Relaxed);
            }
        }
    }

    async fn forget(&self, caller: &Caller, client: &[u8]) -> Result<Gone<ServerName>, Problem> {
        let (forgetting, ticket) = {
            let mut batch = self.service.begin_batch(self.clock.now_ns());
            let forgetting = batch.forget(&caller.principal, client);
            (forgetting, batch.finish())
        };
        match forgetting? {
            Forgetting::Now(gone) => {
                if self.service.holds_replies() && !self.service.confirmed(ticket, 1).await {
                    return Err(Problem::new(Kind::Unconfirmed));
                }
                Ok(Gone {
                    server: ServerName::clone(gone.server),
                    time: gone.time,
                    was_known: gone.was_known,
                })
            }
            Forgetting::AfterLoading(gone) => {
                let gone = gone.await;
                gone.ok_or(Problem::new(Kind::Unconfirmed))
            }
        }
    }
}

/// The client that a path names. Slashes of an ID need not be encoded.
fn client_of_path(uri: &Uri) -> Result<Vec<u8>, Problem> {
    let rest = uri.path().strip_prefix(CLIENTS_PATH).unwrap_or_default();
    let client: Vec<u8> = percent_decode_str(rest.strip_prefix('/').unwrap_or_default()).collect();
    match client_fault(&client) {
        None => Ok(client),
        Some(reason) => Err(Problem::malformed(vec![Fault::new("id", reason)])),
    }
}

/// Whether the client has the record with this tag already (RFC 9110, 13.1.2: tags are compared weakly).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let tag = tag.trim_start_matches("W/");
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let known = known.filter_map(|known| known.to_str().ok());
    known.flat_map(|known| known.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.trim_start_matches("W/") == tag
    })
}

fn tagged(response: &mut Response, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    // To be asked for again each time: 304 says that nothing has changed.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}
