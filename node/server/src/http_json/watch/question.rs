//! What a request wants to watch.

use axum::http::Uri;
use herd_crdt::Location;
use herd_protocol::{Radius, Watch, check_corners, parse_margin, parse_reach};

use crate::http_json::problem::{Kind, Problem};
use crate::http_json::query::Query;

/// What is to be watched.
#[derive(Debug, PartialEq)]
pub(super) enum WatchQuestion {
    Client(Vec<u8>),
    Prefix(Vec<u8>),
    All,
    Point(String, Reach),
    Within([String; 2]),
    Nearby(Vec<u8>, Reach),
}

/// Radius and margin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reach {
    radius: Option<Radius>,
    margin: Option<Radius>,
}

impl WatchQuestion {
    /// Reads the parameters of a request.
    ///
    /// # Errors
    /// Every mistake.
    pub(super) fn read(uri: &Uri) -> Result<Self, Problem> {
        let mut query = Query::of(uri);
        let is_area = query.has("latitude") || query.has("longitude") || query.has("near");
        if is_area {
            query.require("radius_km");
        }
        let subjects = [
            query.has("client"),
            query.has("prefix"),
            query.has("all"),
            query.has("bbox"),
            query.has("near"),
            query.has("latitude") || query.has("longitude"),
        ];
        if subjects.iter().filter(|&&is_there| is_there).count() != 1 {
            let wanted = "or prefix, all, bbox, near, or latitude and longitude: one of them has to be there";
            query.fault("client", &wanted);
        }
        let client = query.take_client("client").map(WatchQuestion::Client);
        let prefix = query.take_client("prefix").map(WatchQuestion::Prefix);
        let all = query.take("all").map(|_| WatchQuestion::All);
        let within = query.take_box();
        if let Some([southwest, northeast]) = &within
            && let Err(invalid) = check_corners(southwest.as_bytes(), northeast.as_bytes())
        {
            query.fault("bbox", &invalid);
        }
        let (near, point) = (query.take_client("near"), query.take_point());
        let mut reach = Reach::default();
        // Without an area nothing takes them, and they are mistakes.
        if is_area {
            reach.radius = query.take_number("radius_km", parse_reach).flatten();
            reach.margin = query.take_number("margin_km", parse_margin);
        }
        query.finish()?;
        let question = client
            .or(prefix)
            .or(all)
            .or(within.map(WatchQuestion::Within))
            .or(near.map(|client| WatchQuestion::Nearby(client, reach)))
            .or(point.map(|point| WatchQuestion::Point(point, reach)));
        question.ok_or(Problem::new(Kind::Malformed))
    }

    /// As the service takes it.
    pub(super) fn command(&self) -> Option<Watch<'_>> {
        Some(match self {
            WatchQuestion::Client(client) => Watch::Client(client),
            WatchQuestion::Prefix(prefix) => Watch::Prefix(prefix),
            WatchQuestion::All => Watch::All,
            WatchQuestion::Point(location, Reach { radius, margin }) => Watch::Point {
                center: Location::parse(location.as_bytes()).ok()?,
                radius: *radius,
                margin: *margin,
            },
            WatchQuestion::Within([southwest, northeast]) => Watch::Within {
                southwest: southwest.as_bytes(),
                northeast: northeast.as_bytes(),
            },
            WatchQuestion::Nearby(client, Reach { radius, margin }) => Watch::Nearby {
                client,
                radius: *radius,
                margin: *margin,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<WatchQuestion, Vec<String>> {
        let uri = format!("/v1/watch?{query}").parse().unwrap();
        WatchQuestion::read(&uri).map_err(|problem| {
            let problem = serde_json::to_value(problem.view()).unwrap();
            let faults = problem["errors"].as_array().unwrap().iter();
            faults
                .map(|fault| fault["field"].as_str().unwrap().to_owned())
                .collect()
        })
    }

    #[test]
    fn each_kind_of_watch_can_be_asked_for() {
        for (query, line) in [
            ("client=kiwi", "WATCH CLIENT kiwi"),
            ("prefix=van/", "WATCH PREFIX van/"),
            ("all", "WATCH ALL"),
            (
                "latitude=34.07&longitude=-118.44&radius_km=5&margin_km=0.2",
                "WATCH POINT +34.07-118.44 5 0.2",
            ),
            ("latitude=1&longitude=2&radius_km=*", "WATCH POINT +1+2 *"),
            ("bbox=170,1,-170,2", "WATCH WITHIN +1+170 +2-170"),
            ("near=kiwi&radius_km=5", "WATCH NEARBY kiwi 5"),
        ] {
            let question = read(query).unwrap();
            let Ok(Some(herd_protocol::Command::Watch(watch))) =
                herd_protocol::Command::parse(line.as_bytes())
            else {
                panic!("{line}");
            };
            assert_eq!(question.command(), Some(watch), "{query}");
        }
    }

    #[test]
    fn every_mistake_of_a_watch_is_named() {
        for (query, fields) in [
            ("", &["client"][..]),
            ("client=a&all", &["client"]),
            ("client=a&radius_km=1", &["radius_km"]),
            ("near=kiwi", &["radius_km"]),
            (
                "latitude=1&radius_km=x&margin_km=-1&other",
                &["longitude", "radius_km", "margin_km", "other"],
            ),
            ("bbox=1,2,3,1", &["bbox"]),
            ("prefix=", &["prefix"]),
        ] {
            let expected: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
            assert_eq!(read(query), Err(expected), "{query}");
        }
    }
}
