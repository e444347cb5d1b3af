//! Which places are near a client.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use herd_crdt::Record;

use super::asked::{Asked, Later};
use super::in_flight::{InFlight, Waiting};
use super::service::LocationService;
use super::statistics::ServiceStatistics;
use crate::access::Principal;
use herd_places::{NearbyQuery, Places, zero_results};
use herd_protocol::Whatsat;

/// The longest wait for a provider of places. Providers have shorter limits of their own; this limit holds even if a
/// provider ignores its own.
const PLACES_WAIT_MAX: Duration = Duration::from_secs(30);

/// A client, and the places near it.
#[derive(Clone, Debug)]
pub struct PlacesNear {
    /// The client's record.
    pub record: Record,
    /// The JSON text of a Nearby Search reply.
    pub json: Bytes,
}

/// The provider of places, and the questions that wait for it.
#[derive(Clone)]
struct Provider {
    places: Arc<dyn Places>,
    statistics: Arc<ServiceStatistics>,
    questions: Arc<InFlight>,
}

impl LocationService {
    /// Which places are near a client; nothing if nobody has reported it, or if it may not be asked about.
    pub fn places(
        &self,
        principal: &Principal,
        whatsat: &Whatsat<'_>,
    ) -> Asked<Option<PlacesNear>> {
        let Whatsat {
            radius,
            results_max,
            ..
        } = *whatsat;
        let asks_for_nothing = radius.is_zero() || results_max == 0;
        let radius_m = radius.metres();
        let question = move |record: Record| {
            let query = NearbyQuery {
                center: record.location()?.coordinates(),
                radius_m,
                results_max,
            };
            Some(Question {
                record,
                query,
                asks_for_nothing,
            })
        };
        let provider = Provider {
            places: Arc::clone(&self.places),
            statistics: Arc::clone(&self.statistics),
            questions: Arc::clone(&self.questions),
        };
        match self.locate(principal, whatsat.client) {
            Asked::Now(record) => match record.and_then(question) {
                Some(question) => provider.ask(question),
                None => Asked::Now(None),
            },
            Asked::Later(record) | Asked::AfterLoading(record) => {
                Asked::AfterLoading(Box::pin(async move {
                    let question = question(record.await?)?;
                    provider.ask(question).answer().await
                }))
            }
        }
    }
}

/// A question for the places near a client that is known.
struct Question {
    record: Record,
    query: NearbyQuery,
    /// Nothing can be the answer.
    asks_for_nothing: bool,
}

impl Provider {
    fn ask(self, question: Question) -> Asked<Option<PlacesNear>> {
        let json = if question.asks_for_nothing {
            Some(zero_results())
        } else {
            self.places.nearby_at_once(&question.query)
        };
        let record = question.record;
        if let Some(json) = json {
            return Asked::Now(Some(PlacesNear { record, json }));
        }
        let Some(waiting) = self.questions.enter() else {
            let refused = &self.statistics.whatsat_refused;
            refused.fetch_add(1, Ordering::Relaxed);
            let json = too_many_questions();
            return Asked::Now(Some(PlacesNear { record, json }));
        };
        Asked::Later(self.wait(record, question.query, waiting))
    }

    fn wait(
        self,
        record: Record,
        query: NearbyQuery,
        waiting: Waiting,
    ) -> Later<Option<PlacesNear>> {
        Box::pin(async move {
            let _waiting = waiting;
            let asked = tokio::time::timeout(PLACES_WAIT_MAX, self.places.nearby(query));
            let json = asked.await.unwrap_or_else(|_| {
                let timeouts = &self.statistics.places_timeouts;
                timeouts.fetch_add(1, Ordering::Relaxed);
                places_timed_out()
            });
            Some(PlacesNear { record, json })
        })
    }
}

/// The JSON for a provider that did not answer in time.
fn places_timed_out() -> Bytes {
    Bytes::from_static(
        br#"{"error_message":"the provider of places did not answer in time","html_attributions":[],"results":[],"status":"UNKNOWN_ERROR"}"#,
    )
}

/// The JSON for a question beyond the limit of waiting questions.
fn too_many_questions() -> Bytes {
    Bytes::from_static(
        br#"{"error_message":"too many questions wait for places","html_attributions":[],"results":[],"status":"OVER_QUERY_LIMIT"}"#,
    )
}
