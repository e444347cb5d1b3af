//! Which clients are near, or in a box?

use axum::response::Response;
use herd_crdt::Location;
use herd_protocol::{Center, Nearby, Within, check_corners, parse_limit, parse_reach};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer;
use super::area_question::AreaQuestion;
use super::clients::{FeaturesView, NextView};
use super::media_type::GEO_JSON;
use super::problem::{Kind, Problem, ProblemView};
use super::record_view::{FeatureView, RecordView};
use crate::location_service::SearchAnswer;

/// How many clients are told of unless the request says so.
const CLIENTS: usize = 100;

/// The clients of an area.
#[derive(Serialize, ToSchema)]
#[schema(as = Found)]
pub(super) struct FoundView<'a> {
    clients: Vec<RecordView<'a>>,
    /// Whether the area holds further clients.
    more: bool,
}

/// Which clients are near a point, or near a client?
#[utoipa::path(
    get, path = "/v1/nearby", tag = "searches", operation_id = "nearby",
    params(
        ("latitude" = Option<f64>, Query, description = "Of the point"),
        ("longitude" = Option<f64>, Query, description = "Of the point"),
        ("client" = Option<String>, Query, description = "In place of a point: the client to look around, which is not told of itself"),
        ("radius_km" = Option<f64>, Query, minimum = 0, maximum = 20100, description = "How far; without bound unless it is said"),
        ("limit" = Option<u32>, Query, minimum = 0, maximum = 1000, description = "How many at most; 100 unless it is said"),
    ),
    responses(
        (status = 200, description = "Nearest first, with their distances", content(
            (FoundView = "application/json"), (FeaturesView = "application/geo+json"))),
        (status = 404, description = "The client to look around is not known", body = ProblemView, content_type = "application/problem+json"),
        (status = "default", description = "A refusal", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(super) async fn nearby(question: AreaQuestion) -> Result<Response, Problem> {
    let AreaQuestion {
        api,
        caller,
        mut query,
        wants_geo_json,
    } = question;
    let has_client = query.has("client");
    let has_point = query.has("latitude") || query.has("longitude");
    let client = query.take_client("client");
    let point = query.take_point();
    let radius = query.take_number("radius_km", parse_reach).flatten();
    let limit = query.take_number("limit", parse_limit).unwrap_or(CLIENTS);
    match (has_client, has_point) {
        (true, true) => query.fault("client", &"is there beside latitude and longitude"),
        (false, false) => query.fault(
            "latitude",
            &"is missing, and so is longitude; or give a client",
        ),
        _ => {}
    }
    query.finish()?;
    let location = point
        .as_ref()
        .map(|point| Location::parse(point.as_bytes()));
    let center = match (&client, location) {
        (Some(client), _) if !caller.principal.may_ask(client) => {
            return Err(Problem::new(Kind::Forbidden));
        }
        (Some(client), _) => Center::Client(client),
        (None, Some(Ok(location))) => Center::Point(location),
        // The text was checked as it was made.
        (None, _) => return Err(Problem::new(Kind::Malformed)),
    };
    let nearby = Nearby {
        center,
        radius,
        limit,
    };
    let answer = api.service.nearby(&caller.principal, &nearby);
    let answer = answer.answer().await?;
    told(answer, api.clock.now_ns(), true, wants_geo_json)
}

/// Which clients are in a box?
#[utoipa::path(
    get, path = "/v1/within", tag = "searches", operation_id = "within",
    params(
        ("bbox" = String, Query, example = "-119,34,-118,35", description = "`west,south,east,north` in degrees; with west greater than east it crosses 180 degrees"),
        ("limit" = Option<u32>, Query, minimum = 0, maximum = 1000, description = "How many at most; 100 unless it is said"),
    ),
    responses(
        (status = 200, description = "In the order of their IDs' bytes", content(
            (FoundView = "application/json"), (FeaturesView = "application/geo+json"))),
        (status = "default", description = "A refusal", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(super) async fn within(question: AreaQuestion) -> Result<Response, Problem> {
    let AreaQuestion {
        api,
        caller,
        mut query,
        wants_geo_json,
    } = question;
    query.require("bbox");
    let corners = query.take_box().unwrap_or_default();
    let limit = query.take_number("limit", parse_limit).unwrap_or(CLIENTS);
    let [southwest, northeast] = corners.each_ref().map(String::as_bytes);
    if !southwest.is_empty()
        && let Err(invalid) = check_corners(southwest, northeast)
    {
        query.fault("bbox", &invalid);
    }
    query.finish()?;
    let within = Within {
        southwest,
        northeast,
        limit,
    };
    let answer = api.service.within(&caller.principal, &within);
    let answer = answer.answer().await?;
    told(answer, api.clock.now_ns(), false, wants_geo_json)
}

fn told(
    answer: SearchAnswer,
    now_ns: i64,
    has_distances: bool,
    is_geo_json: bool,
) -> Result<Response, Problem> {
    let SearchAnswer { found, bytes } = answer;
    let clients = found.hits.iter().map(|hit| {
        let record = RecordView::new(&hit.record, now_ns);
        match has_distances {
            true => record.at_distance(hit.distance_m),
            false => record,
        }
    });
    let response = if is_geo_json {
        let features = FeaturesView {
            r#type: "FeatureCollection",
            features: clients.map(FeatureView::new).collect(),
            more: Some(found.more),
            next: NextView::default(),
        };
        answer::of_type(&features, GEO_JSON)
    } else {
        let (clients, more) = (clients.collect(), found.more);
        answer::json(&FoundView { clients, more })
    };
    answer::keeping(answer::by_media_type(response), bytes)
}
