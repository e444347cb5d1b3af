//! The answer of a provider, until a client gets its part of it.

use std::borrow::Cow;

use bytes::Bytes;

use super::super::google::LegacyReply;
use super::super::provider::{NearbyQuery, zero_results};
use super::super::reply::{NearbyReply, Place, ReplyStatus};
use super::super::sphere::Circle;

/// A provider's answer. It may be that of a question with another bound.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Places, mapped to the form of a Nearby Search.
    Places(AnsweredPlaces),
    /// A Nearby Search reply that is passed on as it is.
    Legacy(LegacyReply),
}

/// Places that a provider answered.
#[derive(Clone, Debug, PartialEq)]
pub struct AnsweredPlaces {
    attributions: Vec<String>,
    places: Vec<Place<'static>>,
    nearest_first: bool,
}

impl Answer {
    /// Places in the provider's order, or to be ordered by distance.
    #[must_use]
    pub fn of_places(
        attributions: Vec<String>,
        places: Vec<Place<'static>>,
        nearest_first: bool,
    ) -> Self {
        Answer::Places(AnsweredPlaces {
            attributions,
            places,
            nearest_first,
        })
    }

    /// The reply to a client's question, cut to its bound.
    #[must_use]
    pub fn reply(&self, query: &NearbyQuery) -> Bytes {
        match self {
            Answer::Places(answered) => answered.reply(query),
            Answer::Legacy(reply) => reply.cut(query.results_max),
        }
    }

    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        match self {
            Answer::Legacy(reply) => reply.byte_count(),
            Answer::Places(answered) => {
                let texts: usize = answered.attributions.iter().map(String::len).sum();
                texts + answered.places.iter().map(place_bytes).sum::<usize>()
            }
        }
    }
}

impl AnsweredPlaces {
    fn reply(&self, query: &NearbyQuery) -> Bytes {
        let mut places: Vec<&Place<'static>> = self.places.iter().collect();
        if self.nearest_first
            && let Some(circle) = Circle::new(query.center, query.radius_m)
        {
            let distance = |place: &Place<'_>| {
                let at = place.geometry.location;
                circle.haversine_to(at.lat, at.lng)
            };
            places.sort_by(|a, b| {
                let by_distance = distance(a).total_cmp(&distance(b));
                by_distance.then_with(|| a.place_id.cmp(&b.place_id))
            });
        }
        places.truncate(query.results_max);
        if places.is_empty() {
            return zero_results();
        }
        let reply = NearbyReply {
            html_attributions: self.attributions.iter().map(Cow::from).collect(),
            results: places.into_iter().cloned().collect(),
            status: ReplyStatus::Ok,
            ..NearbyReply::default()
        };
        reply.to_json()
    }
}

fn place_bytes(place: &Place<'_>) -> usize {
    let types: usize = place
        .types
        .iter()
        .map(|word| word.len() + size_of::<Cow<'_, str>>())
        .sum();
    let vicinity = place.vicinity.as_ref().map_or(0, |text| text.len());
    size_of::<Place<'_>>() + place.name.len() + place.place_id.len() + types + vicinity
}
