//! Which places are near a client?

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use herd_protocol::{InvalidOperand, RESULTS_MAX, Radius, Whatsat, parse_results_max};

use super::answer;
use super::api::HttpApi;
use super::caller::Caller;
use super::problem::{Kind, Problem, ProblemView};
use super::query::Query;

/// How far is looked unless the request says so, in kilometres.
const RADIUS_KM: &[u8] = b"10";

/// Which places are near a client?
#[utoipa::path(
    get, path = "/v1/places", tag = "searches", operation_id = "places",
    params(
        ("client" = String, Query, description = "The client's ID"),
        ("radius_km" = Option<f64>, Query, minimum = 0, maximum = 50, description = "How far; 10 unless it is said"),
        ("limit" = Option<u32>, Query, minimum = 0, maximum = 20, description = "How many at most; 20 unless it is said"),
    ),
    responses(
        (status = 200, description = "In the form of Google's Nearby Search: `results`, nearest first, `status`, and `html_attributions`, which have to be shown", body = serde_json::Value),
        (status = 404, description = "The client is not known", body = ProblemView, content_type = "application/problem+json"),
        (status = "default", description = "A refusal", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(super) async fn places(
    State(api): State<Arc<HttpApi>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut query = Query::of(&uri);
    query.require("client");
    let client = query.take_client("client");
    let read = |text: &[u8]| Radius::parse(text).ok_or(InvalidOperand::Radius);
    let radius = query.take_number("radius_km", read);
    let limit = query.take_number("limit", parse_results_max);
    query.finish()?;
    let malformed = Problem::new(Kind::Malformed);
    let client = client.ok_or(malformed.clone())?;
    if !caller.principal.may_ask(&client) {
        return Err(Problem::new(Kind::Forbidden));
    }
    let whatsat = Whatsat {
        client: &client,
        radius: radius
            .or_else(|| Radius::parse(RADIUS_KM))
            .ok_or(malformed)?,
        results_max: limit.unwrap_or(RESULTS_MAX),
    };
    let near = api.service.places(&caller.principal, &whatsat);
    let near = near
        .answer()
        .await
        .ok_or(Problem::new(Kind::UnknownClient))?;
    Ok(answer::bytes_of_type(near.json, "application/json"))
}
