//! Clients whose IDs begin alike, as the members of one key.

use std::sync::Arc;

use herd_crdt::{Location, Record};

use super::asked::Asked;
use super::search::{SearchRefusal, SearchScope, Searched};
use super::service::LocationService;
use crate::access::Principal;
use herd_grid::{Area, CenteredBox, Circle};
use herd_locations::Query;

/// A search among the clients whose IDs begin alike.
#[derive(Clone, Debug)]
pub struct Around<'a> {
    /// The beginning of the IDs.
    pub prefix: &'a [u8],
    /// The center.
    pub center: AroundCenter<'a>,
    /// The area around it.
    pub shape: AroundShape,
    /// How many clients at most.
    pub limit: usize,
}

/// The center of a search.
#[derive(Clone, Copy, Debug)]
pub enum AroundCenter<'a> {
    /// A client, by its ID. It is in the answer too.
    Client(&'a [u8]),
    /// A point.
    Point(Location<'a>),
}

/// The area of a search, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AroundShape {
    /// All that is at most so far from the center.
    Circle {
        /// How far.
        radius_m: f64,
    },
    /// A box around the center.
    Box {
        /// From west to east.
        width_m: f64,
        /// From south to north.
        height_m: f64,
    },
}

impl LocationService {
    /// Which clients whose IDs begin alike are near a point or a client, nearest first.
    pub fn around(&self, principal: &Principal, around: &Around<'_>) -> Asked<Searched> {
        let scope = SearchScope {
            principal: principal.clone(),
            prefix: around.prefix.into(),
        };
        let (shape, limit) = (around.shape, around.limit);
        let prefix = scope.prefix.clone();
        let query = move |center| Query {
            area: match shape {
                AroundShape::Circle { radius_m } => {
                    Area::Circle(Circle::new(center, Some(radius_m)))
                }
                AroundShape::Box { width_m, height_m } => {
                    Area::Box(CenteredBox::new(center, width_m, height_m))
                }
            },
            limit,
            except: None,
            prefix,
        };
        match around.center {
            AroundCenter::Point(point) => {
                let center = point.coordinates();
                self.search_in_scope(scope, move || Some(query(center)))
            }
            AroundCenter::Client(client) if principal.may_ask(client) => {
                let (locations, client) = (Arc::clone(&self.locations), client.to_vec());
                self.search_in_scope(scope, move || {
                    let record = locations.find(&client)?;
                    Some(query(record.location()?.coordinates()))
                })
            }
            AroundCenter::Client(_) => Asked::Now(Err(SearchRefusal::UnknownCenter)),
        }
    }

    /// The current records of several clients, in their order. One that may not be asked about is not known.
    pub fn locate_all<'a>(
        &self,
        principal: &Principal,
        clients: impl Iterator<Item = &'a [u8]>,
    ) -> Asked<Vec<Option<Record>>> {
        let asked: Vec<Asked<Option<Record>>> = clients
            .map(|client| self.locate(principal, client))
            .collect();
        let is_now = |asked: &Asked<Option<Record>>| matches!(asked, Asked::Now(_));
        if asked.iter().all(is_now) {
            let records = asked.into_iter().map(|asked| match asked {
                Asked::Now(record) => record,
                Asked::Later(_) | Asked::AfterLoading(_) => None,
            });
            return Asked::Now(records.collect());
        }
        Asked::AfterLoading(Box::pin(async move {
            let mut records = Vec::with_capacity(asked.len());
            for asked in asked {
                records.push(asked.answer().await);
            }
            records
        }))
    }
}
